"""Repair with no key: what comes back is byte for byte what was packed; what cannot come back is named."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from load_parts import Site, copy_site, flip, pack_template, resign_group
from packtrain import durable
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.documents.codec import decode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.errors import DriveFailed, DriveFull, DriveMissing, DuplicateDrive, ForeignDrive, IntegrityError
from packtrain.events import Progress, discard
from packtrain.ports import Drive, DriveReader
from packtrain.units import KIB, MIB
from packtrain.volume import layout
from packtrain.volume.mend import mend
from packtrain.volume.mend_report import MendReport
from packtrain.volume.mend_spare import mend_onto
from packtrain.volume.scrub import scrub
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    sizes = {"big": 2600 * KIB, "middle": 900 * KIB, "small": 3, "other": 300 * KIB}
    return pack_template(tmp_path_factory.mktemp("packed"), sizes, target_bytes=1400 * KIB)


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def mended(site: Site, *, has_trust: bool = True) -> MendReport:
    return mend(list(site.drives.values()), site.trust if has_trust else None, site.events.append)


def spare_for(site: Site, label: str, spare: Drive) -> MendReport:
    return mend_onto(list(site.drives.values()), label, spare, site.trust, site.events.append)


@contextlib.contextmanager
def memory_below(most_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


def empty(path: Path) -> DirectoryDrive:
    path.mkdir(exist_ok=True)
    return DirectoryDrive(path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_as_packed(template: Template, site: Site, *labels: str) -> None:
    for label in labels or tuple(site.drives):
        packed, here = files(template[0].folder(label)), files(site.folder(label))
        assert packed.keys() == here.keys()
        for name, payload in packed.items():
            assert payload == here[name], name


def left(report: MendReport) -> str:
    return "\n".join(map(str, report.left))


@pytest.fixture(scope="module")
def other_attempt(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The next attempt of the same shipment: the same signer and labels."""
    root = tmp_path_factory.mktemp("other")
    shutil.copytree(template[0].folder("A1").parent / "keys", root / "keys")
    return pack_template(root, {"big": 900 * KIB}, attempt=2, shipment=template[0].plan.shipment)


def test_what_was_done_is_told_by_case_and_of_cases_that_were_written_alone(site: Site) -> None:
    (site.folder("B1") / "photo.jpg").write_bytes(b"x")  # left, on a drive that is not written
    site.volumes("A1")[0].unlink()
    flip(site.volumes("A2")[0], 7)
    (case,) = mended(site).cases
    uuids = tuple(sorted(planned.uuid for planned in site.packing.plan.drives if planned.label in ("A1", "A2")))
    assert (case.case, case.drives, case.num_mended, case.num_left) == ("A", uuids, 2, 0)


@pytest.mark.parametrize(
    ("own", "stated", "told"),
    [("S2", True, "S2"), ("folder", True, None), (None, True, None), ("S2", False, None)],
    ids=["another drive's", "the same", "none to be read", "none was stated"],
)
def test_a_spare_with_another_serial_number_than_the_documents_state_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, own: str | None, stated: bool, told: str | None
) -> None:
    spare = empty(site.root / "spare")
    record = decode(DriveRecord, (site.folder("A1") / layout.DRIVE).read_bytes(), "drive.json")
    spare.serial = record.serial if own == "folder" else own
    if stated:
        monkeypatch.setattr("packtrain.volume.mend_spare.unread_serial", lambda _: "S0")
    report = spare_for(site, "A1", spare)
    assert report.spare_serial == told
    assert [(case.case, case.drives, case.num_left) for case in report.cases] == [("A", (record.uuid,), 0)]


# --- in place ---


def test_whole_drives_are_not_written(template: Template, site: Site) -> None:
    before = {path: path.stat().st_mtime_ns for path in site.root.rglob("*")}
    report = mended(site)
    assert (report.mended, report.left, report.drives) == ((), (), ())
    assert {path: path.stat().st_mtime_ns for path in site.root.rglob("*")} == before


