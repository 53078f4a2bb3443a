"""What a drive says of its own health: `smartctl --json=c -a`, run and read.

The fields are those that smartmontools documents for ATA, SCSI and NVMe from version 7.0 on. Nothing in its answer is
needed: a bridge that lets nothing through, an old smartctl and a virtual disk give a report that says what is missing.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from packtrain.devices.serials import clean
from packtrain.units import MIB

COLD_CELSIUS: Final = 10
"""Below this a drive is taken to come from a cold transport: makers allow 0 or 5, and air then condenses on it."""
HOT_CELSIUS: Final = 60
WORN_PERCENT: Final = 90
_LONGEST_ANSWER_BYTES: Final = 4 * MIB
_TIMEOUT_SECONDS: Final = 60.0
_EXIT_BITS: Final[tuple[str, ...]] = (
    "smartctl did not understand its command line",
    "the drive could not be opened or did not identify itself",
    "a SMART command failed, or an answer had a wrong checksum",
    "the drive says that it is FAILING",
    "an attribute is at or below its threshold: the drive is failing",
    "an attribute was at or below its threshold in the past",
    "the drive's error log has entries",
    "the drive's self-test log has errors",
)
_FAILING_BITS: Final = 0b0001_1000
_DRIVE_BITS: Final = 0b1111_1000
"""Bits that speak of the drive; the lower three say that smartctl could not ask it."""
_REALLOCATED, _REPORTED, _PENDING, _OFFLINE = 5, 187, 197, 198
# Drive-managed shingled disks do not say so. These are some that their makers have named in public; the dip test is for
# the others. Endings (-68RKKN0 and such) differ by production run.
_SHINGLED: Final = re.compile(
    r"\b(WD(20|30|40|60)EFAX|WD(20|60)EZAZ|WD[12]0SPZX"
    r"|ST(4000DM004|6000DM003|8000DM004|8000AS0002|1000LM048|2000LM015|4000LM024|5000LM000)"
    r"|MQ04AB[FD][12]00|DT02ABA[46]00|HDW(L1[12]0|D2[46]0))"
)


@dataclass(frozen=True, slots=True)
class SmartReport:
    """What one drive said.

    Attributes:
        health: "passed", "failing", or "unknown" where the drive did not say.
        protocol: "ATA", "SCSI", "NVMe"; "" where smartctl did not get that far.
        model, serial: as the drive itself says them, also where a bridge shows others; "" and None where it does not.
        temperature_celsius, power_on_hours, percentage_used: None where not told.
        num_reallocated, num_pending, num_uncorrectable: sectors (NVMe: media errors as uncorrectable); None where not
            told.
        rotation_rate: turns a minute, 0 for a solid-state drive, None where not told.
        shingled: why the drive is taken for a shingled one (SMR), in words; "" where nothing says so.
        remarks: what smartctl itself and its exit status say, in words.
    """

    health: str = "unknown"
    protocol: str = ""
    model: str = ""
    serial: str | None = None
    temperature_celsius: int | None = None
    power_on_hours: int | None = None
    percentage_used: int | None = None
    num_reallocated: int | None = None
    num_pending: int | None = None
    num_uncorrectable: int | None = None
    rotation_rate: int | None = None
    shingled: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Return whether the drive said anything of its health."""
        return self.health != "unknown" or self.temperature_celsius is not None or self.power_on_hours is not None

    def warnings(self) -> list[str]:
        """Return what a person should know before this drive is packed or read, in sentences without a full stop."""
        found: list[str] = []
        if self.health == "failing":
            found.append("the drive says that it is failing: do not pack it; read it first and once")
        if self.temperature_celsius is not None and self.temperature_celsius < COLD_CELSIUS:
            found.append(
                f"{self.temperature_celsius} °C: colder than {COLD_CELSIUS} °C, as after a cold transport; let it "
                "stand in the room, switched off and in its wrapping, until it is dry and warm"
            )
        if self.temperature_celsius is not None and self.temperature_celsius > HOT_CELSIUS:
            found.append(f"{self.temperature_celsius} °C: hotter than {HOT_CELSIUS} °C; give it air")
        counts = (
            (self.num_reallocated, "reallocated sectors"),
            (self.num_pending, "sectors that wait for reallocation"),
            (self.num_uncorrectable, "uncorrectable errors"),
        )
        found += [f"{count} {name}" for count, name in counts if count]
        if self.percentage_used is not None and self.percentage_used >= WORN_PERCENT:
            found.append(f"{self.percentage_used} % of its rated life is used")
        if self.shingled:
            found.append(f"{self.shingled}: long writes may crawl; run the dip test")
        return found

    def text(self) -> str:
        """Return the report in one line, as a table shows it."""
        parts = [self.health if self.is_told else "no SMART"]
        if self.temperature_celsius is not None:
            parts.append(f"{self.temperature_celsius} °C")
        if self.power_on_hours is not None:
            parts.append(f"{self.power_on_hours:,} h")
        if self.num_reallocated or self.num_pending or self.num_uncorrectable:
            told = ("?" if n is None else n for n in (self.num_reallocated, self.num_pending, self.num_uncorrectable))
            parts.append("{}/{}/{} bad".format(*told))
        return ", ".join(parts)


