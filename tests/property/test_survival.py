"""Survival is computed, not asserted: placements at random, losses up to what the statement promises and beyond.

What a load can bring back is worked out here from the placement, the losses and the catalog alone, with no code of the
reader: a block is there if it is good, or if k blocks of its row are. Inside the statement that is everything. Beyond
it every file whose blocks are there comes back bit for bit, and exactly the others are listed by name.
"""

from __future__ import annotations

import io
import os
import random
import sqlite3
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from msgspec import structs

from load_parts import Site, borrow_site
from packtrain.crypto import age
from packtrain.devices.faulty import FaultyDrive
from packtrain.documents.codec import encode, namespace
from packtrain.documents.group import Volume
from packtrain.documents.plan import Plan, PlannedGroup, Survive
from packtrain.erasure.placement import DriveSpec, Placement, Survival, place, survives
from packtrain.errors import BeyondRepair, PlacementImpossible
from packtrain.ports import Drive
from packtrain.units import KIB, MIB
from packtrain.volume import layout
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, write_cargo

# Of an age file with one X25519 stanza: what stands before the first chunk, and what a chunk of 64 KiB becomes.
_HEADER_BYTES = 184
# Blocks of data volumes that cannot be had, by (group, stripe, column).
Gone = dict[tuple[int, int, int], set[int]]
_CHUNK, _SEALED = 64 * KIB, 64 * KIB + 16


@dataclass
class Shipped:
    """A packed shipment and what this test knows of it."""

    packing: Packing
    written: ShipmentWritten
    placement: Placement
    case_of: dict[str, str]
    # name -> (group, stripe, column, first and last byte of the age file) of each of its pieces with content
    pieces: dict[str, list[tuple[int, int, int, int, int]]] = field(default_factory=dict)


class _Damaged(FaultyDrive):
    """A drive of which some blocks come back with a flipped bit."""

    def __init__(self, inner: Drive, bad: dict[str, set[int]]) -> None:
        super().__init__(inner)
        self._bad = bad

    def spoil(self, name: str, buffer: memoryview, offset: int, length: int) -> int:
        for block in self._bad.get(name, ()):
            if offset <= block * MIB < offset + length:
                buffer[block * MIB - offset] ^= 0x10
        return super().spoil(name, buffer, offset, length)


@pytest.fixture(scope="module")
def shipments(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[object, ...], Shipped]:
    """Packed shipments by what they were made from: an example that wants the same one shares it."""
    return {}


def packed(root: Path, cases: tuple[int, ...], placement: Placement, seed: int) -> Shipped:
    """Pack a small cargo over drives in cases by this placement; small volumes, or some of more than one block."""
    chance = random.Random(seed)
    has_rows = chance.random() < 0.4
    sizes = {f"f{number:02d}": int(2 ** chance.uniform(0, 20.5)) for number in range(chance.randrange(4, 14))}
    if has_rows:
        sizes |= {f"g{number}": chance.randrange(MIB, 3 * MIB) for number in range(chance.randrange(1, 4))}
    write_cargo(root / "cargo", sizes)
    packing = make_packing(root, cases=cases, target_bytes=(2200 if has_rows else 256) * KIB)
    uuid_of = {drive.label: drive.uuid for drive in packing.plan.drives}
    groups = tuple(
        PlannedGroup(group=number, k=group.k, m=group.m, drives=tuple(uuid_of[label] for label in group.drives))
        for number, group in enumerate(placement.groups)
    )
    survive = Survive(cases=placement.survive.cases, drives=placement.survive.drives)
    packing.plan = structs.replace(packing.plan, groups=groups, survive=survive)
    payload = encode(packing.plan)
    packing.plan_files = (payload, packing.signer.sign(namespace(Plan), payload).encode("ascii"))
    shipped = Shipped(packing, packing.write(), placement, {d.label: d.case for d in packing.plan.drives})
    for number, group in enumerate(placement.groups):
        sealed = (packing.folder(group.drives[0]) / layout.CATALOG).read_bytes()
        plain = root / f"catalog-{number}.sqlite"
        plain.write_bytes(age.DecryptReader(io.BytesIO(sealed), [packing.identity]).read())
        rows = sqlite3.connect(plain).execute(
            "SELECT path, stripe, volume_column, tar_offset, pieces.bytes FROM pieces JOIN files ON files.id = file"
        )
        for path, stripe, column, at, size in rows:
            first, last = at // _CHUNK, (at + max(size, 1) - 1) // _CHUNK
            reach = (_HEADER_BYTES + first * _SEALED, _HEADER_BYTES + (last + 1) * _SEALED - 1)
            shipped.pieces.setdefault(path.decode(), []).append((number, stripe, column, *reach))
    return shipped


