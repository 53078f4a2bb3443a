"""Flags of every run of the rules that is here: what is open, what was answered by whom, which exceptions were used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packtrain.diligence.judging import kept_policy, policy_of_another, standing_of
from packtrain.diligence.rules.answers import RaisedFlag
from packtrain.diligence.rules.record import current_flags
from packtrain.errors import PacktrainError
from packtrain.record.folder import VoyageFolder
from packtrain.report.quietly import quietly


@dataclass(frozen=True, slots=True)
class FlagView:
    """One flag.

    Attributes:
        level: FLAG, HOLD or STOP.
        open_because: why it is open; "" where it is answered.
        found: what the rule found, a sentence each.
        answered: who answered, in words.
        exception: the paper on which a STOP passed; "" without one.
    """

    rule: str
    title: str
    level: str
    open_because: str
    found: tuple[str, ...]
    answered: tuple[str, ...]
    exception: str

    @property
    def is_open(self) -> bool:
        """Return whether nothing resolved it."""
        return bool(self.open_because)


@dataclass(frozen=True, slots=True)
class RulesView:
    """One party's newest run of the rules.

    Attributes:
        by: the party.
        sentence: how it stands, in words that promise nothing.
        num_open, num_answered: of its flags.
    """

    by: str
    moment: str
    judged_on: str
    rule_pack: str
    sentence: str
    num_rules: int
    num_open: int
    num_answered: int
    flags: tuple[FlagView, ...]


def rules_views(folders: Sequence[VoyageFolder], unread: list[str]) -> tuple[RulesView, ...]:
    """Return the newest run of each party: its own folder's word before what a dossier brought elsewhere."""
    found: dict[str, RulesView] = {}
    own: set[str] = set()
    for folder in folders:
        read = quietly(
            lambda folder=folder: (folder.voyage_file().voyage.role, current_flags(folder)), None, unread, folder.root
        )
        if read is None:
            continue
        role, runs = read
        for by, flags in runs.items():
            if by in own or (by in found and by != role):
                continue
            try:
                policy = kept_policy(folder, flags.policy) if by == role else policy_of_another(folder, flags)
                ruled = standing_of(folder, flags, policy)
            except PacktrainError as error:
                unread.append(error.message)
                continue
            views = tuple(_flag(flag) for flag in ruled.standing.flags)
            found[by] = RulesView(
                by=by,
                moment=flags.moment,
                judged_on=flags.judged_on,
                rule_pack=f"{flags.pack} of {flags.pack_date}",
                sentence=ruled.standing.sentence,
                num_rules=len(flags.results),
                num_open=sum(view.is_open for view in views),
                num_answered=sum(not view.is_open for view in views),
                flags=views,
            )
            if by == role:
                own.add(by)
    return tuple(found.values())


def _flag(flag: RaisedFlag) -> FlagView:
    answers = [signed.answer for signed in flag.answers]
    papers = [answer.exception for answer in answers if answer.exception is not None]
    return FlagView(
        rule=flag.result.rule,
        title=flag.result.title,
        level=flag.level,
        open_because=flag.open_because,
        found=tuple(finding.because for finding in flag.result.findings),
        answered=tuple(
            f"{answer.person} for the {answer.by}, {answer.answered_on}: {answer.because}" for answer in answers
        ),
        exception="; ".join(f"{paper.paper} {paper.number}, issued by {paper.issued_by}" for paper in papers),
    )
