"""Going on with a load that was interrupted: which volumes of the journal are really in the store?"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass

from packtrain.documents.group import Group
from packtrain.errors import HostileArchive, StoreInUse
from packtrain.ports import Store
from packtrain.volume.catalog import Catalog, CatalogFile, CatalogPiece
from packtrain.volume.extract import shown
from packtrain.volume.load_journal import LoadJournal, SalvagedLine, VolumeKey, VolumeLine
from packtrain.volume.loaded import NAMED
from packtrain.volume.ranges import Ranges
from packtrain.volume.staging import Staging


def is_complete(catalog: Catalog, group: int, file_id: int, done: Container[VolumeKey]) -> bool:
    """Return whether the volumes of all pieces of a file are done."""
    return all((group, piece.stripe, piece.column) in done for piece in catalog.pieces_of(file_id))


def check_tiling(catalog: Catalog, entry: CatalogFile) -> None:
    """Check that the pieces of a cut file lie one behind the other and make the whole file.

    Raises:
        HostileArchive: they do not; hashing what was put together could take for ever.
    """
    place = 0
    for number, piece in enumerate(catalog.pieces_of(entry.id), 1):
        if (piece.number, piece.file_offset) != (number, place):
            raise HostileArchive("pieces of a file overlap or leave gaps in the catalog", found=shown(entry.path))
        place += piece.bytes
    if place != entry.bytes:
        raise HostileArchive(
            "pieces of a file do not make the whole",
            expected=f"{entry.bytes} bytes",
            found=f"{shown(entry.path)}, {place} bytes",
        )


@dataclass(frozen=True, slots=True)
class Look:
    """Looks whether the volumes of earlier runs are still in the store.

    Args:
        journal: of the load; what is gone is taken back from it.
        group: one group.
        catalog, staging, store: where its entries are named, wait and lie.
    """

    journal: LoadJournal
    group: Group
    catalog: Catalog
    staging: Staging
    store: Store

    def forget_what_is_gone(self, earlier: Collection[VolumeKey], *, every_entry: bool) -> bool:
        """Take back those volumes whose files are not all there any more; return whether there are any.

        With a wave for every few drives, a look at all that is there would cost each wave as much as all before it. So
        every entry is looked at once, in the run after which no drive of the group is wanted: nothing is said to be all
        there before. Until then nothing builds on entries of earlier waves but on the pieces of cut files.
        """
        journal, group, number = self.journal, self.group, self.group.group
        again = volumes_to_read_again(
            journal.volumes, earlier, self.catalog, number, self.staging, self.store, every_entry=every_entry
        )
        n = group.k + group.m
        journal.forget(again, {group.volumes[stripe * n + column].drive for _, stripe, column in again})
        if not every_entry:
            return bool(again)
        # Their drives were seen and need not be again: which of them are wanted follows from what is lost.
        salvage_again = volumes_to_salvage_again(journal.salvaged, self.catalog, number, self.staging, self.store)
        journal.forget(salvage_again)
        return bool(again or salvage_again)


def volumes_to_read_again(
    journal: Mapping[VolumeKey, VolumeLine],
    among: Collection[VolumeKey],
    catalog: Catalog,
    group: int,
    staging: Staging,
    store: Store,
    *,
    every_entry: bool,
) -> set[VolumeKey]:
    """Return those volumes of a group that the journal names and whose files are not all there any more.

    A file is there if the store has it with its length; a symbolic link or a folder, if anything stands under its name;
    a piece of a cut file that is not complete, if its bytes wait in staging. A volume that is read again puts its
    pieces into a new staged file, so all volumes with pieces of that file are read again with it.

    Args:
        journal: all volumes whose files were there.
        among: those of the group that are looked at.
        catalog, group, staging, store: where they are named, wait and lie.
        every_entry: look at all entries. False: of each volume at its first and at its cut files, on whose pieces the
            next volume builds; if one is gone, at all after all.
    """
    there: dict[int, bool] = {}

    def is_cut_file_there(entry: CatalogFile) -> bool:
        # Asked for each of its pieces, and each time all pieces would be gone through.
        if entry.id not in there:
            if is_complete(catalog, group, entry.id, journal):
                there[entry.id] = store.size_bytes(entry.path) == entry.bytes
            else:
                there[entry.id] = staging.whole_file(group, entry.id).is_file()
        return there[entry.id]

    def is_there(piece: CatalogPiece, entry: CatalogFile) -> bool:
        if entry.kind == "hardlink":
            assert entry.link_target is not None
            return store.are_linked(entry.link_target, entry.path)
        if entry.kind != "file":
            return store.holds(entry.path)
        return is_cut_file_there(entry) if piece.count > 1 else store.size_bytes(entry.path) == entry.bytes

    def is_whole(key: VolumeKey, most: int) -> bool:
        return all(is_there(*member) for member in catalog.members_in(key[1], key[2], most))

    if not every_entry and all(
        is_whole(key, 1) and all(is_cut_file_there(catalog.file(file)) for file, _, _ in journal[key].pieces)
        for key in among
    ):
        return set()
    again = {key for key in among if not is_whole(key, -1)}
    to_follow = list(again)
    while to_follow:
        _, stripe, column = to_follow.pop()
        for piece in catalog.pieces_in(stripe, column):
            if piece.count == 1 or staging.whole_file(group, piece.file).is_file():
                continue
            for other in catalog.pieces_of(piece.file):
                key = (group, other.stripe, other.column)
                if key in journal and key not in again:
                    again.add(key)
                    to_follow.append(key)
    return again


def volumes_to_salvage_again(
    salvaged: Mapping[VolumeKey, SalvagedLine], catalog: Catalog, group: int, staging: Staging, store: Store
) -> set[VolumeKey]:
    """Return those volumes beyond repair of a group of which not all that was got out of them is there any more.

    A piece of a cut file waits in staging, unless the file was put together and is in the store.
    """

    def is_there(entry: CatalogFile) -> bool:
        return store.size_bytes(entry.path) == entry.bytes if entry.kind == "file" else store.holds(entry.path)

    own = {key: line for key, line in salvaged.items() if key[0] == group}
    again = {key for key, line in own.items() if not all(is_there(catalog.file(file)) for file in line.numbers())}
    put_together = Ranges(pair for key, line in own.items() if key not in again for pair in line.files)
    waiting = staging.salvaged(group)
    return again | {
        key
        for key, line in own.items()
        if not all(file in put_together or (waiting / f"{file}-{number}").is_file() for file, number in line.pieces)
    }


def refuse_strangers(catalog: Catalog, store: Store) -> None:
    """Look, before the first file of a group comes into the store, whether it would take another's place.

    Raises:
        StoreInUse: it would; the first of the names are told.
        HostileArchive: a name would leave the store.
    """
    strangers = strangers_in_store(catalog, store)
    first = [shown(entry.path) for entry in itertools.islice(strangers, NAMED)]
    if not first:
        return
    num_more = sum(1 for _ in strangers)
    more = f" and {num_more} more" if num_more else ""
    raise StoreInUse(
        f"the store holds other files under {len(first) + num_more} names of the cargo",
        where=store.location,
        expected="nothing under these names",
        found=", ".join(first) + more,
        hint="move them away, or name another folder in [site] store; packtrain overwrites nothing that it did "
        "not load",
    )


def strangers_in_store(catalog: Catalog, store: Store) -> Iterator[CatalogFile]:
    """Yield the entries under whose names the store holds something else than they are.

    What an interrupted load published and did not note any more is equal to its entry, and no stranger.

    Raises:
        HostileArchive: a name would leave the store.
    """
    if store.is_empty():
        return  # a new store, as most are
    for entry in catalog.files():
        if store.holds(entry.path) and not (_is_equal(entry, catalog, store) or _is_behind_a_link(entry, catalog)):
            yield entry


def _is_behind_a_link(entry: CatalogFile, catalog: Catalog) -> bool:
    """Return whether the cargo has a link on the way to an entry: no stranger is in the way, but a hostile cargo.

    Publishing it says so, also when a run before this one brought the link.
    """
    parts = entry.path.split(b"/")
    above = (catalog.entry(b"/".join(parts[:depth])) for depth in range(1, len(parts)))
    return any(found is not None and found.kind == "symlink" for found in above)


def _is_equal(entry: CatalogFile, catalog: Catalog, store: Store) -> bool:
    if entry.kind == "hardlink":
        assert entry.link_target is not None
        # Its content, not its inode: an interrupted load may have brought its file once more, and not yet the link.
        target = catalog.entry(entry.link_target)
        if target is None or target.kind != "file":
            return False
        return store.size_bytes(entry.path) == target.bytes and store.sha256(entry.path) == target.sha256
    if entry.kind == "file":
        # The length is asked of the store, which follows no link on the way; only then the file is read.
        return store.size_bytes(entry.path) == entry.bytes and store.sha256(entry.path) == entry.sha256
    if entry.kind == "symlink":
        return store.link_target(entry.path) == entry.link_target
    return store.is_folder(entry.path)
