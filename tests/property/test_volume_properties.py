"""Properties of reading: any loss that the code survives is made good; no damaged tar is taken for another."""

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from load_parts import borrow_site, pack_template
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Volume
from packtrain.erasure.code import Code
from packtrain.errors import BeyondRepair, HostileArchive
from packtrain.units import KIB
from packtrain.volume import tar
from packtrain.volume.blocks import Column
from packtrain.volume.repair import StripeReader
from packtrain.volume.untar import TarReader
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    sizes = {f"f{number}": size * KIB for number, size in enumerate((300, 20, 100, 90, 250, 600))}
    return pack_template(tmp_path_factory.mktemp("packed"), sizes, cases=(2, 2, 1))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_up_to_m_lost_drives_and_damaged_volumes_load_equal_and_one_more_lists_the_rest(
    template: Template, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    site = borrow_site(template, tmp_path_factory.mktemp("site"))
    m = site.packing.plan.groups[0].m
    labels = data.draw(st.permutations(list(site.drives)), label="order")
    num_lost = data.draw(st.integers(0, m), label="lost")
    num_damaged = data.draw(st.integers(0, m + 1 - num_lost), label="damaged")
    volumes = site.written.groups[0].group.volumes
    for label in labels[num_lost : num_lost + num_damaged]:
        uuid = next(planned.uuid for planned in site.packing.plan.drives if planned.label == label)
        names = [
            (f"data/{v.stripe:07d}-{v.column:02d}" + (".tar.age" if v.column < 3 else ".parity"), v.bytes)
            for v in volumes
            if v.drive == uuid and v.bytes
        ]
        flips = {name: data.draw(st.integers(0, size - 1), label=name) for name, size in names}
        site.drives[label] = FaultyDrive(site.drives[label], Orders(flip_on_read=flips))
    site.drives = {
        label: site.drives[label] for label in data.draw(st.permutations(labels[num_lost:]), label="mounted")
    }
    if num_lost + num_damaged <= m:
        assert site.load().files == site.written.num_files
        site.assert_loaded()
    else:
        with pytest.raises(BeyondRepair):
            site.load()
        listed = (site.root / "unreadable.txt").read_text().splitlines()
        assert listed
        site.assert_loaded(missing=listed)


class _Held(Column):
    """A column in memory, with erasures where the test says."""

    def __init__(self, index: int, payload: bytes, bad: set[int]) -> None:
        zeros = "0" * 64
        super().__init__(
            Volume(
                stripe=0, column=index, drive="00000000-0000-0000-0000-000000000000", bytes=len(payload),
                sha256=zeros, blocks_sha256=zeros, readback="memory",
            ), 1, None, "X",
        )  # fmt: skip
        self.payload, self.bad, self.reads = payload, bad, list[int]()

    def read_block(self, block: int, buffer: memoryview) -> bool:
        self.reads.append(block)
        piece = self.payload[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
        buffer[: len(piece)] = bytes(len(piece)) if block in self.bad else piece
        return block not in self.bad


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_are_rebuilt_where_k_are_left_and_each_block_is_read_at_most_once(data: st.DataObject) -> None:
    k, m = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
    code = Code(k, m)
    lengths = [
        data.draw(st.sampled_from([0, 1, 4096, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES - 7])) for _ in range(k)
    ]
    lengths[0] = max(lengths[0], 1)
    longest = max(lengths)
    columns = [bytes([17 * index + 1]) * length for index, length in enumerate(lengths)]
    padded = [column.ljust(longest, b"\0") for column in columns]
    parity = [bytearray(longest) for _ in range(m)]
    code.encode(padded, parity)
    rows = -(-longest // BLOCK_BYTES)
    bad = [data.draw(st.sets(st.integers(0, rows - 1)), label=f"bad {index}") for index in range(k + m)]
    held = [_Held(index, payload, bad[index]) for index, payload in enumerate((*columns, *map(bytes, parity)))]
    wanted = [index for index in range(k) if lengths[index]]
    dead: set[int] = set()
    with ThreadPoolExecutor(4) as pool:
        for row, blocks in enumerate(StripeReader(held, code, pool).rows(wanted)):
            here = [column for column in held if row < column.num_blocks]
            erased = {column.index for column in here if row in column.bad}
            if len(erased) > m:
                dead |= erased
            for index, block in blocks.items():
                expected = held[index].payload[row * BLOCK_BYTES : (row + 1) * BLOCK_BYTES]
                # What could not be rebuilt once is not rebuilt again, but what is good of it is handed out.
                assert block == (None if index in dead & erased else expected)
    for column in held:
        assert len(column.reads) == len(set(column.reads))
    if not any(bad[index] for index in wanted):
        assert not any(column.reads for column in held[k:])


SMALL_TAR = (
    tar.header(b"a", "file", 5, 0o644, 0)
    + b"hello"
    + tar.padding(5)
    + tar.header(b"caf\xe9/" + b"n" * 120, "file", 0, 0o600, 1)
    + tar.header(b"l", "symlink", 0, 0o777, 0, b"a")
    + tar.END_OF_ARCHIVE
)


def members(payload: bytes) -> list[tuple[object, ...]]:
    reader = TarReader(io.BytesIO(payload).readinto, "volume")
    found: list[tuple[object, ...]] = []
    while (member := reader.next_member()) is not None:
        found.append((*member, b"".join(bytes(piece) for piece in iter(reader.read_data, b""))))
    return found


def test_a_tar_cut_at_any_byte_is_refused() -> None:
    assert len(members(SMALL_TAR)) == 3
    for length in range(len(SMALL_TAR)):
        with pytest.raises(HostileArchive):
            members(SMALL_TAR[:length])


@settings(max_examples=400, deadline=None)
@given(position=st.integers(0, len(SMALL_TAR) * 8 - 1))
def test_a_flipped_bit_is_refused_or_changes_only_data_and_never_more_than_one_member(position: int) -> None:
    altered = bytearray(SMALL_TAR)
    altered[position // 8] ^= 1 << position % 8
    try:
        found = members(bytes(altered))
    except HostileArchive:
        return
    # What no checksum of tar covers: a file's data, and the name inside of a pax record.
    different = [now for now, before in zip(found, members(SMALL_TAR), strict=True) if now != before]
    assert len(different) <= 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2048))
def test_any_bytes_end_in_members_or_in_a_clean_refusal(payload: bytes) -> None:
    with contextlib.suppress(HostileArchive):
        members(payload)
