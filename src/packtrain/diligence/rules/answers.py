"""What is still open of a run of the rules: flags, and the signed answers beside them. No answer removes a flag.

Only the party that ran the rules resolves its flags; what the other side says is shown. A FLAG or HOLD is resolved by a
signed answer, by those of two persons where the site's policy asks for a second signer. A STOP is resolved by an
exception alone: two persons of the party, each in a document of his own, on the same licence or legal opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packtrain.diligence.rules.pack import highest
from packtrain.diligence.rules.persons import are_two
from packtrain.diligence.rules.policy import Policy
from packtrain.documents.codec import digest
from packtrain.documents.declared_party import Evidence
from packtrain.documents.flag_answer import FlagAnswer, FlagException
from packtrain.documents.flags import Flags, Level, RuleResult, finding_digest
from packtrain.documents.parties import Role
from packtrain.errors import AnswerRefused


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """An answer whose signature was checked.

    Attributes:
        role: the party whose key signed.
        key: the public key: two persons have two.
    """

    answer: FlagAnswer
    role: Role
    key: str


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """One flag, and what was said to it.

    Attributes:
        level: of the result.
        answers: every answer that is to this very result, whoever gave it.
        open_because: why it is still open; "" where it is resolved.
    """

    result: RuleResult
    level: Level
    answers: tuple[SignedAnswer, ...]
    open_because: str

    @property
    def is_open(self) -> bool:
        """Return whether it is not resolved."""
        return bool(self.open_because)


@dataclass(frozen=True, slots=True)
class Standing:
    """All flags of a run, in the order of the pack, resolved ones too.

    Attributes:
        flags: every FLAG, HOLD and STOP.
        sentence: how it stands, in words that promise nothing.
    """

    flags: tuple[RaisedFlag, ...]
    sentence: str

    @property
    def worst_open(self) -> Level | None:
        """Return the highest level that is not resolved; None where nothing is open."""
        levels: tuple[Level, ...] = tuple(flag.level for flag in self.flags if flag.is_open)
        return highest(levels) if levels else None

    @property
    def is_blocking(self) -> bool:
        """Return whether a HOLD or a STOP is open: nothing goes on before it is resolved."""
        return self.worst_open in ("STOP", "HOLD")


def open_flags(flags: Flags, answers: Iterable[SignedAnswer], policy: Policy) -> Standing:
    """Return which flags a run raised, what was answered, and what is still open.

    Args:
        flags: the run, its signature checked.
        answers: all that are at hand, of any run and party; those to other results do not count.
        policy: the site's, whose digest the run names.
    """
    if flags.policy != policy.sha256:
        raise ValueError("the run was judged under another policy")
    given = list(answers)
    raised = tuple(
        _flag(flags, result, result.level, given, policy)
        for result in flags.results
        if result.level is not None and result.level != "INFO"
    )
    still = [flag for flag in raised if flag.is_open]
    under = f"under rule pack {flags.pack} of {flags.pack_date} as of {flags.as_of}"
    if still:
        names = ", ".join(f"{flag.result.rule} {flag.level}" for flag in still)
        sentence = f"{len(still)} unresolved flag{'s' * (len(still) > 1)} {under}: {names}"
    else:
        sentence = f"no unresolved flags {under}"
    return Standing(raised, sentence)


def _flag(
    flags: Flags, result: RuleResult, level: Level, answers: Sequence[SignedAnswer], policy: Policy
) -> RaisedFlag:
    finding = finding_digest(flags, result)
    to_this = tuple(
        each
        for each in answers
        if (each.answer.rule, each.answer.finding, each.answer.voyage) == (result.rule, finding, flags.voyage)
        and each.answer.by == each.role
    )
    own = [each for each in to_this if each.role == flags.by]
    needs_two = policy.needs_second_signer(result.rule, level)
    if level == "STOP":
        because = _stop(own, flags.as_of)
    elif not own:
        because = f"no signed answer of the {flags.by}"
    elif needs_two and not are_two((each.key, each.answer.person) for each in own):
        because = f"one person of the {flags.by} answered, and two are asked for"
    else:
        because = ""
    return RaisedFlag(result, level, to_this, because)


def _stop(own: Sequence[SignedAnswer], as_of: str) -> str:
    """Return why a STOP is not excepted; "" where two persons stand for one paper that is valid."""
    signers: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for each in own:
        paper = each.answer.exception
        if paper is not None and (paper.valid_until is None or paper.valid_until >= as_of):
            signers.setdefault((paper.paper, paper.sha256), set()).add((each.key, each.answer.person))
    if not signers:
        return "a STOP passes only by an exception: a licence or legal opinion, and two persons who sign for it"
    if any(map(are_two, signers.values())):
        return ""
    return "one person signed for an exception, and two are asked for"


def answer_to(
    flags: Flags,
    rule: str,
    *,
    by: Role,
    person: str,
    because: str,
    evidence: tuple[Evidence, ...],
    exception: FlagException | None,
    answered_on: str,
) -> FlagAnswer:
    """Return the answer to one flag of a run, to be signed.

    Args:
        flags: the run in which the flag was read.
        rule: its rule.
        by: the party that answers.
        person: who answers for it.
        because: the reason.
        evidence: papers, by digest.
        exception: the licence or legal opinion; a STOP wants one, and nothing else may have one.
        answered_on: the instant.

    Raises:
        AnswerRefused: there is no such flag, or a STOP without a paper, or a paper for less than a STOP.
    """
    result = flags.result_of(rule)
    if result is None or result.level in (None, "INFO"):
        raised = [each.rule for each in flags.results if each.level not in (None, "INFO")]
        found = "no such rule" if result is None else result.outcome if result.level is None else result.level
        raise AnswerRefused(
            "this rule raised no flag that wants an answer",
            where=rule,
            found=found,
            hint=f"INFO and a pass want nothing; flags of this run: {', '.join(raised) or 'none'}",
        )
    if result.level == "STOP" and exception is None:
        raise AnswerRefused(
            "a STOP passes only by an exception",
            where=rule,
            expected="a licence or legal opinion by its digest, a named person and a second one who signs too",
            hint="what stopped this voyage is real until somebody stands for it by name",
        )
    if result.level != "STOP" and exception is not None:
        raise AnswerRefused(
            "an exception is for a STOP",
            where=rule,
            found=result.level,
            hint="answer it with a reason, and give the paper as evidence",
        )
    return FlagAnswer(
        voyage=flags.voyage,
        by=by,
        flags=digest(flags),
        rule=rule,
        finding=finding_digest(flags, result),
        person=person,
        because=because,
        evidence=evidence,
        exception=exception,
        answered_on=answered_on,
    )