@pytest.mark.parametrize("has_trust", [True, False])
def test_damaged_blocks_and_missing_volumes_are_rebuilt_to_the_byte(
    template: Template, site: Site, has_trust: bool
) -> None:
    flip(site.volumes("A1")[0], 5)
    site.volumes("A2")[0].unlink()
    for path in site.volumes("A2")[1:]:
        flip(path, path.stat().st_size - 1)
    report = mended(site, has_trust=has_trust)
    assert left(report) == ""
    assert (report.num_lost_stripes, report.has_signatures_checked) == (0, has_trust)
    assert {(item.drive, item.how) for item in report.mended} == {("A1", "rebuilt"), ("A2", "rebuilt")}
    assert len(report.drives) == 2
    assert_as_packed(template, site)
    assert scrub(list(site.drives.values()), site.trust, discard).verdict == "whole"
    last = [event for event in site.events if isinstance(event, Progress) and "rebuilding" in event.activity][-1]
    assert last.done_bytes == last.total_bytes > 0


def test_half_damaged_volumes_of_one_stripe_mend_each_other(template: Template, site: Site) -> None:
    site.lose("B2")
    stripe = [path for label in site.drives for path in site.volumes(label) if path.name.startswith("0000000")]
    assert len(stripe) == 3
    flip(stripe[0], 10)
    flip(stripe[1], MIB + 10)
    report = mended(site)
    assert left(report) == ""
    assert [item.num_blocks for item in report.mended] == [1, 1]
    assert_as_packed(template, site)


def test_what_is_beyond_the_code_is_left_and_the_rest_is_mended(template: Template, site: Site) -> None:
    site.lose("B2")
    stripe = [path for label in site.drives for path in site.volumes(label) if path.name.startswith("0000000")]
    before = [path.read_bytes() for path in stripe]
    flip(stripe[0], 10)
    flip(stripe[1], 10)
    other = next(path for path in site.volumes("A1") if path.name.startswith("0000001"))
    flip(other, 0)
    report = mended(site)
    assert report.num_lost_stripes == 0, "a drive that was not given may be whole"
    assert left(report).count("fewer than k volumes of its stripe are readable there") == 2
    assert [item.name for item in report.mended] == [f"data/{other.name}"]
    assert [path.read_bytes() == payload for path, payload in zip(stripe, before, strict=True)] == [False, False, True]


def test_documents_manifests_and_block_lists_are_made_anew(template: Template, site: Site) -> None:
    a1, b1 = site.folder("A1"), site.folder("B1")
    flip(next((a1 / "packtrain/blocks").iterdir()), 3)
    for name in (layout.MANIFEST, layout.TAG_MANIFEST, layout.README, layout.BAG_INFO):
        flip(a1 / name, 20)
    for name in (layout.PLAN, layout.PLAN + ".sig", layout.GROUP, layout.CATALOG, layout.SPEC, layout.RESCUE):
        (b1 / name).unlink()
    flip(b1 / layout.SHIPMENT, 30)
    (b1 / layout.BAGIT).write_bytes(b"")
    report = mended(site)
    assert left(report) == ""
    assert_as_packed(template, site)


def test_a_volume_with_bytes_after_its_end_is_rebuilt(template: Template, site: Site) -> None:
    with site.volumes("A1")[0].open("ab") as stream:
        stream.write(b"hidden")
    assert left(mended(site)) == ""
    assert_as_packed(template, site)


def test_an_altered_volume_whose_block_list_fits_is_rebuilt_from_the_others(template: Template, site: Site) -> None:
    victim = site.volumes("A1")[0]
    lists = site.folder("A1") / "packtrain/blocks" / (victim.name.split(".")[0] + ".xxh3")
    payload = bytearray(victim.read_bytes())
    payload[9] ^= 1
    resign_group(site, {victim: bytes(payload)})
    assert lists.read_bytes() != (template[0].folder("A1") / "packtrain/blocks" / lists.name).read_bytes()
    assert left(mended(site)) == ""
    assert_as_packed(template, site)


def test_unfinished_files_go_and_foreign_files_stay_and_are_named(template: Template, site: Site) -> None:
    part = site.volumes("A1")[0]
    part.with_name(part.name + ".part").write_bytes(b"half")
    (site.folder("A1") / "holiday.jpg").write_bytes(b"x")
    (site.folder("A1") / "data" / "x.part").write_bytes(b"x")
    report = mended(site)
    assert left(report).splitlines() == [
        "drive A1: data/x.part: not a file of this shipment; it is not touched",
        "drive A1: holiday.jpg: not a file of this shipment; it is not touched",
    ]
    assert not part.with_name(part.name + ".part").exists()
    assert (site.folder("A1") / "holiday.jpg").exists()


