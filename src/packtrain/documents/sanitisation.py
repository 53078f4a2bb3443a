"""sanitisation: what one party did to one drive so that nothing of the cargo can be read from it, and what it saw then.

The words *Clear* and *Purge* are those of NIST SP 800-88. A record may say less than was reached and never more:
`claims_too_much` holds its result against what it says ran and was read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Part, Text, Uuid
from packtrain.documents.parties import Role

Result = Literal["Clear", "Purge", "not sanitised"]
Method = Literal["overwrite", "zeroout", "discard", "secure-discard", "files removed"]
NOT_SANITISED: Final = "not sanitised"

MOST_OF: Final[dict[Method, Result]] = {
    "overwrite": "Clear",
    "zeroout": "Clear",
    "discard": "Clear",
    "secure-discard": "Clear",
    "files removed": "not sanitised",
}
"""What each method can reach at most. None reaches Purge: that is the device's own sanitise command, which packtrain
plans and does not run. The overwrites and discards of a host reach what a host can address."""

_RANK: Final[dict[Result, int]] = {"not sanitised": 0, "Clear": 1, "Purge": 2}


class SanitisedDevice(Part, frozen=True, kw_only=True):
    """The device as the machine showed it.

    Attributes:
        id: its stable id, or the folder that plays a drive.
        serial: None where it showed none of its own.
        is_rotational: a disk turns in it, as the kernel was told.
        says_zeros: who says that a discarded block reads as zeros; "" where nobody does.
    """

    id: Text
    model: Text
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None
    size_bytes: Count
    transport: Text
    is_rotational: bool
    says_zeros: Text


class SanitisingStep(Part, frozen=True, kw_only=True):
    """One thing that ran.

    Attributes:
        argv: the command, word by word; empty where packtrain itself wrote.
        tool: name and version.
        exit_status: of the command; None where packtrain itself wrote.
        detail: what it covered, and what it said where it failed.
        succeeded: all of what it was to cover is covered.
    """

    argv: tuple[Text, ...]
    tool: Text
    exit_status: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None
    detail: Text
    succeeded: bool
    started: Instant
    finished: Instant


class FirstFault(Part, frozen=True, kw_only=True):
    """The first place that was not empty, and the first bytes found there (in hex); empty where it cannot be read."""

    offset: Count
    found: Annotated[str, msgspec.Meta(max_length=128)]


class ReadBack(Part, frozen=True, kw_only=True):
    """What was read after the last command.

    Attributes:
        how: "sample": both ends, and blocks drawn by lot from every part of the drive; "full": every byte.
        seed: of the lot, in hex; the same seed on a drive of this size draws the same blocks.
        num_blocks, block_bytes: what was read.
        read_bytes: in all, of `SanitisedDevice.size_bytes`.
        past_cache: "direct" (O_DIRECT) or "dropped" (the kernel was told to forget the device first).
        pattern: the one byte that all of it holds, in hex; "" where it holds others.
        num_headers: beginnings of volumes that stood at these places of the device before the first command.
        num_headers_left: how many of them still stand there.
        num_faults: blocks that hold data, and blocks that could not be read.
        first_fault: None where there is none.
    """

    how: Literal["sample", "full"]
    seed: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    num_blocks: Count
    block_bytes: Count
    read_bytes: Count
    past_cache: Literal["direct", "dropped"]
    pattern: Literal["00", "ff", ""]
    num_headers: Count
    num_headers_left: Count
    num_faults: Count
    first_fault: FirstFault | None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing but one fill byte was found."""
        return self.num_faults == 0 and self.num_headers_left == 0 and self.pattern != ""


class Sanitisation(Document, frozen=True, kw_only=True):
    """One drive, one run.

    Attributes:
        person: who did it, in that party's words: name and function.
        drive, label, shipped_serial: of the shipment's document.
        known_by: how the device was known to be this drive before anything was written to it: by the signed closing
            record on it, or by the serial number alone.
        why: why it is not sanitised; "" where it is.
        limits: what the result does not say.
    """

    kind = "sanitisation"

    shipment: Uuid
    by: Role
    person: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    drive: Uuid
    label: Label
    shipped_serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    known_by: Literal["closing record", "serial number"]
    device: SanitisedDevice
    method: Method
    steps: Annotated[tuple[SanitisingStep, ...], msgspec.Meta(max_length=64)]
    read_back: ReadBack | None
    result: Result
    why: Text
    limits: Annotated[tuple[Text, ...], msgspec.Meta(max_length=32)]
    started: Instant
    finished: Instant
    software: Text


def shown_result(
    method: Method, device: SanitisedDevice, steps: tuple[SanitisingStep, ...], read_back: ReadBack | None
) -> tuple[Result, str]:
    """Return what these steps and this read-back show, and, where that is nothing, why."""
    if MOST_OF[method] == NOT_SANITISED:
        return NOT_SANITISED, "files were removed; their bytes stay on the medium until others take their place"
    if not steps:
        return NOT_SANITISED, "nothing ran"
    if failed := next((step for step in steps if not step.succeeded), None):
        return NOT_SANITISED, f"{' '.join(failed.argv[:1]) or failed.tool}: {failed.detail}"[:4096]
    if read_back is None:
        return NOT_SANITISED, "nothing was read back"
    if not read_back.is_empty:
        at = read_back.first_fault
        where = f", the first at byte {at.offset}" if at is not None else ""
        left = f"; {read_back.num_headers_left} beginnings of volumes still stand" if read_back.num_headers_left else ""
        return NOT_SANITISED, f"{read_back.num_faults} blocks are not empty or cannot be read{where}{left}"
    if method in ("overwrite", "zeroout") and read_back.pattern != "00":
        return NOT_SANITISED, "zeros were written, and something else was read back"
    if method == "discard" and not device.says_zeros:
        return NOT_SANITISED, (
            "nobody says that this device gives zeros for what was discarded: what was read back may change"
        )
    return MOST_OF[method], ""


def claims_too_much(record: Sanitisation) -> Iterator[str]:
    """Yield, in words, what a record claims beyond what it says was done."""
    shown, why = shown_result(record.method, record.device, record.steps, record.read_back)
    if _RANK[record.result] > _RANK[shown]:
        yield f"it says {record.result}, and what it lists shows {shown}{f': {why}' if why else ''}"
    if record.read_back is not None and record.read_back.read_bytes > record.device.size_bytes:
        yield "more was read back than the drive has"
    if record.read_back is not None and record.read_back.num_headers_left > record.read_back.num_headers:
        yield "more beginnings of volumes are left than there were"
    if record.result != NOT_SANITISED and record.read_back is not None:
        read = record.read_back
        if not read.num_blocks or not read.read_bytes:
            yield f"it says {record.result}, and nothing was read back"
        elif read.how == "full" and read.read_bytes < record.device.size_bytes:
            yield f"it says that all was read back: {read.read_bytes} of {record.device.size_bytes} bytes were"
    if any(step.succeeded and step.exit_status for step in record.steps):
        yield "a command that ended with an error is said to have succeeded"
    if record.finished < record.started or any(step.finished < step.started for step in record.steps):
        yield "it was finished before it was started"
