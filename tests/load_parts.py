"""Parts for tests that read: a packed shipment that is copied for each test, its drives, and a load of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import digest
from packtrain.documents.group import Group
from packtrain.events import Event, Notice
from packtrain.ports import Drive
from packtrain.record.trust import Trust
from packtrain.stores.folder import FolderStore
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.block_list import BlockHasher, encode_block_list
from packtrain.volume.discover import Expected, Fleet, discover
from packtrain.volume.loaded import Loaded
from packtrain.volume.reader import load_shipment
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, write_cargo

# A file that is cut, one that nearly fills a volume, empty ones, names that need pax records.
SIZES: Mapping[str, int] = {
    "shards/a.tar": 900 * KIB,
    "shards/b.tar": 250 * KIB,
    "shards/c.tar": 240 * KIB,
    "shards/d.tar": 200 * KIB,
    "shards/e.tar": 200 * KIB,
    "empty": 0,
    "names/" + "long" * 40: 700,
    "names/é": 1,
}


@dataclass
class Site:
    """Copies of a shipment's drives, by label, and all that a load needs."""

    root: Path
    packing: Packing
    written: ShipmentWritten
    drives: dict[str, Drive] = field(default_factory=dict[str, Drive])
    events: list[Event] = field(default_factory=list[Event])
    groups: dict[int, Group] | None = None

    @property
    def trust(self) -> Trust:
        return Trust(self.packing.parties)

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.root / "store")

    def folder(self, label: str) -> Path:
        return self.root / f"drive-{label}"

    def expected(self, *, with_shipment: bool = True, admitted: Mapping[str, str] | None = None) -> Expected:
        plan = self.packing.plan
        return Expected(plan, digest(plan), self.written.shipment if with_shipment else None, admitted=admitted)

    def discover(self, without: Collection[str] = (), *, with_shipment: bool = True) -> Fleet:
        return discover(list(self.drives.values()), self.trust, self.expected(with_shipment=with_shipment), without)

    def load(
        self,
        *,
        identity: str | None = None,
        no_more: bool = True,
        without: Collection[str] = (),
        keep_owner: bool = False,
        verify_files: bool = False,
        scratch: Path | None = None,
    ) -> Loaded:
        """Load with the drives of this site; unless said otherwise no others will come."""
        fleet = self.discover(without)
        return load_shipment(
            fleet.plan,
            self.groups or fleet.groups,
            fleet.shipment,
            fleet.mounted,
            identity or self.packing.identity,
            self.store,
            self.root / "load.jsonl",
            self.events.append,
            lost=fleet.lost,
            no_more=no_more,
            keep_owner=keep_owner,
            verify_files=verify_files,
            scratch=scratch,
            damage=fleet.damage,
        )

    def notices(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Notice))

    def lose(self, *labels: str) -> None:
        for label in labels:
            del self.drives[label]

    def volumes(self, label: str, kind: str = "*") -> list[Path]:
        """Return the volumes of a drive, in order; kind is "*", "*.tar.age" or "*.parity"."""
        return sorted((self.folder(label) / "data").glob(kind))

    def assert_loaded(self, missing: Sequence[str] = ()) -> None:
        """Assert that the store holds every entry of the cargo, equal in content and time, but for `missing`."""
        for entry in self.packing.entries:
            name = entry.name.decode()
            copy = self.root / "store" / name
            source = Path(os.fsdecode(entry.source))
            if name in missing:
                assert not copy.exists(), name
            elif entry.kind == "symlink":
                assert copy.is_symlink() and copy.readlink() == source.readlink()
            elif entry.kind == "directory":
                assert copy.is_dir()
            else:
                assert copy.read_bytes() == source.read_bytes(), name
                assert copy.stat().st_mtime_ns == entry.mtime_ns
                assert copy.stat().st_mode & 0o777 == entry.mode & 0o777
        assert not (self.root / "store" / ".packtrain-staging").exists() or missing


def pack_template(root: Path, sizes: Mapping[str, int] = SIZES, **options: object) -> tuple[Packing, ShipmentWritten]:
    """Pack a small cargo below `root`; links and an empty folder are in it."""
    cargo = write_cargo(root / "cargo", sizes)
    (cargo / "links").mkdir()
    (cargo / "links" / "up").symlink_to("../shards/a.tar")
    (cargo / "nothing here").mkdir()
    packing = make_packing(root, **options)  # pyright: ignore[reportArgumentType]
    return packing, packing.write()


def copy_site(template: tuple[Packing, ShipmentWritten], root: Path) -> Site:
    """Return copies of the packed drives below `root`."""
    packing, written = template
    site = Site(root, packing, written)
    for planned in packing.plan.drives:
        shutil.copytree(packing.folder(planned.label), site.folder(planned.label))
        site.drives[planned.label] = DirectoryDrive(site.folder(planned.label))
    return site


def borrow_site(template: tuple[Packing, ShipmentWritten], root: Path) -> Site:
    """Return the packed drives themselves, for a load that does not change them; store and journal lie below `root`."""
    packing, written = template
    labels = {planned.uuid: planned.label for planned in packing.plan.drives}
    return Site(root, packing, written, {labels[uuid]: drive for uuid, drive in packing.drives.items()})


def flip(path: Path, offset: int, bit: int = 1) -> None:
    """Flip one bit of a file in place; an `offset` below 0 counts from its end."""
    with path.open("r+b") as stream:
        stream.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        value = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([value ^ bit]))


def resign_group(site: Site, altered: Mapping[Path, bytes], *, with_sha256: bool = False) -> None:
    """Put other bytes in the place of volumes, with block lists that fit them, in the group document of the site.

    So a volume comes about whose blocks are all good and whose SHA-256 is not: what an attacker gets who finds
    collisions of XXH3. With `with_sha256` the consignor vouches for the bytes themselves.
    """
    signed = site.written.groups[0].group
    volumes = {layout.volume_name(v.stripe, v.column, signed.k): v for v in signed.volumes}
    for path, payload in altered.items():
        path.write_bytes(payload)
        volume = volumes[f"data/{path.name}"]
        hasher = BlockHasher()
        hasher.update(payload)
        sha256, hashes = hasher.finish()
        lines = encode_block_list(hashes)
        (path.parent.parent / layout.blocks_name(volume.stripe, volume.column)).write_bytes(lines)
        volumes[f"data/{path.name}"] = structs.replace(
            volume,
            blocks_sha256=sha256_bytes(lines),
            sha256=sha256 if with_sha256 else volume.sha256,
            bytes=len(payload) if with_sha256 else volume.bytes,
        )
    site.groups = {signed.group: structs.replace(signed, volumes=tuple(volumes.values()))}
