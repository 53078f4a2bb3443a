"""The custody log as people read it: what happened, who holds what, what is proven by whom, what nobody can prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packtrain.diligence.custody_check import LogCheck
from packtrain.diligence.hand_over import holdings, sentences
from packtrain.record.custody import CustodyLine
from packtrain.record.trust import SignedRevocation

_ALWAYS = (
    "That a seal was not cloned: a number is what somebody read and signed, no more.",
    "Where a case was, and who had it open, between two entries.",
    "That what is written is true: parties who agree can sign any story together.",
)


def story(lines: Sequence[CustodyLine], check: LogCheck, revocations: Sequence[SignedRevocation] = ()) -> list[str]:
    """Return the log in plain words, a sentence each; headings end with a colon.

    Args:
        lines: the verified log.
        check: what `check_log` found of it.
        revocations: of keys of this voyage.
    """
    if not lines:
        return []
    told = ["What happened:", *sentences(lines)]
    told += ["Hand-overs:", *(list(_hand_overs(lines)) or ["None yet."])]
    told += ["Who holds what now:", *_held(lines)]
    told += [_revoked(signed) for signed in revocations]
    told += report(check)
    told.append(f"Last line of this log: {lines[-1].digest}, entry {len(lines)}.")
    return told


def report(check: LogCheck) -> list[str]:
    """Return what a check found, a sentence each."""
    told = [f"This log is {check.verdict} ({check.num_proven} of {check.num_entries} entries)."]
    if check.contradictions:
        told += ["What contradicts it:", *(f"{each.kind}: {each.what}." for each in check.contradictions)]
    told += ["What is proven:", *(check.proven or ("Nothing beyond the signature on each entry.",))]
    return [*told, "What this log cannot prove:", *check.not_provable, *_ALWAYS]


def _hand_overs(lines: Sequence[CustodyLine]) -> Iterator[str]:
    given = {line.digest: line.event for line in lines if line.event.verb == "released"}
    for line in lines:
        event = line.event
        release = given.pop(event.answers or "", None) if event.verb == "accepted" else None
        if release is None:
            continue
        seals = ", ".join(f"{case} under {seal}" for case, seal in zip(release.cases, release.seals, strict=False))
        same = "the same seals" if event.seals == release.seals else f"other seals: {', '.join(event.seals)}"
        yield f"{release.by} to {event.by}: case {seals}, released {release.at}, accepted {event.at} with {same}."
    for release in given.values():
        case = ", ".join(release.cases)
        yield f"{release.by} to {release.counterpart}: case {case}, released {release.at}, not accepted."


def _revoked(signed: SignedRevocation) -> str:
    said = signed.revocation
    return (
        f"The {said.by}'s key {said.fingerprint} was revoked, lost on {said.lost_on}: {said.because}. It counts for "
        "what the revocation names, and for entries below a counterpart's head of before."
    )


def _held(lines: Sequence[CustodyLine]) -> Iterator[str]:
    for case, holding in sorted(holdings(lines, "custody log").items()):
        pending = f", released to the {holding.released_to}, not accepted yet" if holding.released_to else ""
        yield f"Case {case} (seal {holding.seal}) is held by the {holding.holder}{pending}."