def beyond(shipped: Shipped, lost: set[str], bad: dict[tuple[str, str], set[int]]) -> Gone:
    """Return the blocks of every data volume that cannot be had, by (group, stripe, column)."""
    label_of = {drive.uuid: drive.label for drive in shipped.packing.plan.drives}
    gone: Gone = {}

    def is_bad(k: int, volume: Volume, row: int) -> bool:
        label = label_of[volume.drive]
        return label in lost or row in bad.get((label, layout.volume_name(volume.stripe, volume.column, k)), ())

    for written in shipped.written.groups:
        group = written.group
        n = group.k + group.m
        for stripe in range(group.num_stripes):
            volumes = group.volumes[stripe * n : stripe * n + n]
            for row in range(max(-(-volume.bytes // MIB) for volume in volumes)):
                erased = {
                    volume.column for volume in volumes if row * MIB < volume.bytes and is_bad(group.k, volume, row)
                }
                for column in erased if len(erased) > group.m else ():
                    gone.setdefault((group.group, stripe, column), set()).add(row)
    return gone


def holds(shipped: Shipped, gone: Gone, name: str) -> bool:
    """Return whether every piece of a file can be had: its blocks, and the first one, with the volume's key."""
    return not any(
        {0, *range(first // MIB, last // MIB + 1)} & gone.get((group, stripe, column), set())
        for group, stripe, column, first, last in shipped.pieces[name]
    )


# Shrinking packs again and again: a failing example is small enough as it is.
_SETTINGS: Final = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.reuse, Phase.generate],
)


@settings(_SETTINGS, max_examples=15)
@given(data=st.data())
def test_inside_the_statement_all_comes_back_and_beyond_it_exactly_the_rest_is_listed(
    shipments: dict[tuple[object, ...], Shipped], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lose_and_load(shipments, tmp_path_factory, data)


@pytest.mark.full_size
@pytest.mark.timeout(3600)
@settings(_SETTINGS, max_examples=400)
@given(data=st.data())
def test_the_same_with_many_more_losses(
    shipments: dict[tuple[object, ...], Shipped], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lose_and_load(shipments, tmp_path_factory, data)


def lose_and_load(
    shipments: dict[tuple[object, ...], Shipped], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Draw a placement and losses, load what is left, and hold it against what there is."""
    cases = tuple(data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4), label="drives in cases"))
    survive = Survival(data.draw(st.integers(0, 1), label="cases"), data.draw(st.integers(0, 1), label="drives"))
    bays = data.draw(st.sampled_from([None, 4, 6]), label="bays")
    specs = [
        DriveSpec(f"{chr(ord('A') + case)}{number}", chr(ord("A") + case), 10**9)
        for case, count in enumerate(cases)
        for number in range(1, count + 1)
    ]
    try:
        placement = place(specs, survive, bays=bays)
    except PlacementImpossible:
        assume(False)
        raise
    key = (cases, survive, bays)
    if key not in shipments:
        seed = zlib.crc32(repr(key).encode())
        shipments[key] = packed(tmp_path_factory.mktemp("packed"), cases, placement, seed)
    shipped = shipments[key]
    label_of = {drive.uuid: drive.label for drive in shipped.packing.plan.drives}

    # One step beyond what is promised, in cases, drives and blocks alike.
    letters = sorted(set(shipped.case_of.values()))
    lost_cases = set(data.draw(st.permutations(letters))[: data.draw(st.integers(0, survive.cases + 1), label="gone")])
    lost = {label for label, case in shipped.case_of.items() if case in lost_cases}
    hurt: set[str] = set()
    bad: dict[tuple[str, str], set[int]] = {}
    for number, group in enumerate(placement.groups):
        order = data.draw(st.permutations(group.drives), label="order")
        struck = [label for label in order if label not in lost]
        struck = struck[: data.draw(st.integers(0, survive.drives + 1), label="struck")]
        for label in struck:
            if data.draw(st.booleans(), label=f"{label} is lost"):
                lost.add(label)
                continue
            hurt.add(label)
            for volume in shipped.written.groups[number].group.volumes:
                if volume.bytes and label_of[volume.drive] == label and data.draw(st.booleans()):
                    name = layout.volume_name(volume.stripe, volume.column, group.k)
                    rows = st.integers(0, -(-volume.bytes // MIB) - 1)
                    bad[label, name] = data.draw(st.sets(rows, min_size=1), label=name)
        # A group of which nothing is here has no catalog: its files are counted, not named. That is another test.
        if not set(group.drives) - lost:
            lost.discard(order[0])

    site: Site = borrow_site((shipped.packing, shipped.written), tmp_path_factory.mktemp("site"))
    site.drives = {
        label: _Damaged(drive, {name: rows for (there_, name), rows in bad.items() if there_ == label})
        for label, drive in site.drives.items()
        if label not in lost
    }
    gone = beyond(shipped, lost, bad)
    is_promised = len(lost_cases) <= survive.cases and all(
        len({label for label in group.drives if shipped.case_of[label] not in lost_cases} & (lost | hurt))
        <= survive.drives
        for group in placement.groups
    )
    if is_promised:
        assert survives(
            placement, shipped.case_of, lost | hurt, lost_cases & {shipped.case_of[label] for label in lost}
        )
        assert not gone, "the placement survives less than it was made for"
    files = {entry.name.decode(): Path(os.fsdecode(entry.source)).read_bytes() for entry in shipped.packing.entries}
    must_fail = {name for name in files if files[name] and not holds(shipped, gone, name)}
    event("promised" if is_promised else "survived all the same" if not gone else "more than it survives")
    if not gone:
        assert site.load().files == len(files)
        listed: set[str] = set()
    else:
        with pytest.raises(BeyondRepair):
            site.load()
        listed = set((site.root / "unreadable.txt").read_text().splitlines())
        assert listed == must_fail
    for name, content in files.items():
        copy = site.root / "store" / name
        if name in listed:
            assert not copy.exists(), name
        else:
            assert copy.read_bytes() == content, name
