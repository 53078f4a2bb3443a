"""Verifying drives with no key: every fault is listed, and whether the code survives it."""

from pathlib import Path

import pytest

from load_parts import Site, copy_site, flip, pack_template, resign_group
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import namespace
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.errors import DuplicateDrive
from packtrain.events import Progress, discard
from packtrain.record.trust import Trust
from packtrain.stages.check import check
from packtrain.volume import layout
from packtrain.volume import scrub as scrub_module
from packtrain.volume.scrub import scrub
from packtrain.volume.scrub_report import ScrubReport
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_signer

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def scrubbed(site: Site, *, has_trust: bool = True, has_plan: bool = False) -> ScrubReport:
    trust: Trust | None = site.trust if has_trust else None
    plan = site.packing.plan if has_plan else None
    return scrub(list(site.drives.values()), trust, site.events.append, plan=plan)


def test_of_a_drive_full_of_strange_names_the_first_are_named_and_the_others_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub_module, "_NAMED", 3)
    for number in range(50):
        (site.folder("A1") / f"x{number:02d}").write_bytes(b"")
    found = next(drive.findings for drive in scrubbed(site).drives if drive.label == "A1")
    assert found == ("unknown file x00", "unknown file x01", "unknown file x02", "unknown file names: 47 more")


def test_a_name_on_a_drive_cannot_add_lines_to_the_report(site: Site) -> None:
    (site.folder("A1") / "x\nundamaged: 9 stripes\x1b[2J").write_bytes(b"")
    found = next(drive.findings for drive in scrubbed(site).drives if drive.label == "A1")
    assert found == (r"unknown file x\nundamaged: 9 stripes\x1b[2J",)


def findings(report: ScrubReport) -> str:
    return "\n".join(finding for drive in report.drives for finding in drive.findings)


@pytest.mark.parametrize("has_trust", [True, False])
def test_undamaged_drives_are_whole(site: Site, has_trust: bool) -> None:
    report = scrubbed(site, has_trust=has_trust)
    assert findings(report) == ""
    assert (report.verdict, report.damage, report.missing) == ("whole", (), ())
    assert report.has_signatures_checked == has_trust
    assert sum(drive.num_volumes for drive in report.drives) == site.written.num_volumes
    assert sum(drive.volume_bytes for drive in report.drives) == site.written.stored_bytes
    last = [event for event in site.events if isinstance(event, Progress)][-1]
    assert last.done_bytes == last.total_bytes == site.written.stored_bytes


def test_all_damage_is_listed_by_drive_volume_and_block(site: Site) -> None:
    hurt = [(label, path) for label in ("A1", "B2") for path in site.volumes(label)]
    for _, path in hurt:
        flip(path, 100)
    report = scrubbed(site)
    assert {(d.drive, d.volume, d.first_block) for d in report.damage} == {
        (label, f"data/{path.name}", 0) for label, path in hurt
    }
    assert report.num_damaged_blocks == len(hurt)
    assert report.verdict == "repairable"


def test_damage_beyond_the_code_is_said_by_stripes(site: Site) -> None:
    for label in ("A1", "A2", "B1"):
        for path in site.volumes(label):
            if path.name.startswith("0000000"):
                flip(path, 100)
    report = scrubbed(site)
    assert (report.num_damaged_stripes, report.num_lost_stripes, report.verdict) == (1, 1, "beyond repair")


def test_more_damage_than_m_in_different_blocks_of_a_stripe_is_repairable(tmp_path: Path) -> None:
    template = pack_template(
        tmp_path / "home", {"a": 2_900_000, "b": 2_900_000}, target_bytes=3_000_000, cases=(1, 1, 1), groups=((2, 1),)
    )
    site = copy_site(template, tmp_path / "site")
    for offset, label in zip((0, 1 << 20, 2 << 20), site.drives, strict=True):
        flip(site.volumes(label)[0], offset)
    assert scrubbed(site).verdict == "repairable"
    site.load()
    site.assert_loaded()


