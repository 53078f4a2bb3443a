"""Hand-overs: what a custody log says about who holds which case, and how two logs are held against each other.

A hand-over is `released` by one side and `accepted` by the other, offline: each gives the other its whole log.
Both logs then have the same head, so a line cut, changed or moved afterwards shows against the counterpart's copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken, StageNotReady
from packtrain.record.custody import MAX_LOG_BYTES, CustodyLine, CustodyLog, read_log
from packtrain.record.folder import VoyageFolder
from packtrain.record.trust import Trust
from packtrain.units import counted

LOG_NAME: Final = "custody.jsonl"
CLOCKS_DIFFER: Final = timedelta(minutes=10)
NOTED_ALONE: Final = frozenset({"loaded", "returned", "erased"})


@dataclass(frozen=True, slots=True)
class Holding:
    """One case as the log leaves it.

    Attributes:
        holder: who answers for it now.
        seal: the number last put on it.
        released_to: whom it was released to, while nobody accepted it.
        released_line: digest of that `released` line.
    """

    holder: Role
    seal: str
    released_to: Role | None = None
    released_line: str | None = None


def custody_log(folder: VoyageFolder) -> CustodyLog:
    """Return this party's custody log."""
    return CustodyLog(folder.documents / LOG_NAME)


def read_exchanged_log(path: Path, trust: Trust) -> tuple[CustodyLine, ...]:
    """Return the verified lines of a log that another party gave.

    Raises:
        StageNotReady: there is no such file.
        CustodyBroken, SignatureMissing, SignatureInvalid, UntrustedSigner: see `read_log` and `holdings`.
    """
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_LOG_BYTES + 1)
    except FileNotFoundError as error:
        raise StageNotReady("no such custody file", where=str(path), hint="ask the other side for it") from error
    lines = read_log(payload, trust, str(path))
    if not lines:
        raise CustodyBroken("custody file holds no entry", where=str(path))
    holdings(lines, str(path))
    return lines


def lines_beyond(
    own: Sequence[CustodyLine], theirs: Sequence[CustodyLine], where: str, *, may_be_older: bool = False
) -> tuple[CustodyLine, ...]:
    """Return what the counterpart's log holds beyond the own one.

    Args:
        own, theirs: verified lines.
        where: name of their file, for messages.
        may_be_older: their log may end before ours (a dossier made before the hand-over); otherwise that is a cut tail.

    Raises:
        CustodyBroken: the two logs have forked, theirs lacks the last entries of ours, or has one of the future.
    """
    for number, (mine, other) in enumerate(zip(own, theirs, strict=False)):
        if mine.digest != other.digest:
            raise CustodyBroken(
                "the two custody logs have forked: they hold different entries at the same place",
                where=f"{where}, line {number + 1}",
                expected=f"{mine.event.verb} by {mine.event.by}, {mine.digest[:12]}",
                found=f"{other.event.verb} by {other.event.by}, {other.digest[:12]}",
                hint="keep both files: each is signed, and together they show who wrote what",
            )
    if len(theirs) < len(own) and not may_be_older:
        raise CustodyBroken(
            "the custody file ends before this log does: it is an older copy, or its tail was cut",
            where=where,
            expected=f"{len(own)} entries or more, the last {own[-1].digest[:12]}",
            found=f"{len(theirs)} entries",
            hint="ask the other side for its present log",
        )
    beyond = tuple(theirs[len(own) :])
    refuse_future(beyond, where)
    return beyond


def refuse_future(lines: Sequence[CustodyLine], where: str) -> None:
    """Refuse new entries that are dated in the future: whatever is written after one would have to bear its time.

    Raises:
        CustodyBroken: an entry is dated more than ten minutes after this machine's clock.
    """
    latest = (datetime.now(UTC) + CLOCKS_DIFFER).strftime("%Y-%m-%dT%H:%M:%SZ")
    for line in lines:
        if line.event.at > latest:
            raise CustodyBroken(
                "a custody entry is dated in the future",
                where=f"{where}, line {line.event.sequence + 1}",
                expected="not later than this machine's clock says",
                found=line.event.at,
                hint="compare both clocks",
            )


def num_common(own: Sequence[str], theirs: Sequence[str]) -> int:
    """Return with how many entries two logs begin alike, given by their digests."""
    pairs = zip(own, theirs, strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), min(len(own), len(theirs)))


def is_written_apart(own: Sequence[CustodyLine], theirs: Sequence[CustodyLine]) -> bool:
    """Return whether two logs part only in what each side notes by itself at the end: loaded, returned, erased.

    No hand-over joins those, so two honest logs part there; any other entry that only one of them holds is a fork.
    """
    common = num_common([line.digest for line in own], [line.digest for line in theirs])
    tails = (own[common:], theirs[common:])
    return all(tail and all(line.event.verb in NOTED_ALONE for line in tail) for tail in tails)


def refuse_rewritten(folder: VoyageFolder, theirs: Sequence[CustodyLine], trust: Trust, where: str) -> None:
    """Refuse another's log of the end of a voyage that differs from the one that it gave before.

    Raises:
        CustodyBroken: the two have forked.
    """
    lines_beyond(_apart(folder, theirs).read(trust), theirs, where, may_be_older=True)


def keep_apart(folder: VoyageFolder, theirs: Sequence[CustodyLine]) -> None:
    """Keep another's log of the end of a voyage beside the own one; what it gave before only grows."""
    place = _apart(folder, theirs).path
    payload = b"".join(line.payload + b"\n" for line in theirs)
    if not place.exists() or place.stat().st_size < len(payload):
        durable.write_bytes(place, payload)


