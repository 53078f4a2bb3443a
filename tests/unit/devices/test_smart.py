"""Reading smartctl. The answers in tests/vectors/smartctl are written by hand, not recorded: see the README there."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.devices.smart import SmartReport, ask_drive, parse_smartctl

VECTORS = Path(__file__).parents[2] / "vectors" / "smartctl"


def report(name: str) -> SmartReport:
    return parse_smartctl((VECTORS / f"{name}.json").read_bytes())


def test_a_healthy_disk_has_nothing_to_warn_of() -> None:
    healthy = report("ata-healthy")
    assert (healthy.health, healthy.protocol, healthy.serial) == ("passed", "ATA", "9LG0ABCD")
    assert (healthy.temperature_celsius, healthy.power_on_hours, healthy.rotation_rate) == (33, 12034, 5400)
    assert (healthy.num_reallocated, healthy.num_pending, healthy.num_uncorrectable) == (0, 0, 0)
    assert healthy.warnings() == []
    assert healthy.text() == "passed, 33 °C, 12,034 h"


def test_a_failing_disk_says_so_first_and_counts_its_bad_sectors() -> None:
    failing = report("ata-failing")
    assert failing.health == "failing"
    assert (failing.num_reallocated, failing.num_pending, failing.num_uncorrectable) == (1736, 24, 12)
    assert failing.warnings()[0].startswith("the drive says that it is failing")
    assert failing.text() == "failing, 41 °C, 40,011 h, 1736/24/12 bad"
    assert "the drive says that it is FAILING" in failing.remarks
    assert "the drive's self-test log has errors" in failing.remarks


def test_a_disk_that_comes_from_the_cold_is_to_be_left_alone_first() -> None:
    (warning,) = report("ata-cold-after-transport").warnings()
    assert warning.startswith("-4 °C: colder than 10 °C")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ata-shingled-by-name", "its maker names this model"),
        ("ata-shingled-by-trim", "a turning disk that takes TRIM"),
        ("ata-host-aware", "the drive says that it is zoned"),
    ],
)
def test_a_shingled_disk_is_told_by_whatever_gives_it_away(name: str, why: str) -> None:
    assert report(name).shingled.startswith(why)
    assert any("dip test" in warning for warning in report(name).warnings())


def test_a_disk_that_says_it_is_not_zoned_is_not_shingled() -> None:
    document = {"zoned_device": {"name": "not_zoned", "value": 0}, "rotation_rate": 7200, "trim": {"supported": False}}
    assert parse_smartctl(json.dumps(document).encode()).shingled == ""


def test_an_nvme_drive_tells_its_wear() -> None:
    healthy, worn = report("nvme-healthy"), report("nvme-worn")
    assert (healthy.health, healthy.percentage_used, healthy.num_uncorrectable) == ("passed", 3, 0)
    assert (worn.health, worn.percentage_used, worn.num_uncorrectable) == ("failing", 104, 17)
    assert [text.split(":")[0].split(" ")[0] for text in worn.warnings()] == ["the", "71", "17", "104"]


def test_a_sas_disk_counts_grown_defects_and_uncorrected_errors() -> None:
    sas = report("scsi-sas")
    assert (sas.health, sas.protocol, sas.model) == ("passed", "SCSI", "HGST HUH721212AL5200")
    assert (sas.num_reallocated, sas.num_uncorrectable, sas.power_on_hours) == (3, 3, 30112)


@pytest.mark.parametrize("name", ["usb-bridge-unknown", "usb-bridge-lets-nothing-through", "virtual-disk"])
def test_a_drive_that_cannot_be_asked_is_unknown_and_says_why(name: str) -> None:
    silent = report(name)
    assert not silent.is_told
    assert (silent.health, silent.text(), silent.warnings()) == ("unknown", "no SMART", [])
    assert len(silent.remarks) >= 2


def test_a_smartctl_before_json_is_a_remark() -> None:
    old = parse_smartctl((VECTORS / "old-smartctl.txt").read_bytes(), 1)
    (remark,) = old.remarks
    assert remark.startswith("smartctl printed no JSON (it needs version 7.0): smartctl 6.6 2017-11-05")


@pytest.mark.parametrize(
    "output", [b"", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b"0" * (5 << 20)], ids=lambda o: repr(o[:9])
)
def test_what_is_no_object_is_a_remark(output: bytes) -> None:
    assert len(parse_smartctl(output).remarks) == 1


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_ANSWERS = [json.loads(path.read_bytes()) for path in sorted(VECTORS.glob("*.json"))]
_FIELDS = sorted({name for answer in _ANSWERS for name in answer})


@given(st.dictionaries(st.sampled_from(_FIELDS), _ANY))
def test_fields_of_any_other_kind_are_taken_as_not_told(document: dict[str, object]) -> None:
    told = parse_smartctl(json.dumps(document).encode())
    told.warnings()
    told.text()


@given(st.sampled_from(sorted(path.name for path in VECTORS.glob("*.json"))), st.data())
def test_an_answer_that_is_cut_off_is_a_remark(name: str, data: st.DataObject) -> None:
    payload = (VECTORS / name).read_bytes().rstrip()
    cut = data.draw(st.integers(0, len(payload) - 1))
    assert parse_smartctl(payload[:cut]).health == "unknown"


def _program(folder: Path, script: str) -> str:
    path = folder / "smartctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_bridge_that_smartctl_does_not_know_is_asked_again_as_sat(tmp_path: Path) -> None:
    unknown, known = VECTORS / "usb-bridge-unknown.json", VECTORS / "ata-healthy.json"
    program = _program(tmp_path, f'case "$*" in *"-d sat"*) cat {known};; *) cat {unknown}; exit 1;; esac')
    assert ask_drive(tmp_path / "sdd", program).serial == "9LG0ABCD"


def test_a_machine_without_smartctl_says_so(tmp_path: Path) -> None:
    (remark,) = ask_drive(tmp_path / "sda", str(tmp_path / "none")).remarks
    assert "is not installed" in remark