def test_what_carries_its_own_signature_cannot_be_made_and_is_said(site: Site) -> None:
    flip(site.folder("A1") / layout.CUSTODY, 3)
    flip(site.folder("A2") / layout.DRIVE, 3)
    (site.folder("B1") / layout.DRIVE).unlink()
    report = mended(site)
    assert "drive A1: packtrain/custody.jsonl: only this drive had it" in left(report)
    assert left(report).count("a copy of its small files, given as a drive, is enough") == 2
    assert 'the consignor makes the drive anew ("packtrain pack --replace")' in left(report)
    assert report.mended == ()


def test_a_custody_log_and_a_tag_manifest_damaged_together_are_left(site: Site) -> None:
    flip(site.folder("A1") / layout.CUSTODY, 3)
    flip(site.folder("A1") / layout.TAG_MANIFEST, 3)
    report = mended(site)
    assert "tagmanifest-sha256.txt is not as the signed closing record says" in left(report)


def test_a_drive_that_cannot_be_written_is_one_message(site: Site) -> None:
    for path in site.volumes("A1"):
        flip(path, 5)
    names = {f"data/{path.name}" for path in site.volumes("A1")}
    site.drives["A1"] = FaultyDrive(site.drives["A1"], Orders(fail_writes_of=frozenset(names)))
    report = mended(site)
    assert left(report).count("drive cannot be written") == 1
    assert len(report.left) == 1


def test_a_full_drive_is_told_what_a_repair_needs_and_not_to_plan_again(template: Template, site: Site) -> None:
    flip(site.volumes("A1")[0], 5)
    site.drives["A1"] = FaultyDrive(site.drives["A1"], Orders(full_after_bytes=1000))
    report = mended(site)
    assert "no space left on the drive (a repair in place needs room for one volume; else onto a spare" in left(report)
    assert "plan again" not in left(report)
    site.drives["A1"] = DirectoryDrive(site.folder("A1"))
    assert left(mended(site)) == ""
    assert_as_packed(template, site)


class _Unlistable(FaultyDrive):
    def names(self) -> Iterator[str]:
        raise DriveFailed("drive cannot be listed", where=self.location)


def test_a_drive_that_cannot_be_listed_is_left_and_the_others_are_mended(template: Template, site: Site) -> None:
    flip(site.folder("A1") / layout.TAG_MANIFEST, 5)
    flip(site.volumes("A2")[0], 5)
    site.drives["A1"] = _Unlistable(site.drives["A1"], Orders())
    report = mended(site)
    assert [item.drive for item in report.mended] == ["A2"]
    assert {item.drive for item in report.left} == {"A1"}
    assert_as_packed(template, site, "A2")


class _Crowded(FaultyDrive):
    """A drive with 200,000 files that are not ours, and none of them is worth a look."""

    num_opened = 0

    def names(self) -> Iterator[str]:
        yield from super().names()
        yield from (f"packtrain/holiday-{number}" for number in range(200_000))

    def open_reader(self, name: str, *, past_cache: bool = False) -> DriveReader:
        self.num_opened += name.startswith("packtrain/holiday-")
        return super().open_reader(name, past_cache=past_cache)


def test_strange_files_on_a_drive_without_its_tag_manifest_are_neither_held_nor_hashed(site: Site) -> None:
    flip(site.folder("A1") / layout.TAG_MANIFEST, 5)
    crowded = site.drives["A1"] = _Crowded(site.drives["A1"], Orders())
    with memory_below(8 * MIB):
        report = mended(site)
    assert "tagmanifest-sha256.txt is not as the signed closing record says" in left(report)
    assert crowded.num_opened == 0


def test_strange_files_on_a_spare_are_not_held(site: Site) -> None:
    spare = _Crowded(empty(site.root / "spare"), Orders())
    with memory_below(8 * MIB), pytest.raises(ForeignDrive, match="not empty") as caught:
        spare_for(site, "A1", spare)
    assert caught.value.found == "packtrain/holiday-0, packtrain/holiday-1, " + (
        "packtrain/holiday-10, packtrain/holiday-100, packtrain/holiday-1000, ..."
    )