def _apart(folder: VoyageFolder, theirs: Sequence[CustodyLine]) -> CustodyLog:
    return CustodyLog(folder.documents / f"custody.{theirs[-1].event.by}.jsonl")


def extend(folder: VoyageFolder, lines: Sequence[CustodyLine]) -> None:
    """Append verified lines of another party's log to the own one; the caller has checked that they follow its head."""
    if not lines:
        return
    path = custody_log(folder).path
    before = path.read_bytes() if path.exists() else b""
    # All of them in one write: a log that ends in the middle of what the counterpart gave would look cut.
    durable.write_bytes(path, before + b"".join(line.payload + b"\n" for line in lines))


def lost_drives(lines: Sequence[CustodyLine]) -> frozenset[str]:
    """Return the drives that a log tells as lost, by UUID; where a case alone is named, all that were sealed in it."""
    sealed: dict[str, tuple[str, ...]] = {}
    lost: set[str] = set()
    for line in lines:
        if line.event.verb == "sealed":
            sealed |= dict.fromkeys(line.event.cases, line.event.drives)
        elif line.event.verb == "lost":
            lost.update(lost_by(line.event, sealed))
    return frozenset(lost)


def lost_by(event: CustodyEvent, sealed: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the drives that an entry `lost` is about, by UUID: those it names, or all of the cases that it names.

    Args:
        event: the entry.
        sealed: the drives that were sealed last in each case, by UUID.
    """
    return event.drives or [uuid for case in event.cases for uuid in sealed.get(case, ())]


def holdings(lines: Sequence[CustodyLine], where: str) -> dict[str, Holding]:
    """Return who holds each sealed case at the end of a log.

    Raises:
        CustodyBroken: an entry of another shipment, a case released by somebody who does not hold it, or an acceptance
            that answers no open release.
    """
    held: dict[str, Holding] = {}
    for number, line in enumerate(lines):
        event, place = line.event, f"{where}, line {number + 1}"
        if event.shipment != lines[0].event.shipment:
            raise CustodyBroken(
                "custody entry is of another shipment",
                where=place,
                expected=lines[0].event.shipment,
                found=event.shipment,
            )
        if event.verb == "sealed":
            _seal(held, event, place)
        elif event.verb == "released":
            _release(held, event, line.digest, place)
        elif event.verb == "accepted":
            _accept(held, event, place)
    return held


def _seal(held: dict[str, Holding], event: CustodyEvent, place: str) -> None:
    if len(event.cases) != 1 or len(event.seals) != 1:
        raise CustodyBroken("a sealed entry is about one case and one seal", where=place)
    case = event.cases[0]
    before = held.get(case)
    if before is not None and (before.holder != event.by or before.released_to is not None):
        raise CustodyBroken(
            f"case {case} was sealed by a party that does not hold it",
            where=place,
            expected=before.released_to or before.holder,
            found=event.by,
        )
    held[case] = Holding(holder=event.by, seal=event.seals[0])


def _release(held: dict[str, Holding], event: CustodyEvent, line_digest: str, place: str) -> None:
    if event.counterpart is None or event.counterpart == event.by or not event.cases:
        raise CustodyBroken("a release names its cases and another party", where=place)
    for case in event.cases:
        before = held.get(case)
        if before is None or before.holder != event.by or before.released_to is not None:
            raise CustodyBroken(
                f"case {case} was released by a party that does not hold it",
                where=place,
                expected="no such sealed case" if before is None else before.released_to or before.holder,
                found=event.by,
            )
        held[case] = Holding(before.holder, before.seal, released_to=event.counterpart, released_line=line_digest)


def _accept(held: dict[str, Holding], event: CustodyEvent, place: str) -> None:
    if not event.cases:
        raise CustodyBroken("an acceptance names its cases", where=place)
    for case in event.cases:
        before = held.get(case)
        if (
            before is None
            or before.released_line != event.answers
            or (before.released_to, before.holder) != (event.by, event.counterpart)
        ):
            raise CustodyBroken(
                f"case {case} was accepted without a release that it answers",
                where=place,
                expected="a released entry to this party, named by its digest",
                found=f"accepted by {event.by}, answering {(event.answers or 'nothing')[:12]}",
            )
        held[case] = Holding(holder=event.by, seal=before.seal)


def open_releases(held: dict[str, Holding], role: Role) -> list[str]:
    """Return the cases that this role released and nobody accepted yet."""
    return sorted(case for case, holding in held.items() if holding.holder == role and holding.released_to is not None)


def sentences(lines: Sequence[CustodyLine]) -> list[str]:
    """Return the log in plain words, an entry a sentence."""
    return [f"{number}. {in_words(line.event)}." for number, line in enumerate(lines, 1)]


def in_words(event: CustodyEvent) -> str:
    """Return one entry in plain words, without the full stop."""
    about = [f"case {', '.join(event.cases)}"] if event.cases else []
    if event.seals:
        about.append(f"seal {', '.join(event.seals)}")
    if event.drives:
        about.append(counted(len(event.drives), "drive"))
    toward = {"released": " to the ", "accepted": " from the "}.get(event.verb, ", with the ")
    other = f"{toward}{event.counterpart}" if event.counterpart else ""
    note = f": {event.note}" if event.note else ""
    return f"{event.at}: {event.verb} by the {event.by}{other} ({'; '.join(about) or 'no case named'}){note}"
