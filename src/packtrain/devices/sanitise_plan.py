"""How a drive's own sanitise command is called: a plan to read, never run from here.

The words are those of NIST SP 800-88: what is called *Purge* there (the sanitise commands of ATA, SCSI and NVMe) and
what at most *Clear* (ATA security erase, NVMe format, overwriting). Where its revisions and IEEE 2883 differ, the lower
word stands.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from packtrain.devices.block import BlockDrive

_TIMEOUT_SECONDS: Final = 30.0
_SUPERUSER_PATHS: Final = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
# A word that is typed, not a secret: it is set a moment before and goes with the erasure.
_PASSWORD: Final = "packtrain"  # noqa: S105
_ERASE_TIMES: Final = re.compile(r"(\d+)min for SECURITY ERASE UNIT(?:\. (\d+)min for ENHANCED SECURITY ERASE UNIT)?")


@dataclass(frozen=True, slots=True)
class PlannedCommand:
    """One way to sanitise a drive by its own command.

    Attributes:
        argvs: the commands, in order, word by word.
        would_be: what it is called where it succeeds and is verified.
        takes: how long, as the drive says it; "" where it does not say.
        before: what must be true first.
    """

    argvs: tuple[tuple[str, ...], ...]
    would_be: Literal["Clear", "Purge"]
    takes: str
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandPlan:
    """The ways a drive offers, the strongest first, and what could not be asked."""

    commands: tuple[PlannedCommand, ...]
    remarks: tuple[str, ...]
    says_zeros: str


def plan_commands(drive: BlockDrive) -> CommandPlan:
    """Return how this drive's own commands would be called; it is asked what it can, nothing is changed on it."""
    if drive.transport == "loop":
        return CommandPlan((), ("a loop device has no sanitise command of its own",), _LOOP_ZEROS)
    if drive.transport == "nvme":
        return _plan_nvme(drive.device)
    if drive.transport in ("sata", "usb"):
        return _plan_ata(drive.device)
    if drive.transport in ("sas", "scsi"):
        return parse_scsi(drive.device)
    return CommandPlan((), (f"no sanitise command is known for transport {drive.transport or 'unknown'}",), "")


_LOOP_ZEROS: Final = "the file systems of Linux give zeros for a hole in a file"


def parse_scsi(device: Path) -> CommandPlan:
    """Return the SCSI commands; whether the drive has them it says only when they run."""
    ways = (("--crypto",), ("--block",), ("--overwrite", "--zero"))
    commands = tuple(
        PlannedCommand((("sg_sanitize", *way, "--wait", str(device)),), "Purge", "", ("the drive is alone on it",))
        for way in ways
    )
    return CommandPlan(commands, ("the drive refuses the ways it does not have; --block is for flash alone",), "")


def parse_ata(text: str, device: Path) -> CommandPlan:
    """Return the ATA commands that `hdparm -I` says a drive has.

    Args:
        text: its output.
        device: as it is to be written in the commands.
    """
    name = str(device)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    states = {line.removeprefix("*").strip() for line in lines}
    commands: list[PlannedCommand] = []
    remarks: list[str] = []
    offers = {
        "CRYPTO_SCRAMBLE_EXT command": "--sanitize-crypto-scramble",
        "BLOCK_ERASE_EXT command": "--sanitize-block-erase",
        "OVERWRITE_EXT command": "--sanitize-overwrite-passes",
    }
    frozen_sanitise = "the sanitise state must be idle: hdparm --sanitize-status"
    for words, option in offers.items():
        if words in states:
            rest = ("1", "--sanitize-overwrite", "hex:00000000") if "passes" in option else ()
            erase = ("hdparm", "--yes-i-know-what-i-am-doing", option, *rest, name)
            wait = ("hdparm", "--sanitize-status", name)
            commands.append(PlannedCommand((erase, wait), "Purge", "", (frozen_sanitise,)))
    if "supported: enhanced erase" in states or any(line.endswith("for SECURITY ERASE UNIT.") for line in lines):
        commands += _security_erase(text, name, is_enhanced="supported: enhanced erase" in states)
    if not commands:
        remarks.append("hdparm -I names neither the sanitise feature set nor security erase (a bridge may hide them)")
    if "frozen" in states:
        remarks.append(
            "the drive is FROZEN: it takes no security erase until it was without power for a moment (suspend the "
            "machine and wake it, or plug the drive in anew)"
        )
    if "locked" in states:
        remarks.append("the drive is LOCKED with a password: only who set it erases it")
    zeros = "hdparm -I: Deterministic read ZEROs after TRIM"
    says = zeros if "Deterministic read ZEROs after TRIM" in states else ""
    return CommandPlan(tuple(commands), tuple(remarks), says)


