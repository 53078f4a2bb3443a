"""The two voyages of tests/scenarios/: their declarations, and what a site needs to judge them."""

import contextlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from days import today
from packtrain.diligence.lists.add import ListToAdd, add_list
from packtrain.diligence.rules.groups import add_groups
from packtrain.documents.admission import Admission
from packtrain.errors import AdmissionHeld, AdmissionRefused
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import admit, flags, screen
from rule_facts import GROUPS
from three_parties import three_parties
from voyage_papers import Papers

SCENARIOS = Path(__file__).parent / "scenarios"
CASES = ("A", "B", "C", "D")
DRIVES_PER_CASE = 15
TOTAL_BYTES = 80_000_000_000_000
CARRIERS = {case: (f"{case}. Traveller", f"PT-{number}") for number, case in enumerate(CASES, 2001)}


def declaration_of(name: str, changes: Mapping[str, str] | None = None) -> str:
    """Return declaration.toml of "lawful" or "reported", with parts of the text replaced."""
    text = (SCENARIOS / f"{name}-voyage.declaration.toml").read_text()
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    return text


def with_lists(folder: VoyageFolder, *names: str) -> None:
    """Give a party yesterday's list, of invented parties and `names`, and the country groups of the tests."""
    path = folder.root / "list.csv"
    path.write_text("name\n" + "\n".join(("Nobody Known Trading LLC", *names)) + "\n")
    add_list(
        folder, ListToAdd("invented", "csv", [path], today() - timedelta(days=1), columns={"name": "name"}), discard
    )
    day = (today() - timedelta(days=2)).isoformat()
    sections = [
        f'[[group]]\nname = "{group.name}"\nas_of = {day}\nsource = "the tests"\nmembers = {list(group.members)}\n'
        for group in GROUPS.values()
    ]
    file = folder.root / "groups.toml"
    file.write_text("\n".join(sections))
    add_groups(folder, file)


def on_paper(
    root: Path,
    name: str,
    *,
    changes: Mapping[str, str] | None = None,
    carriers: Mapping[str, tuple[str, str]] | None = None,
    serials: Mapping[str, str] | None = None,
) -> Papers:
    """Return a voyage of 80 TB on 60 drives in 4 cases as documents, judged at home, sealed and accepted at the site.

    `carriers` is what is sealed ({}: nothing is, and no statement is made); `serials` what packing could read.
    """
    papers = Papers(root, three_parties(root))
    for folder in (papers.consignor, papers.operator):
        with_lists(folder)
    papers.declare(declaration_of(name, changes))
    papers.pack(plaintext_bytes=TOTAL_BYTES, cases=CASES, drives_per_case=DRIVES_PER_CASE, serials=serials)
    stated = CARRIERS if carriers is None else carriers
    if stated:
        papers.state_cases(stated)
        from packtrain.stages import carry

        carry.seal(papers.consignor, discard)
    screen.screen(papers.consignor, discard)
    flags.judge(papers.consignor, papers.sink)
    if stated:
        papers.hand_over(CASES)
    return papers


def verdict(papers: Papers, *labels: str, no_more: bool = True, dossier: str = "dossier") -> Admission:
    """Return the site's signed verdict with these drives mounted (none named: all)."""
    return judged(
        papers.operator,
        lambda: admit.admit(
            papers.operator, papers.dossier(dossier), papers.mounted(*labels), papers.sink, no_more=no_more
        ),
    )


def judged(operator: VoyageFolder, judge: Callable[[], object]) -> Admission:
    """Return the signed verdict that `judge` leaves, whatever it is."""
    with contextlib.suppress(AdmissionHeld, AdmissionRefused):
        judge()
    return operator.read_signed(Admission)


def rules_of(admission: Admission) -> str:
    """Return what the verdict says of the rules."""
    return next(check.detail for check in admission.checks if check.check == "rules")