@pytest.mark.root
def test_a_drive_mounted_read_only_is_one_clear_message(site: Site, tmp_path: Path) -> None:
    for path in site.volumes("A1"):
        flip(path, 5)
    mount = tmp_path / "mounted"
    mount.mkdir()
    if subprocess.run(["mount", "--bind", site.folder("A1"), mount], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", mount], check=True)
        site.drives["A1"] = DirectoryDrive(mount)
        report = mended(site)
    finally:
        subprocess.run(["umount", mount], check=True)
    assert len(report.left) == 1
    assert "drive is mounted read-only" in left(report)
    assert "--onto" in left(report)


def test_a_drive_that_returns_other_bytes_than_were_written_is_not_called_mended(site: Site) -> None:
    victim = site.volumes("A1")[0]
    flip(victim, 5)
    site.drives["A1"] = FaultyDrive(site.drives["A1"], Orders(flip_on_read={f"data/{victim.name}": 5}))
    flip(victim, 5)
    report = mended(site)
    assert report.mended == ()
    assert "do not trust it, repair onto a spare" in left(report)


class _Killed(Exception):
    pass


def _steps_of(site: Site, run: str, tmp_path: Path) -> int:
    steps = 0

    def count(name: str) -> None:
        nonlocal steps
        steps += 1

    durable.observe_steps(count)
    try:
        _run(site, run, tmp_path)
    finally:
        durable.observe_steps(None)
    return steps


def _run(site: Site, run: str, tmp_path: Path) -> MendReport:
    return mended(site) if run == "in place" else spare_for(site, "A1", empty(tmp_path / "spare"))


def _hurt(site: Site) -> None:
    flip(site.volumes("A1")[0], 5)
    site.volumes("A1")[1].unlink()
    flip(site.folder("A1") / layout.TAG_MANIFEST, 5)
    flip(next((site.folder("A1") / "packtrain/blocks").iterdir()), 3)


@pytest.mark.parametrize("run", ["in place", "onto a spare"])
def test_killed_at_any_durable_step_and_run_again_it_ends_the_same(
    template: Template, tmp_path: Path, run: str
) -> None:
    counted = copy_site(template, tmp_path / "counted")
    _hurt(counted)
    total = _steps_of(counted, run, tmp_path / "counted")
    assert total > 12
    for step in range(0, total, max(1, total // 12)):
        root = tmp_path / f"at-{step}"
        site = copy_site(template, root)
        _hurt(site)
        seen = 0

        def die(name: str, at: int = step) -> None:
            nonlocal seen
            seen += 1
            if seen > at:
                raise _Killed(name)

        durable.observe_steps(die)
        with pytest.raises(_Killed):
            _run(site, run, root)
        durable.observe_steps(None)
        assert left(_run(site, run, root)) == ""
        if run == "in place":
            assert_as_packed(template, site)
        else:
            assert files(root / "spare") == files(template[0].folder("A1"))
        shutil.rmtree(root)


# --- onto a spare ---


def test_a_damaged_drive_becomes_whole_on_a_spare_and_stays_as_it_is(template: Template, site: Site) -> None:
    _hurt(site)
    before = files(site.folder("A1"))
    report = spare_for(site, "A1", empty(site.root / "spare"))
    assert left(report) == ""
    assert report.target == str(site.root / "spare")
    assert {item.how for item in report.mended if item.name.startswith("data/")} <= {"rebuilt", "copied"}
    assert files(site.root / "spare") == files(template[0].folder("A1"))
    assert files(site.folder("A1")) == before
    site.drives["A1"] = DirectoryDrive(site.root / "spare")
    assert scrub(list(site.drives.values()), site.trust, discard).verdict == "whole"
    site.load()
    site.assert_loaded()


def test_the_good_blocks_of_a_dying_drive_count_where_the_others_do_not_suffice(template: Template, site: Site) -> None:
    site.lose("B1", "B2")
    assert left(spare_for(site, "A1", empty(site.root / "spare"))) == ""
    assert files(site.root / "spare") == files(template[0].folder("A1"))


def test_a_copy_of_the_small_files_of_a_lost_drive_is_enough(template: Template, site: Site) -> None:
    for path in site.volumes("A1"):
        path.unlink()
    assert left(spare_for(site, "A1", empty(site.root / "spare"))) == ""
    assert files(site.root / "spare") == files(template[0].folder("A1"))


def test_a_lost_drive_of_which_nobody_has_the_closing_record_is_said(site: Site) -> None:
    site.lose("A1")
    with pytest.raises(DriveMissing, match="A1 is not among the drives") as caught:
        spare_for(site, "A1", empty(site.root / "spare"))
    assert "pack --replace" in str(caught.value.hint)
    assert files(site.root / "spare") == {}


def test_a_drive_with_a_damaged_closing_record_is_said(site: Site) -> None:
    flip(site.folder("A1") / layout.DRIVE, 100)
    with pytest.raises(IntegrityError, match="signed closing record cannot be used"):
        spare_for(site, "A1", empty(site.root / "spare"))


@pytest.mark.parametrize("name", ["holiday.jpg", "packtrain/plan.json", "data/0000000-00.tar.age"])
def test_a_spare_that_is_not_empty_is_refused_and_not_touched(site: Site, name: str) -> None:
    spare = site.root / "spare"
    (spare / name).parent.mkdir(parents=True)
    (spare / name).write_bytes(b"x")
    with pytest.raises(ForeignDrive, match="not empty"):
        spare_for(site, "A1", DirectoryDrive(spare))
    assert files(spare) == {name: b"x"}


def test_another_drive_of_the_shipment_is_no_spare(site: Site) -> None:
    spare = site.drives.pop("B1")
    with pytest.raises(ForeignDrive, match="not empty"):
        spare_for(site, "A1", spare)


def test_the_drive_itself_is_no_spare(site: Site) -> None:
    with pytest.raises(DuplicateDrive):
        spare_for(site, "A1", DirectoryDrive(site.folder("A1")))


class _SmallDrive(FaultyDrive):
    def free_bytes(self) -> int:
        return 1000


def test_a_spare_that_is_too_small_is_refused_before_the_first_byte(site: Site) -> None:
    with pytest.raises(DriveFull, match="too small"):
        spare_for(site, "A1", _SmallDrive(empty(site.root / "spare"), Orders()))
    assert files(site.root / "spare") == {}


def test_a_spare_that_fills_up_is_said_and_goes_on_when_there_is_room(template: Template, site: Site) -> None:
    spare = empty(site.root / "spare")
    report = spare_for(site, "A1", FaultyDrive(spare, Orders(full_after_bytes=900_000)))
    assert "no space left" in left(report)
    assert not (site.root / "spare" / layout.DRIVE).exists()
    assert left(spare_for(site, "A1", spare)) == ""
    assert files(site.root / "spare") == files(template[0].folder("A1"))


# --- drives of another attempt among them ---


@pytest.mark.parametrize("onto_spare", [True, False])
def test_the_shipment_document_of_another_attempt_is_not_copied(
    template: Template, other_attempt: Template, site: Site, onto_spare: bool
) -> None:
    drives: list[Drive] = [DirectoryDrive(other_attempt[0].folder("B1")), *site.drives.values()]
    flip(site.folder("A1") / layout.SHIPMENT, 5)
    if onto_spare:
        mend_onto(drives, "A1", empty(site.root / "spare"), site.trust, discard)
        assert files(site.root / "spare") == files(template[0].folder("A1"))
    else:
        mend(drives, site.trust, discard, plan=template[0].plan)
        assert_as_packed(template, site)


def test_the_shipment_document_of_another_attempt_is_replaced(
    template: Template, other_attempt: Template, site: Site
) -> None:
    for name in (layout.SHIPMENT, layout.SHIPMENT + layout.SIGNATURE_SUFFIX):
        shutil.copy(other_attempt[0].folder("A1") / name, site.folder("A1") / name)
    assert left(mended(site)) == ""
    assert_as_packed(template, site)


def test_of_two_drives_with_one_label_none_is_chosen(other_attempt: Template, site: Site) -> None:
    drives: list[Drive] = [DirectoryDrive(other_attempt[0].folder("A1")), *site.drives.values()]
    with pytest.raises(ForeignDrive, match="two drives A1 are here"):
        mend_onto(drives, "A1", empty(site.root / "spare"), site.trust, discard)
    assert files(site.root / "spare") == {}
