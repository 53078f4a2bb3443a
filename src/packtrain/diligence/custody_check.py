"""A custody log held against every signed head that is known: what contradicts it, what is proven, what cannot be.

A chain shows that nobody without a key changed it. Whoever holds a key can write its own end of the log anew, and the
chain is whole again: only what another party holds shows that, and a head is the shortest thing to hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from packtrain.documents.parties import Role
from packtrain.record.custody import CustodyLine
from packtrain.record.trust import SignedHead, SignedRevocation

_NEVER = "9999-12-31T23:59:59Z"
Kind = Literal["fork", "cut tail", "altered", "back-dated"]
Verdict = Literal["contradicted", "proven to its last entry", "proven in part", "not provable"]


@dataclass(frozen=True, slots=True)
class TimeBracket:
    """The time that somebody else than the parties gave to a head: entries up to `num_entries` are not later.

    Entries from the one on that notes the token are not earlier; those in between may be either.

    Attributes:
        num_entries, last_line: of the head.
        earliest, latest: the stamp's time less and plus its accuracy.
        authority: whose stamp it is.
        token: SHA-256 of the token.
    """

    num_entries: int
    last_line: str
    earliest: str
    latest: str
    authority: str
    token: str

    @property
    def note(self) -> str:
        """Return the words by which an entry says that it was written after the stamp."""
        return f"time stamp {self.token}"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One thing that cannot be true beside something signed: its kind, the line (counted from 1), and a sentence."""

    kind: Kind
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class LogCheck:
    """What was found.

    Attributes:
        num_entries: of the log.
        num_proven: up to which entry a counterpart's signature stands for the log as it is.
        contradictions: all of them, the first line first.
        proven: sentences.
        not_provable: sentences, each with these words.
    """

    num_entries: int
    num_proven: int
    contradictions: tuple[Contradiction, ...]
    proven: tuple[str, ...]
    not_provable: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the whole in a word; it is never that all is well."""
        if self.contradictions:
            return "contradicted"
        if self.num_entries and self.num_proven == self.num_entries:
            return "proven to its last entry"
        return "proven in part" if self.num_proven else "not provable"


def check_log(
    lines: Sequence[CustodyLine],
    heads: Sequence[SignedHead],
    brackets: Sequence[TimeBracket] = (),
    revocations: Sequence[SignedRevocation] = (),
) -> LogCheck:
    """Hold a log, its chain and signatures checked, against signed heads and time stamps.

    Args:
        lines: the log.
        heads: all that are known; those of another shipment say nothing about it.
        brackets: time stamps over heads.
        revocations: of keys. A head of revoked keys alone is anybody's; one of after the loss proves nothing.
    """
    shipment = lines[0].event.shipment if lines else None
    lost = {each.public_line: each.revocation.lost_on for each in revocations}
    marks = [
        mark
        for mark in heads
        if (shipment is None or mark.head.shipment == shipment) and not lost.keys() >= set(mark.keys.values())
    ]
    fitting = [mark for mark in marks if fits(mark, lines)]
    stamps = [
        stamp
        for stamp in brackets
        if stamp.num_entries <= len(lines) and lines[stamp.num_entries - 1].digest == stamp.last_line
    ]
    found = [*_forked_heads(marks), *_against_heads(lines, marks, fitting), *_back_dated(lines, fitting, stamps)]
    cosigned = [
        mark
        for mark in fitting
        if mark.cosigners and all(mark.head.made_on <= lost.get(key, _NEVER) for key in mark.keys.values())
    ]
    num_proven = max((mark.head.num_entries for mark in cosigned), default=0)
    contradictions = tuple(sorted(found, key=lambda each: each.line))
    if any(each.line <= num_proven for each in contradictions):
        num_proven = 0  # of two signed stories neither is proven by one of them
    return LogCheck(
        num_entries=len(lines),
        num_proven=num_proven,
        contradictions=contradictions,
        proven=tuple(_proven(cosigned, stamps)) if num_proven else tuple(_proven((), stamps)),
        not_provable=tuple(_not_provable(len(lines), num_proven, cosigned, stamps)),
    )


def signed_by(mark: SignedHead) -> str:
    """Return who signed a head, in words."""
    return " and ".join([f"the {mark.head.by}", *(f"the {role}" for role in mark.cosigners)])


def against_own(own: Sequence[CustodyLine], theirs: Sequence[CustodyLine]) -> list[Contradiction]:
    """Return where another log differs from the one here, entry by entry."""
    for number, (mine, other) in enumerate(zip(own, theirs, strict=False), 1):
        if mine.digest != other.digest:
            what = (
                f"entry {number} is {other.event.verb} by the {other.event.by} there, and {mine.event.verb} by the "
                f"{mine.event.by} in the log here: each is signed"
            )
            return [Contradiction("fork", number, what)]
    if len(theirs) < len(own):
        what = f"it ends {len(own) - len(theirs)} entries before the log here: an older copy, or its tail was cut"
        return [Contradiction("cut tail", len(theirs) + 1, what)]
    return []


def fits(mark: SignedHead, lines: Sequence[CustodyLine]) -> bool:
    """Return whether a head is over the first entries of this log."""
    number = mark.head.num_entries
    return number <= len(lines) and lines[number - 1].digest == mark.head.last_line


def _forked_heads(marks: Sequence[SignedHead]) -> Iterator[Contradiction]:
    lengths: dict[int, list[SignedHead]] = {}
    for mark in marks:
        lengths.setdefault(mark.head.num_entries, []).append(mark)
    for one, other in (pair for equal in lengths.values() for pair in combinations(equal, 2)):
        if one.head.last_line != other.head.last_line:
            both = _all_signers(one) & _all_signers(other)
            who = f"; the {' and the '.join(sorted(both))} signed both" if both else ""
            what = (
                f"two signed heads over {one.head.num_entries} entries name different last lines: "
                f"{one.head.last_line[:12]} ({signed_by(one)}) and {other.head.last_line[:12]} "
                f"({signed_by(other)}){who}"
            )
            yield Contradiction("fork", one.head.num_entries, what)


def _against_heads(
    lines: Sequence[CustodyLine], marks: Sequence[SignedHead], fitting: Sequence[SignedHead]
) -> Iterator[Contradiction]:
    for mark in marks:
        head, number = mark.head, mark.head.num_entries
        if number > len(lines):
            what = (
                f"{signed_by(mark)} signed a head over {number} entries (last line {head.last_line[:12]}), and this "
                f"log has {len(lines)}: its end was cut off, or it is an older copy"
            )
            yield Contradiction("cut tail", len(lines) + 1, what)
        elif lines[number - 1].digest != head.last_line:
            good = max((each.head.num_entries for each in fitting if each.head.num_entries < number), default=0)
            what = (
                f"entry {number} is {lines[number - 1].digest[:12]} here, and {signed_by(mark)} signed "
                f"{head.last_line[:12]}: between entry {good + 1} and {number} something was altered, moved, repeated, "
                "taken out or put in"
            )
            yield Contradiction("altered", number, what)
        elif lines[number - 1].event.at != head.last_at:
            what = f"a head of {signed_by(mark)} states another time for entry {number} than the entry: {head.last_at}"
            yield Contradiction("altered", number, what)


def _back_dated(
    lines: Sequence[CustodyLine], fitting: Sequence[SignedHead], stamps: Sequence[TimeBracket]
) -> Iterator[Contradiction]:
    for number, line in enumerate(lines, 1):
        event = line.event
        # Only its maker says by a head that nothing followed it yet; another's log may have been longer by then.
        later = [
            (mark.head.made_on, f"the head that the {event.by} made of the {mark.head.num_entries} entries before")
            for mark in fitting
            if mark.head.by == event.by and mark.head.num_entries < number and event.at < mark.head.made_on
        ]
        later += [
            (stamp.earliest, f"the time stamp of {stamp.authority}, which is noted in the log,")
            for stamp in stamps
            if event.at < stamp.earliest and any(stamp.note in before.event.note for before in lines[:number])
        ]
        if later:
            at, what = max(later)
            yield Contradiction("back-dated", number, f"entry {number} is dated {event.at}, and follows {what} at {at}")
    for stamp in stamps:
        line = lines[stamp.num_entries - 1]
        if line.event.at > stamp.latest:
            when = f"{stamp.authority} stamped it at {stamp.latest}"
            text = f"entry {stamp.num_entries} is dated {line.event.at}, and {when}"
            yield Contradiction("back-dated", stamp.num_entries, text)


def _proven(cosigned: Sequence[SignedHead], stamps: Sequence[TimeBracket]) -> Iterator[str]:
    longest: dict[frozenset[Role], SignedHead] = {}
    for mark in cosigned:
        signers = _all_signers(mark)
        if signers not in longest or mark.head.num_entries >= longest[signers].head.num_entries:
            longest[signers] = mark
    for mark in longest.values():
        head = mark.head
        yield (
            f"Entries 1 to {head.num_entries} are the ones that {signed_by(mark)} signed a head over (head "
            f"{mark.digest[:12]}, by their clocks at {head.made_on}): none of them can show another log of this length."
        )
    for stamp in stamps:
        yield f"Entries 1 to {stamp.num_entries} were written before {stamp.latest}: time stamp of {stamp.authority}."


def _not_provable(
    num_entries: int, num_proven: int, cosigned: Sequence[SignedHead], stamps: Sequence[TimeBracket]
) -> Iterator[str]:
    if num_proven < num_entries:
        which = f"Entries {num_proven + 1} to {num_entries}" if num_proven + 1 < num_entries else f"Entry {num_entries}"
        yield (
            f"{which}: not provable. No counterpart signed a head that far, so who signed could have written it "
            "anew: forked, altered, moved, repeated, or dated back."
        )
    yield "That no entries were cut off after the last one: not provable from the log. Compare heads with the others."
    if stamps:
        yield (
            "Times of single entries: not provable beyond the time stamps: no entry of those above was written later, "
            "and none that follows an entry in which a stamp is noted was written earlier."
        )
    elif cosigned and num_proven:
        yield (
            "Times: not provable. They never run backwards, and two parties signed the head at its time; they could "
            "have agreed on it. A time stamp would bracket them."
        )
    else:
        yield "Times: not provable. They are each writer's own clock; within the log they only never run backwards."


def _all_signers(mark: SignedHead) -> frozenset[Role]:
    return frozenset(mark.keys)
