"""flags.json: what every rule of a pack found, passes too. Nothing is removed from it; answers are papers beside it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.codec import Document, Instant, Label, Part, Sha256, Text
from packtrain.documents.declared_party import Answer, Day
from packtrain.documents.parties import Role

Level = Literal["INFO", "FLAG", "HOLD", "STOP"]
LEVELS: Final[tuple[Level, ...]] = ("INFO", "FLAG", "HOLD", "STOP")
"""Rising. INFO asks for nothing; FLAG and HOLD want an answer; a STOP passes only by an exception."""
Mark = Literal["verified", "recalled", "design"]
"""Whether the source was read ("verified") or only remembered; "design": no legal text is claimed, the rule is ours."""
RuleOutcome = Literal["passed", "fired", "not judged", "not yet", "not asked", "not in force"]
"""Beside passed and fired: a country group is missing; what it looks at does not exist yet; the short form does not ask
for it; its regime is not in force that day."""
RuleId = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{2,4}-[0-9]{1,2}(-[A-Z]{2,4})?\Z")]
MAX_RULES: Final = 500
MAX_FINDINGS: Final = 200
"""Most findings and inputs kept of one rule; the level is that of all, and how many are left out is said."""


class RuleFinding(Part, frozen=True, kw_only=True):
    """One thing that a rule found.

    Attributes:
        case: which of the rule's cases it is.
        pack_level: as the rule pack has it; `level` is never lower.
    """

    case: Text
    level: Level
    pack_level: Level
    because: Text


class RuleResult(Part, frozen=True, kw_only=True):
    """What one rule said, and from what.

    Attributes:
        level: the highest of its findings; None where nothing was found.
        inputs: the facts it looked at, in plain words.
        because: why it was not judged, or not as a whole; "" where it was.
    """

    rule: RuleId
    title: Text
    mark: Mark
    source: Text
    source_url: Text | None
    in_force_from: Day | None
    in_force_to: Day | None
    outcome: RuleOutcome
    level: Level | None
    inputs: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MAX_FINDINGS + 1)]
    findings: Annotated[tuple[RuleFinding, ...], msgspec.Meta(max_length=MAX_FINDINGS + 1)]
    because: Text


class UsedGroup(Part, frozen=True, kw_only=True):
    """A country group that the rules used: its date, and the digest of its document."""

    name: Label
    as_of: Day
    sha256: Sha256


class Flags(Document, frozen=True, kw_only=True):
    """The results of one run of a rule pack.

    Attributes:
        by: the party that ran it, and that signs.
        moment: before packing, at the site's gate, or before results leave.
        declaration: digest of the declaration that was judged.
        shipment_root, screening: digests of the shipment and the screening, where there were any.
        pack, pack_date, pack_sha256: the rule pack.
        policy: digest of the site's policy; None without one.
        as_of: the day for which rules were judged to be in force.
        supersedes: digest of this party's run before; None for its first. A run that was signed is never left out.
    """

    kind = "flags"

    voyage: Answer
    by: Role
    moment: Literal["declaration", "admission", "return"]
    declaration: Sha256
    shipment_root: Sha256 | None
    screening: Sha256 | None
    pack: Label
    pack_date: Day
    pack_sha256: Sha256
    policy: Sha256 | None
    groups: Annotated[tuple[UsedGroup, ...], msgspec.Meta(max_length=256)]
    as_of: Day
    results: Annotated[tuple[RuleResult, ...], msgspec.Meta(min_length=1, max_length=MAX_RULES)]
    judged_on: Instant
    supersedes: Sha256 | None

    def result_of(self, rule: str) -> RuleResult | None:
        """Return what a rule of this name said, or None where the pack has none."""
        return next((result for result in self.results if result.rule == rule), None)


def finding_digest(flags: Flags, result: RuleResult) -> str:
    """Return the SHA-256 of one rule's result: what an answer is bound to.

    Voyage, party and pack are in it; the day, the moment and the other rules are not: an answer holds in the next run,
    at the gate or before results leave, as long as the rule says the same from the same facts, and for no other voyage.
    """
    return sha256_bytes(
        rfc8785.dumps(
            {
                "voyage": flags.voyage,
                "by": flags.by,
                "pack": flags.pack_sha256,
                "policy": flags.policy,
                "result": msgspec.to_builtins(result),
            }
        )
    )
