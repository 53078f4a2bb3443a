"""logs/checks.json: what the last check of each drive found, for `status` and the report.

`check` looks at the drives that are mounted, a few at a time; here the newest look at each of them is kept. It is no
part of the record: not signed, gone without harm. Written under the folder's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Final

import msgspec

from packtrain import durable
from packtrain.record.folder import VoyageFolder

CHECKS_NAME: Final = "checks.json"
MAX_CHECKS_BYTES: Final = 64 << 20
MAX_HURT: Final = 20_000
"""Damaged volumes that are kept of one drive; `num_hurt` counts all."""
WHOLE_VOLUME: Final = -1


class CheckedDrive(msgspec.Struct, frozen=True, kw_only=True):
    """One drive as it was last looked at.

    Attributes:
        uuid: of its closing record: a drive that came in the place of one that failed has its label, not its number.
            "" in what a receipt says of all drives together.
        at: when, a UTC instant.
        is_usable: `load` would read it.
        num_findings: what was wrong beside its volumes.
        hurt: damaged volumes: file name, and how many blocks; `WHOLE_VOLUME` where all of it is lost.
        num_hurt: how many there are, those that are not kept included.
        num_repaired: files that `check --repair` made whole since.
    """

    label: str
    uuid: str
    at: str
    is_usable: bool
    num_volumes: Annotated[int, msgspec.Meta(ge=0)]
    volume_bytes: Annotated[int, msgspec.Meta(ge=0)]
    num_findings: Annotated[int, msgspec.Meta(ge=0)] = 0
    hurt: tuple[tuple[str, int], ...] = ()
    num_hurt: Annotated[int, msgspec.Meta(ge=0)] = 0
    num_repaired: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Checks(msgspec.Struct, frozen=True, kw_only=True):
    plan: str
    drives: Annotated[tuple[CheckedDrive, ...], msgspec.Meta(max_length=4096)] = ()


def read_checks(folder: VoyageFolder, plan_digest: str) -> dict[str, CheckedDrive]:
    """Return the last look at each drive by label; none of another plan, and none where the file cannot be read."""
    payload = durable.plain_bytes(folder.logs / CHECKS_NAME, MAX_CHECKS_BYTES)
    if payload is None:
        return {}
    try:
        kept = msgspec.json.decode(payload, type=_Checks)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return {}
    return {drive.label: drive for drive in kept.drives} if kept.plan == plan_digest else {}


def keep_checks(
    folder: VoyageFolder, plan_digest: str, drives: Iterable[CheckedDrive], doubtful: Collection[str] = ()
) -> None:
    """Keep a new look at some drives in the place of the older ones.

    Args:
        folder: whose logs.
        plan_digest: what is kept of another plan is forgotten.
        drives: the new looks.
        doubtful: labels of drives that may be no good any more: that they once were is forgotten, and no damage is.
    """
    before = read_checks(folder, plan_digest)
    for label in doubtful:
        if label in before and before[label].is_usable and not before[label].num_hurt:
            del before[label]
    kept = before | {drive.label: drive for drive in drives}
    durable.write_bytes(
        folder.logs / CHECKS_NAME, msgspec.json.encode(_Checks(plan=plan_digest, drives=tuple(kept.values())))
    )


def note_repairs(folder: VoyageFolder, plan_digest: str, mended: Sequence[tuple[str, str]]) -> None:
    """Take what was mended (label of the drive, file name) off the damage that is known; nothing where none is."""
    kept = read_checks(folder, plan_digest)
    changed: list[CheckedDrive] = []
    for label, drive in kept.items():
        names = {name for each, name in mended if each == label}
        if not names:
            continue
        left = tuple(entry for entry in drive.hurt if entry[0] not in names)
        changed.append(
            msgspec.structs.replace(
                drive,
                hurt=left,
                num_hurt=drive.num_hurt - (len(drive.hurt) - len(left)),
                num_repaired=drive.num_repaired + len(names),
            )
        )
    if changed:
        keep_checks(folder, plan_digest, changed)