def test_missing_drives_are_named_and_not_judged(site: Site) -> None:
    site.lose("A1", "A2", "B1")
    report = scrubbed(site)
    assert (report.verdict, report.missing) == ("whole", ("A1", "A2", "B1"))


def test_an_unknown_file_is_listed(site: Site) -> None:
    (site.folder("A1") / "autorun.inf").write_bytes(b"")
    (site.folder("A1") / "data" / "0000000-09.parity").write_bytes(b"x")
    report = scrubbed(site)
    assert "unknown file autorun.inf" in findings(report)
    assert "unknown file data/0000000-09.parity" in findings(report)
    assert report.verdict == "repairable"


@pytest.mark.parametrize("name", [layout.README, layout.CATALOG, layout.CUSTODY, layout.SPEC])
def test_a_damaged_tag_file_that_no_load_relies_on_is_listed_and_the_drive_stays_usable(site: Site, name: str) -> None:
    flip(site.folder("A1") / name, 20)
    report = scrubbed(site)
    assert f"{name} differs from the tag manifest" in findings(report)
    assert report.drives[0].is_usable


def test_a_tag_file_with_a_hole_of_terabytes_is_a_finding_and_is_not_hashed(site: Site) -> None:
    with (site.folder("A1") / layout.SPEC).open("r+b") as stream:
        stream.truncate(1 << 40)
    assert f"{layout.SPEC} is longer than it can be" in findings(scrubbed(site))


def test_a_drive_with_a_tampered_manifest_counts_as_lost(site: Site) -> None:
    flip(site.folder("A1") / layout.MANIFEST, 0)
    report = scrubbed(site)
    assert not report.drives[0].is_usable
    assert "manifest-sha256.txt is not as the signed closing record says" in findings(report)
    assert report.num_damaged_stripes == report.num_stripes
    assert report.verdict == "repairable"


def test_three_unusable_drives_of_four_are_beyond_repair(site: Site) -> None:
    for label in ("A1", "B1"):
        flip(site.folder(label) / layout.MANIFEST, 0)
    flip(site.folder("B2") / layout.DRIVE, 20)
    assert scrubbed(site).verdict == "beyond repair"


def test_a_strangers_signature_shows_only_where_trust_is_given(site: Site, tmp_path: Path) -> None:
    stranger = make_signer(tmp_path / "stranger")
    path = site.folder("A1") / layout.DRIVE
    path.with_name("drive.json.sig").write_text(stranger.sign(namespace(DriveRecord), path.read_bytes()))
    assert "does not name for it" in findings(scrubbed(site))
    assert findings(scrubbed(site, has_trust=False)) == ""


