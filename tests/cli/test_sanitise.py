"""`packtrain drives sanitise` on loop devices that hold packed drives, as root: no other device is ever touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from command_parts import Ran, Site, copy_site, done, pack, packtrain
from erasing_parts import PERSON, SIZE_BYTES, Packed, content, packed_drive
from loop_drives import mounted
from packtrain.diligence.sanitised import keep_sanitisation, read_sanitisations
from packtrain.documents.closing import Closing
from packtrain.documents.sanitisation import Sanitisation
from packtrain.errors import DriveInUse
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.units import MIB
from packtrain.voyage import Voyage

pytestmark = [pytest.mark.slow, pytest.mark.root]


@pytest.fixture(scope="module")
def template(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a packed and sealed voyage, to be copied."""
    site = copy_site(at_home, tmp_path_factory.mktemp("sealed"))
    pack(site)
    done("carry", "seal", "--voyage", site.home)
    return site


@pytest.fixture
def site(template: Site, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


@pytest.fixture
def drive(site: Site, tmp_path: Path) -> Iterator[Packed]:
    with packed_drive(site, "a1", tmp_path / "devices") as drive:
        yield drive


def record_of(drive: Packed) -> Sanitisation:
    """Return the newest record, its signature checked."""
    return read_sanitisations(VoyageFolder(drive.site.home))[-1].record


def is_empty(drive: Packed) -> bool:
    return not any(content(drive.device))


@pytest.mark.parametrize("method", ["overwrite", "zeroout", "discard"])
def test_an_erased_drive_is_empty_and_its_record_says_what_ran(drive: Packed, method: str) -> None:
    before = content(drive.device)
    assert b"age-encryption.org" in before

    ran = drive.sanitise("--method", method)

    assert ran.exit_code == 0, ran.stderr
    assert is_empty(drive)
    record = record_of(drive)
    assert (record.result, record.method, record.person, record.label) == ("Clear", method, PERSON, "A1")
    assert record.known_by == "closing record"
    assert record.device.size_bytes == len(before)
    read = record.read_back
    assert read is not None
    assert (read.pattern, read.num_faults, read.num_headers_left, read.past_cache) == ("00", 0, 0, "direct")
    assert read.num_headers > 0
    assert read.read_bytes == len(before)
    if method == "overwrite":
        assert [step.argv for step in record.steps] == [(), ()]
    else:
        assert record.steps[0].argv[0].endswith("blkdiscard")
        assert record.steps[0].argv[-1] == str(drive.device)
        assert "util-linux" in record.steps[0].tool
    assert any("no Purge" in limit for limit in record.limits)


def test_the_last_entry_of_the_custody_log_says_erased_and_closing_takes_the_record(drive: Packed) -> None:
    assert drive.sanitise().exit_code == 0
    done("close", drive.site.home, "--without-results", "--yes")

    folder = VoyageFolder(drive.site.home)
    last = json.loads((folder.documents / "custody.jsonl").read_text().splitlines()[-1])
    entry = json.loads(last["entry"])
    (signed,) = read_sanitisations(folder)
    assert (entry["verb"], entry["by"], entry["drives"]) == ("erased", "consignor", [signed.record.drive])
    assert signed.digest in entry["note"]
    closing = folder.read_signed(Closing)
    became = {each.label: (each.sanitisation, each.record) for each in closing.drives}
    assert became["A1"] == ("Clear", signed.digest)
    assert became["A2"] == ("not sanitised", None)


def test_drives_go_one_wave_after_another_also_after_closing(site: Site, tmp_path: Path) -> None:
    with packed_drive(site, "a1", tmp_path / "one") as first, packed_drive(site, "b1", tmp_path / "two") as second:
        assert first.sanitise().exit_code == 0
        done("close", site.home, "--without-results", "--yes")
        assert second.sanitise().exit_code == 0
        ran = done("close", site.home, "--without-results", "--yes")
    assert "up to date" not in ran.stderr
    closing = VoyageFolder(site.home).read_signed(Closing)
    assert [each.label for each in closing.drives if each.sanitisation == "Clear"] == ["A1", "B1"]


# --- what is refused, before the first byte --------------------------------------------------------------------------


def refused(drive: Packed, ran: Ran, exit_code: int, words: str) -> None:
    assert ran.exit_code == exit_code, ran.stderr
    assert words in ran.stderr
    assert drive.records() == []


def test_a_mounted_drive_is_refused(drive: Packed, tmp_path: Path) -> None:
    with mounted(drive.device, tmp_path / "here"):
        refused(drive, drive.sanitise(), 37, "drive is mounted")
    assert b"age-encryption.org" in content(drive.device)


def test_a_mount_point_is_refused_and_the_device_is_named(drive: Packed, tmp_path: Path) -> None:
    with mounted(drive.device, tmp_path / "here") as point:
        ran = Packed(drive.site, point, "A1").sanitise()
    refused(drive, ran, 37, "a drive is mounted here")


def test_the_disk_that_the_system_runs_from_is_refused(drive: Packed) -> None:
    # The device of / itself, where this machine has one: refused by what it is, whatever was typed.
    found = subprocess.run(["findmnt", "-n", "-o", "SOURCE", "/"], capture_output=True, text=True, check=False)
    source = found.stdout.strip()
    if not source.startswith("/dev/"):
        pytest.skip(f"/ lies on no device: {source}")
    refused(drive, Packed(drive.site, Path(source), "A1").sanitise(), 37, "never erased")


def test_another_label_than_the_drives_is_refused(drive: Packed) -> None:
    refused(drive, drive.sanitise(label="A2"), 2, "'A2' is not the label of this drive, A1")
    refused(drive, drive.sanitise(typed="yes\n"), 2, "'yes' is not the label")
    assert b"age-encryption.org" in content(drive.device)


def test_the_typed_label_erases(drive: Packed) -> None:
    assert drive.sanitise(typed="A1\n").exit_code == 0
    assert is_empty(drive)


def test_a_drive_of_another_shipment_is_refused(drive: Packed, at_home: Site, tmp_path: Path) -> None:
    other = copy_site(at_home, tmp_path / "other")
    pack(other)
    refused(drive, Packed(other, drive.device, "A1").sanitise(), 33, "not one of this shipment")
    assert b"age-encryption.org" in content(drive.device)


def test_a_drive_of_nobody_and_a_blank_one_are_refused(drive: Packed) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-F", drive.device], check=True, capture_output=True)
    refused(drive, drive.sanitise(), 33, "nothing shows that this is a drive of this shipment")
    with drive.device.open("r+b") as stream:
        stream.write(bytes(2 * MIB))
    refused(drive, drive.sanitise(), 33, "nothing in its first bytes")


def test_a_closing_record_that_another_hand_signed_is_refused(drive: Packed, tmp_path: Path) -> None:
    with mounted(drive.device, tmp_path / "here") as point:
        path = point / "packtrain" / "drive.json"
        path.write_bytes(path.read_bytes().replace(b'"label":"A1"', b'"label":"A9"'))
    assert drive.sanitise(label="A9").exit_code == 51
    assert drive.records() == []


def lose(*command: object) -> None:
    """Run losetup."""
    done = subprocess.run(["losetup", *map(str, command)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_drive_that_takes_the_place_of_another_while_a_person_reads_is_left_alone(
    drive: Packed, tmp_path: Path
) -> None:
    other = tmp_path / "devices" / "other.img"
    other.write_bytes(b"precious" * (SIZE_BYTES // 8))

    def swap(label: str, told: Sequence[str]) -> None:
        assert label == "A1" and told
        lose("--detach", drive.device)
        lose(drive.device, other)

    voyage = Voyage(drive.site.home, discard)
    with pytest.raises(DriveInUse, match="another drive"):
        voyage.sanitise(drive.device, PERSON, swap, without_results=True)

    assert content(drive.device) == b"precious" * (SIZE_BYTES // 8)
    assert drive.records() == []


def test_a_blank_drive_is_not_taken_for_one_whose_run_was_cut_off_before_its_first_write(drive: Packed) -> None:
    killed = drive.sanitise_killed("durable run.json")
    assert killed.returncode == -signal.SIGKILL
    assert b"age-encryption.org" in content(drive.device)
    # Another one of the same make, which shows no serial number of its own either, as behind many USB bridges.
    with drive.device.open("r+b") as stream:
        stream.write(bytes(SIZE_BYTES))

    ran = drive.sanitise()

    refused(drive, ran, 33, "nothing in its first bytes")


def test_a_drive_on_which_somebody_keeps_other_things_is_refused(drive: Packed, tmp_path: Path) -> None:
    with mounted(drive.device, tmp_path / "here"):
        (tmp_path / "here" / "System Volume Information").mkdir()
        (tmp_path / "here" / "thesis.odt").write_text("years of work")
    before = content(drive.device)
    ran = drive.sanitise()
    assert ran.exit_code == 94, ran.stderr
    assert "thesis.odt" in ran.stderr and "System Volume" not in ran.stderr
    assert content(drive.device) == before
    with mounted(drive.device, tmp_path / "here"):
        (tmp_path / "here" / "thesis.odt").unlink()
    assert drive.sanitise().exit_code == 0


def test_while_results_may_still_come_home_nothing_is_erased(drive: Packed) -> None:
    ran = packtrain(
        "drives", "sanitise", drive.device, "--voyage", drive.site.home, "--person", PERSON, "--yes-erase", "A1"
    )
    refused(drive, ran, 91, "the results have not come home")
    assert b"age-encryption.org" in content(drive.device)


def test_who_does_it_must_be_named(drive: Packed) -> None:
    ran = packtrain("drives", "sanitise", drive.device, "--voyage", drive.site.home, "--yes-erase", "A1")
    refused(drive, ran, 2, "--person is missing")


# --- what does not do what it says -----------------------------------------------------------------------------------


@pytest.fixture
def lying_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a blkdiscard first in PATH that does nothing and says that all is well."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "blkdiscard").write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'blkdiscard from nobody'\nexit 0\n")
    (tools / "blkdiscard").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("lying_tool")
def test_reading_back_catches_a_tool_that_lies(drive: Packed) -> None:
    ran = drive.sanitise("--method", "zeroout")

    assert ran.exit_code == 95, ran.stderr
    record = record_of(drive)
    assert (record.result, record.steps[0].exit_status, record.steps[0].tool) == (
        "not sanitised",
        0,
        "blkdiscard from nobody",
    )
    read = record.read_back
    assert read is not None and read.first_fault is not None
    assert read.num_headers_left == read.num_headers > 0
    found = content(drive.device)
    at, first = read.first_fault.offset, bytes.fromhex(read.first_fault.found)
    assert found[at : at + len(first)] == first
    log = (drive.site.home / "documents" / "custody.jsonl").read_text()
    assert '\\"erased\\"' not in log
    done("close", drive.site.home, "--without-results", "--yes")
    closing = VoyageFolder(drive.site.home).read_signed(Closing)
    assert {each.sanitisation for each in closing.drives} == {"not sanitised"}


@pytest.mark.usefixtures("lying_tool")
def test_after_a_lie_another_method_finds_the_same_drive_again(drive: Packed) -> None:
    assert drive.sanitise("--method", "zeroout").exit_code == 95
    assert drive.sanitise("--method", "overwrite").exit_code == 0
    assert is_empty(drive)
    assert record_of(drive).result == "Clear"
    assert record_of(drive).known_by == "closing record"


@pytest.mark.usefixtures("lying_tool")
def test_a_blank_drive_in_the_place_of_one_that_failed_is_not_taken_for_it(drive: Packed) -> None:
    # Without serial numbers nothing else tells them apart: the one that failed still holds its data, and the mark.
    assert drive.sanitise("--method", "zeroout").exit_code == 95
    with drive.device.open("r+b") as stream:
        stream.write(bytes(48 * MIB))
    subprocess.run(["blockdev", "--flushbufs", drive.device], check=False)
    ran = drive.sanitise("--method", "overwrite")
    assert ran.exit_code != 0
    assert "nothing shows that this is a drive of this shipment" in ran.stderr
    assert {each.record.result for each in read_sanitisations(VoyageFolder(drive.site.home))} == {"not sanitised"}


def test_a_command_that_fails_leaves_the_drive_not_sanitised(
    drive: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blkdiscard").write_text("#!/bin/sh\necho 'BLKDISCARD ioctl failed: Operation not supported'\nexit 1\n")
    (tmp_path / "blkdiscard").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    ran = drive.sanitise("--method", "discard")
    assert ran.exit_code == 94
    record = record_of(drive)
    assert record.result == "not sanitised"
    assert "Operation not supported" in record.why


def test_a_secure_discard_that_a_device_does_not_know_fails_and_says_so(drive: Packed) -> None:
    ran = drive.sanitise("--method", "secure-discard")
    assert ran.exit_code == 94
    assert "BLKSECDISCARD" in record_of(drive).steps[0].detail
    assert record_of(drive).result == "not sanitised"


def test_a_device_that_stops_taking_writes_is_not_sanitised(site: Site, tmp_path: Path) -> None:
    # A thin device that runs full: what it has no room for, it refuses to write, zeros too.
    small = tmp_path / "small"
    small.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode().strip()}")
    try:
        with packed_drive(site, "a1", small) as drive:
            ran = drive.sanitise()
            assert ran.exit_code in (94, 95), ran.stderr
            record = record_of(drive)
            assert record.result == "not sanitised"
            assert "could not be written" in record.why or "flush failed" in record.why
    finally:
        subprocess.run(["umount", small], check=False)


# --- cut off ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "method"),
    [
        ("overwritten to ", "overwrite"),
        ("ran blkdiscard", "zeroout"),
        ("durable run.json", "overwrite"),
        ("written custody.jsonl", "overwrite"),
    ],
)
def test_killed_at_any_step_a_second_run_finishes(drive: Packed, step: str, method: str) -> None:
    killed = drive.sanitise_killed(step, "--method", method)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = drive.records()

    ran = drive.sanitise("--method", method)

    folder = VoyageFolder(drive.site.home)
    assert ran.exit_code == 0, ran.stderr
    assert is_empty(drive)
    assert {each.record.result for each in read_sanitisations(folder)} == {"Clear"}
    assert record_of(drive).known_by == "closing record"
    log = [json.loads(json.loads(line)["entry"]) for line in (folder.documents / "custody.jsonl").open()]
    assert log[-1]["verb"] == "erased"
    assert not list((drive.site.home / "work" / "sanitise").glob("*/run.json"))
    # Cut off before its signature, a run leaves no record; cut off after it, the record says what ran.
    assert len(before) == (1 if step.startswith("written custody") else 0)


def test_a_half_erased_drive_bears_a_mark_and_goes_on_where_it_was(drive: Packed) -> None:
    drive.sanitise_killed("overwritten to ")
    assert content(drive.device).startswith(b"packtrain is erasing this drive and has not finished")

    assert drive.sanitise().exit_code == 0

    assert "cut off: from byte" in record_of(drive).steps[0].detail
    assert is_empty(drive)


# --- a folder, and a plan --------------------------------------------------------------------------------------------


def test_a_folder_that_plays_a_drive_is_emptied_and_called_not_sanitised(site: Site) -> None:
    drive = Packed(site, site.drive("b2"), "B2")
    ran = drive.sanitise()
    assert ran.exit_code == 0, ran.stderr
    assert "NOT SANITISED" in ran.stdout
    assert list(site.drive("b2").iterdir()) == []
    assert record_of(drive).result == "not sanitised"
    # The printed certificate says what was done, and not what is done to a device.
    done("close", "--without-results", "--yes", site.home)
    packtrain("papers", site.home)
    certificate = (site.home / "papers" / "sanitisation-certificate.html").read_text()
    assert "files removed by packtrain" in certificate
    assert "zeros written" not in certificate


def test_a_folder_with_other_things_is_left_alone(site: Site) -> None:
    (site.drive("b2") / "thesis.odt").write_text("years")
    drive = Packed(site, site.drive("b2"), "B2")
    refused(drive, drive.sanitise(), 94, "other things lie in this folder")
    assert (site.drive("b2") / "packtrain" / "drive.json").exists()


def test_a_plan_runs_nothing_and_says_that_nothing_ran(drive: Packed) -> None:
    before = content(drive.device)
    ran = packtrain("drives", "sanitise", drive.device, "--plan")
    assert ran.exit_code == 0, ran.stderr
    assert "NOT SANITISED" in ran.stdout
    assert content(drive.device) == before
    assert drive.records() == []


def test_two_runs_do_not_meet_on_one_drive(drive: Packed) -> None:
    with drive.device.open("r+b") as stream:
        descriptor = os.open(drive.device, os.O_RDWR | os.O_EXCL)
        try:
            refused(drive, drive.sanitise(), 37, "holds this device")
        finally:
            os.close(descriptor)
        assert b"age-encryption.org" in stream.read()


@pytest.mark.usefixtures("lying_tool")
def test_a_clock_that_stands_before_the_last_record_is_refused(drive: Packed) -> None:
    # The newest record says what holds: one of today beside one of tomorrow would not.
    assert drive.sanitise("--method", "zeroout").exit_code == 95
    folder = VoyageFolder(drive.site.home)
    later = replace(record_of(drive), finished="2999-01-01T00:00:00Z")
    keep_sanitisation(folder, later, folder.signer())
    before = content(drive.device)
    ran = drive.sanitise("--method", "overwrite")
    assert ran.exit_code == 94
    assert "the clock of this machine stands before" in ran.stderr
    assert content(drive.device) == before