def _security_erase(text: str, name: str, *, is_enhanced: bool) -> list[PlannedCommand]:
    times = _ERASE_TIMES.search(" ".join(text.split()))
    before = (
        "not frozen, not locked",
        f"cut off half-way the drive stays locked: its password is then {_PASSWORD}",
        "never over a USB bridge whose time limit is shorter than the erasure",
    )
    lock = ("hdparm", "--user-master", "u", "--security-set-pass", _PASSWORD, name)
    ways = [("--security-erase-enhanced", times[2] if times else None)] if is_enhanced else []
    ways.append(("--security-erase", times[1] if times else None))
    return [
        PlannedCommand(
            (lock, ("hdparm", "--user-master", "u", option, _PASSWORD, name)),
            "Clear",
            f"{minutes} min, says the drive" if minutes else "",
            before,
        )
        for option, minutes in ways
    ]


def parse_nvme(controller: dict[str, Any], space: dict[str, Any], device: Path) -> CommandPlan:
    """Return the NVMe commands that a controller says it has.

    Args:
        controller: `nvme id-ctrl -o json`: sanicap (which sanitise operations), fna (what a format does).
        space: `nvme id-ns -o json`: dlfeat (what is read from deallocated blocks).
        device: the namespace, as it is to be written in the commands.
    """
    name = str(device)
    whole = re.sub(r"n\d+$", "", name)
    sanicap, fna = _whole(controller, "sanicap"), _whole(controller, "fna")
    wait = ("nvme", "sanitize-log", whole)
    before = ("every namespace of this controller goes, not this one alone", "it goes on after a power cut")
    commands = [
        PlannedCommand((("nvme", "sanitize", whole, f"--sanact={action}"), wait), "Purge", "", before)
        for bit, action in ((1, "start-crypto-erase"), (2, "start-block-erase"), (4, "start-overwrite"))
        if sanicap & bit
    ]
    scope = "a format erases every namespace of this controller" if fna & 2 else "a format erases this namespace alone"
    ways = [("2", "cryptographic erase")] if fna & 4 else []
    ways.append(("1", "user data erase"))
    commands += [
        PlannedCommand((("nvme", "format", name, f"--ses={ses}"),), "Clear", "", (words, scope)) for ses, words in ways
    ]
    remarks = () if sanicap & 7 else ("the controller has no sanitise command: a format is the most it offers",)
    zeros = "nvme id-ns: dlfeat says that deallocated blocks read as zeros"
    return CommandPlan(tuple(commands), remarks, zeros if _whole(space, "dlfeat") & 7 == 1 else "")


def program(name: str) -> str | None:
    """Return where a program of the system's administration lies; None where it is not installed."""
    found = shutil.which(name)
    return found or next((str(path) for folder in _SUPERUSER_PATHS if (path := Path(folder) / name).is_file()), None)


def _plan_ata(device: Path) -> CommandPlan:
    answer = _ask("hdparm", "-I", str(device))
    if answer is None:
        return CommandPlan((), ("hdparm is not installed, or the drive does not answer it (Debian: hdparm)",), "")
    return parse_ata(answer, device)


def _plan_nvme(device: Path) -> CommandPlan:
    answers = [_ask("nvme", verb, str(device), "-o", "json") for verb in ("id-ctrl", "id-ns")]
    if answers[0] is None:
        return CommandPlan((), ("nvme is not installed, or the drive does not answer it (Debian: nvme-cli)",), "")
    controller, space = (_object(answer) for answer in answers)
    return parse_nvme(controller, space, device)


def _ask(name: str, *arguments: str) -> str | None:
    found = program(name)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, check=False, timeout=_TIMEOUT_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[: 1 << 20].decode("utf-8", "replace") if done.returncode == 0 else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        found: object = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _whole(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