def test_a_folder_that_is_no_drive_is_a_finding(site: Site, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    site.drives["photos"] = DirectoryDrive(tmp_path / "photos")
    assert "not a packtrain drive" in findings(scrubbed(site))


def test_where_no_drive_can_be_used_nothing_is_called_repairable(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    report = check(None, [DirectoryDrive(tmp_path / "photos")], discard)
    assert (report.scrub.verdict, report.exit_code) == ("beyond repair", 41)
    assert "rebuilt" not in report.text()


def test_an_altered_volume_with_a_block_list_altered_to_fit_it_is_lost_as_a_whole(site: Site) -> None:
    victim = site.volumes("A1")[0]
    payload = bytearray(victim.read_bytes())
    payload[9] ^= 1
    lists = site.folder("A1") / "packtrain/blocks" / (victim.name.split(".")[0] + ".xxh3")
    before = lists.read_bytes()
    resign_group(site, {victim: bytes(payload)})
    assert lists.read_bytes() != before
    report = scrubbed(site)
    assert [d.first_block for d in report.damage] == [None]
    assert "tag manifest" in findings(report)


def test_bytes_after_the_end_of_a_volume_are_a_finding(site: Site) -> None:
    with site.volumes("A1")[0].open("ab") as stream:
        stream.write(b"hidden")
    assert "has 6 bytes after its end" in findings(scrubbed(site))


def test_the_same_folder_twice_is_refused(site: Site) -> None:
    with pytest.raises(DuplicateDrive):
        scrub([site.drives["A1"], DirectoryDrive(site.folder("A1"))], None, discard)


def test_a_scrub_changes_nothing(site: Site) -> None:
    before = {path: path.stat().st_mtime_ns for path in site.root.rglob("*")}
    scrubbed(site)
    assert {path: path.stat().st_mtime_ns for path in site.root.rglob("*")} == before


def test_what_may_still_be_lost_is_computed_from_what_was_found(site: Site) -> None:
    (group,) = scrubbed(site).groups
    assert (group.k, group.m, group.more_drives, group.more_cases) == (2, 2, 2, 1)
    assert "every stripe" in str(group)
    assert "any 2 more drives, or any one more case, may be lost" in str(group)
    flip(site.volumes("A1")[0], 100)
    (group,) = scrubbed(site).groups
    assert (group.more_drives, group.more_cases) == (1, 0)


def test_drives_that_are_not_here_count_as_lost_in_the_outlook_and_not_in_the_verdict(site: Site) -> None:
    site.lose("A1", "A2")
    report = scrubbed(site)
    (group,) = report.groups
    assert (group.not_here, group.more_drives, group.more_cases) == (("A1", "A2"), 0, 0)
    assert "A1, A2 counted as lost); no further loss of a drive is survivable" in str(group)
    site.lose("B1")
    (group,) = scrubbed(site).groups
    assert group.num_provable_stripes < group.num_stripes
    assert report.verdict == "whole"


def test_damage_in_different_rows_of_a_stripe_does_not_add_up_in_the_outlook(tmp_path: Path) -> None:
    template = pack_template(
        tmp_path / "home", {"a": 2_900_000, "b": 2_900_000}, target_bytes=3_000_000, cases=(1, 1, 1, 1),
        groups=((2, 2),),
    )  # fmt: skip
    site = copy_site(template, tmp_path / "site")
    for offset, label in zip((0, 1 << 20, 2 << 20), ("A1", "B1", "C1"), strict=True):
        flip(site.volumes(label)[0], offset)
    (group,) = scrubbed(site).groups
    assert (group.more_drives, group.more_cases) == (1, 1)


def test_drives_whose_packing_was_cut_off_are_open_and_not_beyond_repair(site: Site) -> None:
    for label in ("A1", "B2"):
        for name in (layout.DRIVE, layout.DRIVE + ".sig", layout.SHIPMENT, layout.SHIPMENT + ".sig"):
            (site.folder(label) / name).unlink()
    for label in ("A2", "B1"):
        (site.folder(label) / layout.SHIPMENT).unlink()
    report = check(None, list(site.drives.values()), discard)
    assert (report.scrub.verdict, report.exit_code) == ("open", 38)
    assert [drive.is_open for drive in report.scrub.drives] == [True, False, False, True]
    assert "2 of 4 drives are open" in report.text()
    assert 'run "packtrain pack" again' in report.text()


def test_a_drive_without_its_closing_record_is_not_open_once_a_shipment_document_exists(site: Site) -> None:
    (site.folder("A1") / layout.DRIVE).unlink()
    report = scrubbed(site)
    assert not report.drives[0].is_open
    assert "the signed closing record: the drive counts as lost" in findings(report)
    assert (report.verdict, report.num_damaged_stripes) == ("repairable", report.num_stripes)


def test_all_damage_of_a_volume_without_its_block_list_is_found_in_one_reading(site: Site) -> None:
    victim = site.volumes("A1")[0]
    (site.folder("A1") / "packtrain/blocks" / (victim.name.split(".")[0] + ".xxh3")).unlink()
    report = scrubbed(site)
    assert (report.damage, report.verdict) == ((), "repairable")
    last = [event for event in site.events if isinstance(event, Progress)][-1]
    assert last.done_bytes == last.total_bytes
