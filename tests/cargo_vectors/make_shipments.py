"""The shipments of `tests/vectors/cargo/shipment`: whole drives, a few KB each, and what may befall them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from cargo_vectors.cases import ROOT, identity, signer
from cargo_vectors.loader import described
from packtrain.crypto import age
from packtrain.devices.directory import DirectoryDrive
from packtrain.events import discard
from packtrain.volume import bag, catalog, journal, layout, packing_list, sealing
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.folder_scan import scan
from packtrain.volume.journal import Journal, Member
from packtrain.volume.places import place_named, places_of, replace_drive
from packtrain.volume.sealing import member_header
from packtrain.volume.tar import Xattrs
from packtrain.volume.writer import ShipmentWriter
from shipment_parts import Packing, make_packing, write_cargo

TARGET_BYTES = 6144
"""Of a volume: far below what any real shipment has, so that the vectors are small. A reader need not know it."""
_PLACEHOLDER = "In the vectors this file stands for {}, which lies on every drive.\n"
BASES = ROOT / "shipment" / "bases"


def write_odd_cargo(root: Path) -> None:
    """Write one of everything that a folder may hold."""
    write_cargo(
        root,
        {
            "a/first": 600,
            "a/empty": 0,
            "big": 9_000,
            "na%\n name": 10,
            "é": 1,
            "listed": 40,
            "tool": 50,
            "zz/last": 3000,
        },
    )
    os.link(root / "a/first", root / "a/second")
    os.link(root / "big", root / "zz/big too")
    (root / "long" / ("d" * 60)).mkdir(parents=True)
    write_cargo(root, {f"long/{'d' * 60}/{'n' * 200}": 20})
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_bytes(b"no text in any encoding")
    (root / "nothing").mkdir()
    (root / "zz/link").symlink_to("../a/first")
    (root / "tool").chmod(0o4755)
    (root / "a/first").chmod(0o640)
    # user::rw-, user:1234:rw-, group::r--, mask::rw-, other::---
    entries = ((1, 6, 2**32 - 1), (2, 6, 1234), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1))
    access_list = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(root / "listed", "system.posix_acl_access", access_list)
    with (root / "sparse").open("wb") as stream:
        stream.write(b"data, then a hole")
        stream.truncate(4500)
    os.setxattr(root / "a/first", "user.note", b"a note\n")
    os.setxattr(root / "a", "user.=%", b"\0\xff")
    os.setxattr(root / "big", "user.of a cut file", b"in the catalog alone")
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        if not path.is_symlink():
            os.utime(path, ns=(0, (1_600_000_000 + number) * 10**9 + 123_456_789))
    os.utime(root / "zz/link", ns=(0, 987_654_321), follow_symlinks=False)
    os.utime(root / "é", ns=(0, -5 * 10**9))
    os.utime(root, ns=(0, 0))


def _small_create(path: Path, *, with_indexes: bool = True) -> sqlite3.Connection:
    """Return a catalog of the smallest pages: a reader must not care."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA page_size=512", "PRAGMA journal_mode=OFF", "BEGIN"):
        connection.execute(statement)
    for statement in catalog.SCHEMA:
        if with_indexes or not statement.startswith("CREATE INDEX"):
            connection.execute(statement)
    connection.execute("INSERT INTO about VALUES ('format', ?)", (catalog.FORMAT,))
    return connection


@contextmanager
def small_parts() -> Iterator[None]:
    """Pack with small volumes and catalogs, one identity, and a line in the place of long texts."""
    with (
        patch.object(layout, "SMALLEST_VOLUME_BYTES", TARGET_BYTES),
        patch.object(journal.catalog, "create", _small_create),
        patch.object(age, "generate_identity", identity),
        patch.object(bag, "readme", lambda *_: _PLACEHOLDER.format("README.txt for people").encode()),
        patch.object(bag, "spec", lambda: _PLACEHOLDER.format("docs/spec/cargo-1.md").encode()),
        patch.object(bag, "rescue", lambda: ("# " + _PLACEHOLDER.format("src/packtrain/volume/rescue.py")).encode()),
    ):
        yield


def packing_in(
    root: Path, entries: Sequence[CargoEntry] | None = None, *, attempt: int = 1, shipment: str | None = None,
    cases: Sequence[int] = (1, 1), groups: Sequence[tuple[int, int]] = ((1, 1),),
) -> Packing:  # fmt: skip
    """Return a packing below `root` by the consignor of the vectors; root/cargo must be there."""
    shutil.copytree(ROOT / "keys", root / "keys", dirs_exist_ok=True)
    shutil.copy(ROOT / "keys" / "consignor", root / "keys" / "signer")
    shutil.copy(ROOT / "keys" / "consignor.pub", root / "keys" / "signer.pub")
    return make_packing(
        root, entries, cases=cases, groups=groups, target_bytes=TARGET_BYTES, attempt=attempt, shipment=shipment
    )


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed shipment: its drives' folders by label, and the folder that was packed."""

    drives: dict[str, Path]
    cargo: Path
    documents: dict[str, bytes]


def packed(packing: Packing, root: Path) -> Packed:
    drives = {planned.label: packing.folder(planned.label) for planned in packing.plan.drives}
    last = drives[list(drives)[-1]]
    names = [layout.PLAN, layout.SHIPMENT]
    documents = {name + suffix: (last / (name + suffix)).read_bytes() for name in names for suffix in ("", ".sig")}
    return Packed(drives, root / "cargo", documents)


def make_bases(root: Path) -> None:
    """Pack all bases below `root` and write them, layer by layer."""
    shutil.rmtree(BASES, ignore_errors=True)
    with small_parts():
        _make_plain(root)
        _make_waves(root / "waves")
        _make_replaced(root / "replaced")
        _make_hostile(root)