def ask_drive(device: Path, smartctl: str = "smartctl") -> SmartReport:
    """Run smartctl on a drive and return what it says; a second time as SAT where a USB bridge is not known to it.

    A missing program, a drive that does not answer in a minute and output that is no JSON are remarks, not errors.
    """
    report = SmartReport()
    for extra in ((), ("-d", "sat")):
        try:
            done = subprocess.run(
                [smartctl, "--json=c", "-a", *extra, "--", str(device)],
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            return SmartReport(remarks=(f"{smartctl} is not installed (Debian package: smartmontools)",))
        except subprocess.TimeoutExpired:
            return SmartReport(remarks=(f"the drive did not answer within {_TIMEOUT_SECONDS:.0f} s",))
        except OSError as error:
            return SmartReport(remarks=(f"{smartctl} cannot be run: {error.strerror}",))
        report = parse_smartctl(done.stdout, done.returncode)
        if report.is_told or not any("-d option" in remark for remark in report.remarks):
            break
    return report


def parse_smartctl(output: bytes, exit_status: int = 0) -> SmartReport:
    """Return what `smartctl --json=c -a` printed.

    Args:
        output: its standard output; anything that is no JSON object gives a report that says so.
        exit_status: of the process; the one in the document counts where it is there.
    """
    if len(output) > _LONGEST_ANSWER_BYTES:
        return SmartReport(remarks=("smartctl printed more than any drive has to say",))
    try:
        parsed: object = json.loads(output)
    except (ValueError, RecursionError):
        first = output.split(b"\n", 1)[0][:80].decode("ascii", "replace").strip()
        return SmartReport(remarks=(f"smartctl printed no JSON (it needs version 7.0): {first}",))
    if not isinstance(parsed, dict):
        return SmartReport(remarks=("smartctl printed no JSON object",))
    document = cast("dict[str, object]", parsed)
    told = _whole(document, "smartctl", "exit_status")
    status = exit_status if told is None else told
    model = _text(document, "model_name") or " ".join(
        filter(None, (_text(document, "scsi_vendor"), _text(document, "scsi_product")))
    )
    rotation_rate = _whole(document, "rotation_rate")
    return SmartReport(
        health=_health(document, status),
        protocol=_text(document, "device", "protocol"),
        model=model,
        serial=clean(_text(document, "serial_number")),
        temperature_celsius=_first(
            _whole(document, "temperature", "current"),
            _whole(document, "nvme_smart_health_information_log", "temperature"),
        ),
        power_on_hours=_first(
            _whole(document, "power_on_time", "hours"),
            _whole(document, "nvme_smart_health_information_log", "power_on_hours"),
        ),
        percentage_used=_first(
            _whole(document, "nvme_smart_health_information_log", "percentage_used"),
            _whole(document, "endurance_used", "current_percent"),
            _whole(document, "scsi_percentage_used_endurance_indicator"),
        ),
        num_reallocated=_first(_attribute(document, _REALLOCATED), _whole(document, "scsi_grown_defect_list")),
        num_pending=_attribute(document, _PENDING),
        num_uncorrectable=_uncorrectable(document),
        rotation_rate=rotation_rate,
        shingled=_shingled(document, model, rotation_rate),
        remarks=tuple([*_exit_remarks(status), *_messages(document)]),
    )


def _health(document: Mapping[str, object], status: int) -> str:
    passed = _at(document, "smart_status", "passed")
    critical = _whole(document, "nvme_smart_health_information_log", "critical_warning")
    if passed is False or status & _FAILING_BITS or critical:
        return "failing"
    return "passed" if passed is True else "unknown"


def _exit_remarks(status: int) -> list[str]:
    # Bits of the drive without an answer of the drive cannot be: what is left then is that it could not be asked.
    return [text for bit, text in enumerate(_EXIT_BITS) if status & (1 << bit)]


def _messages(document: Mapping[str, object]) -> list[str]:
    found: list[str] = []
    for message in _items(_at(document, "smartctl", "messages"))[:20]:
        text = _text(cast("object", message), "string")
        if text:
            found.append(text)
    return found


def _uncorrectable(document: Mapping[str, object]) -> int | None:
    # An ATA disk counts the same fault twice: when it met it, and when it looked for it again.
    faults = [count for count in (_attribute(document, n) for n in (_REPORTED, _OFFLINE)) if count is not None]
    counters = [
        _whole(document, "scsi_error_counter_log", kind, "total_uncorrected_errors")
        for kind in ("read", "write", "verify")
    ]
    told = [count for count in counters if count is not None]
    return _first(
        max(faults, default=None),
        _whole(document, "nvme_smart_health_information_log", "media_errors"),
        sum(told) if told else None,
    )


def _attribute(document: Mapping[str, object], number: int) -> int | None:
    """Return the count of an ATA attribute: the lowest four bytes of its raw value; makers keep other things above."""
    for row in _items(_at(document, "ata_smart_attributes", "table")):
        if isinstance(row, dict) and _whole(cast("dict[str, object]", row), "id") == number:
            raw = _whole(cast("dict[str, object]", row), "raw", "value")
            return None if raw is None else raw & 0xFFFF_FFFF
    return None


def _shingled(document: Mapping[str, object], model: str, rotation_rate: int | None) -> str:
    zoned = json.dumps(_at(document, "zoned_device"), default=str).lower()
    if "host" in zoned or "device managed" in zoned or "aware" in zoned:
        return "the drive says that it is zoned (SMR)"
    if _SHINGLED.search(model):
        return "its maker names this model as shingled (SMR)"
    if rotation_rate and _at(document, "trim", "supported") is True:
        return "a turning disk that takes TRIM, as shingled ones do"
    return ""


def _at(document: object, *path: str) -> object:
    for name in path:
        if not isinstance(document, dict):
            return None
        document = cast("dict[str, object]", document).get(name)
    return document


def _text(document: object, *path: str) -> str:
    value = _at(document, *path)
    return " ".join(value.split())[:300] if isinstance(value, str) else ""


def _whole(document: object, *path: str) -> int | None:
    value = _at(document, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= abs(value) < 2**63 else None


def _items(value: object) -> Sequence[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