def _make_plain(root: Path) -> None:
    """Two attempts of one shipment."""
    write_odd_cargo(root / "plain" / "cargo")
    first = root / "earlier"
    write_cargo(first / "cargo", {"a/first": 600, "zz": 300})
    earlier = packing_in(first, cases=(1, 1, 1), groups=((2, 1),))
    earlier.write()
    keep("earlier", packed(earlier, first), ["B1"])
    packing = packing_in(root / "plain", attempt=2, shipment=earlier.plan.shipment, cases=(1, 1, 1), groups=((2, 1),))
    packing.write()
    keep("plain", packed(packing, root / "plain"))


def _make_waves(root: Path) -> None:
    """Two groups, the drives of the second mounted after those of the first were taken away."""
    write_cargo(root / "cargo", {"a": 3000, "b/c": 2000, "d": 4000, "e": 3500})
    packing = packing_in(root, cases=(2, 2), groups=((1, 1), (1, 1)))
    room = dict.fromkeys(packing.drives, 10**9)
    for group in packing.plan.groups:
        here = {uuid: packing.drives[uuid] for uuid in group.drives}
        with Journal(packing.journal_folder) as opened:
            writer = ShipmentWriter(
                packing.plan, packing.plan_files, here, packing.signer, opened, {}, discard, capacity_bytes=room
            )
            written = writer.write_groups(packing.entries)
            if not written.wanted:
                writer.sign_shipment(written.closed)
    keep("waves", packed(packing, root))


def _make_replaced(root: Path) -> None:
    """A drive that failed after it was closed, and the one that came in its place: `B1`, and `old-B1`."""
    write_cargo(root / "cargo", {"a": 3000, "b/c": 6000, "d": 4000})
    packing = packing_in(root, cases=(1, 1, 1), groups=((2, 1),))
    packing.write()
    failed = packing.folder("B1")
    (root / "drive-new").mkdir()
    with Journal(packing.journal_folder) as opened:
        place = place_named(places_of(packing.plan, opened), "B1")
        packing.drives[place.planned.uuid] = DirectoryDrive(root / "drive-new")
        replace_drive(place, packing.drives[place.planned.uuid], None, opened)
    packing.write()
    made = packed(packing, root)
    keep("replaced", replace(made, drives=made.drives | {"old-B1": failed}))


def _entry(name: bytes, source: Path, kind: str = "file", target: bytes | None = None) -> CargoEntry:
    if kind == "file":
        source.write_bytes(b"planted")
        os.utime(source, (0, 0))
        return CargoEntry(name, os.fsencode(source), "file", 7, 0o644, 0)
    return CargoEntry(name, os.fsencode(source), "symlink", 0, 0o777, 0, link_target=target)


def _make_hostile(root: Path) -> None:
    """What only the consignor can do: every signature and digest fits, and the cargo breaks section 4."""

    def pack(name: str, more: Callable[[Path], list[CargoEntry]]) -> None:
        home = root / name
        # As long as a volume: the good file and the hostile one lie in two of them.
        write_cargo(home / "cargo", {"good": 4500})
        (home / "loot").mkdir()
        packing = packing_in(home, [*scan(home / "cargo"), *more(home / "loot")])
        with patch.object(packing_list, "refuse_names_no_reader_takes", lambda entries, target_bytes: entries):
            packing.write()
        keep(name, packed(packing, home))

    def through_a_link(loot: Path) -> list[CargoEntry]:
        (loot / "door").symlink_to("folder")
        door = _entry(b"door", loot / "door", "symlink", b"folder")
        return [door, _entry(b"door/planted", loot / "planted")]

    pack("file-through-a-link", through_a_link)

    def other_name(member: Member, xattrs: Xattrs) -> bytes:
        return member_header(member._replace(path=b"planted") if member.path == b"said" else member, xattrs)

    with patch.object(sealing, "member_header", other_name):
        pack("other-name-than-the-catalog", lambda loot: [_entry(b"said", loot / "planted")])


def keep(name: str, made: Packed, labels: Sequence[str] | None = None) -> None:
    """Write a base: files that lie on all drives once, those of some once for these, the rest for each drive."""
    base = BASES / name
    chosen = {label: folder for label, folder in made.drives.items() if labels is None or label in labels}
    where: dict[tuple[str, bytes], list[str]] = {}
    for label, folder in chosen.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                where.setdefault((path.relative_to(folder).as_posix(), path.read_bytes()), []).append(label)
    layers: dict[str, list[str]] = {label: [] for label in chosen}
    for (file_name, payload), holders in where.items():
        layer = "all" if len(holders) == len(chosen) > 1 else "+".join(holders)
        for label in holders:
            if layer not in layers[label]:
                layers[label].append(layer)
        path = base / layer / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    (base / "drives.json").write_text(json.dumps(layers, indent=1) + "\n")
    (base / "dossier").mkdir()
    for file_name, payload in made.documents.items():
        (base / "dossier" / Path(file_name).name).write_bytes(payload)
    entries = described(made.cargo)
    for entry in entries:
        if "mode" in entry:
            entry["mode"] = f"{int(entry['mode'], 8) & 0o777:04o}"
        if entry["name"] == "listed":
            # 0660 with its access list; without it, the group has what the list gives the owning group.
            entry["mode"] = "0640"
    (base / "tree.json").write_text(json.dumps(entries, indent=1) + "\n")


def make() -> None:
    """Write all bases and cases."""
    from cargo_vectors.make_cases import make_cases

    assert signer("consignor").public_line
    with tempfile.TemporaryDirectory(dir="/var/tmp") as root:
        make_bases(Path(root))
    make_cases()
