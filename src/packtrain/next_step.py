"""What a party does next, and why: from the states of its stages, the custody log and the papers that are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.diligence import amendments
from packtrain.diligence.hand_over import custody_log, holdings, open_releases
from packtrain.diligence.kit_chain import chain_of
from packtrain.diligence.lists import store
from packtrain.diligence.rules.groups import kept_groups
from packtrain.documents.admission import Admission
from packtrain.documents.declaration import Declaration
from packtrain.documents.inspection import Inspection
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import PacktrainError
from packtrain.record.folder import VoyageFolder
from packtrain.standing import StageState
from packtrain.training.kit_held import looks_like_kit

_AT_HOME: Final = ("plan", "prepare", "rehearse", "declare", "screen", "flags", "pack", "seal")
_NOT_DONE: Final = ("to do", "changed")
_COMMANDS: Final[Mapping[str, str]] = {"seal": "packtrain carry seal", "return": "packtrain return export"}
_LISTS: Final = '"packtrain lists add" and "packtrain rules groups add" bring what names and countries are held against'
_NOTHING_HOME: Final = 'where nothing is to come home, "packtrain close --without-results"'


@dataclass(frozen=True, slots=True)
class NextStep:
    """One step.

    Attributes:
        command: what to type, words in capitals to be filled in; None where nothing is left to do here.
        why: what it waits for or what comes of it, in words; empty where the command says it all.
    """

    command: str | None
    why: str = ""

    def to_dict(self) -> dict[str, str | None]:
        """Return it as plain values."""
        return {"command": self.command, "why": self.why}


def next_step(folder: VoyageFolder, role: Role, states: Sequence[StageState]) -> NextStep:
    """Return what a party does next.

    Args:
        folder: its voyage folder.
        role: the party.
        states: of all its stages.
    """
    by_stage = {state.stage: state for state in states}
    if by_stage["close"].state == "done":
        years = folder.voyage_file().results.retention_years
        return NextStep(None, f"this voyage is closed; keep the folder for {years} years")
    steps: dict[Role, Callable[[VoyageFolder, Mapping[str, StageState]], NextStep]] = {
        "consignor": _at_home,
        "operator": _at_the_site,
        "consignee": _at_the_guest,
    }
    try:
        return steps[role](folder, by_stage)
    except PacktrainError as error:
        return NextStep(None, f"mend this first: {error.message}")


def _at_home(folder: VoyageFolder, states: Mapping[str, StageState]) -> NextStep:
    if folder.has(PackingStatement):
        return _on_the_way(folder, states)
    waiting = [states[stage] for stage in _AT_HOME if states[stage].state not in ("done", "not needed")]
    if states["pack"].state == "done":
        # Run between packing and sealing, the rules find drives that no statement covers yet; they run after it.
        waiting = [state for state in waiting if state.stage not in ("screen", "flags") or state.state == "to do"]
    if not waiting:
        return NextStep("packtrain carry seal")
    state = waiting[0]
    if state.stage == "declare" and state.state == "to do" and amendments.last_signed(folder) is not None:
        return NextStep(
            "packtrain declare",
            'the six answers are signed, and this route asks the full form: "packtrain declare --write-form" adds its '
            "questions to declaration.toml, --ask puts them one by one",
        )
    if state.stage == "screen" and not store.records(folder):
        return NextStep("packtrain screen", f"first: {_LISTS}")
    if state.stage == "pack" and not state.detail and (unknown := _unknown_parties(folder)):
        return NextStep("packtrain pack", f"first: {unknown}")
    return _run(state)


def _on_the_way(folder: VoyageFolder, states: Mapping[str, StageState]) -> NextStep:
    log = custody_log(folder)
    held = holdings(log.read(folder.trust()), str(log.path))
    own = sorted(case for case, holding in held.items() if holding.holder == "consignor")
    # Sealed drives are not written again: of what was done before only papers and keys can still change.
    if states["declare"].state == "changed":
        return _run(states["declare"])
    if states["pack"].changed == ("recipients",):
        return NextStep("packtrain pack", "the key is sealed to the parties as they are now; no drive is written")
    if states["pack"].state == "changed" and states["pack"].changed and set(states["pack"].changed) <= {"kit", "ready"}:
        return NextStep("packtrain update make FILE --reason WHY", "the kit was rehearsed anew since it left")
    if waiting := open_releases(held, "consignor"):
        return NextStep(
            "packtrain carry adopt FILE", f"the operator's answer to the hand-over of case {', '.join(waiting)}"
        )
    if own and states["seal"].state in ("to do", "changed"):
        return _run(states["seal"])
    if own and (stale := next((states[name] for name in ("screen", "flags") if states[name].state in _NOT_DONE), None)):
        # The dossier tells what was found on these very papers.
        return _run(stale)
    if own:
        papers = (
            '; for a customs border "packtrain papers --write-form" makes the papers'
            if folder.read_signed(Declaration).form == "full"
            else ""
        )
        return NextStep(
            f"packtrain carry release {' '.join(own)} --to operator --into FILE",
            f'the dossier goes by another way: "packtrain dossier export FOLDER --to operator"{papers}',
        )
    if states["return"].state == "done":
        return NextStep("packtrain close")
    from packtrain.stages import homecoming

    if (how_far := homecoming.gathering(folder)) is not None:
        command = "packtrain return gather FOLDER..." if how_far else "packtrain return accept inbox"
        return NextStep(command, how_far)
    return NextStep(
        "packtrain return accept OUTBOX",
        'when the results come home; until then the site acts, on the dossier ("packtrain dossier export FOLDER --to '
        f'operator"); {_NOTHING_HOME}',
    )


def _at_the_site(folder: VoyageFolder, states: Mapping[str, StageState]) -> NextStep:
    admit = "packtrain admit DOSSIER --drive DRIVE"
    if not folder.has(Admission):
        sign = (
            ""
            if custody_log(folder).read(folder.trust())
            else '; sign for the cases first: "packtrain carry accept FILE"'
        )
        unknown = _unknown_parties(folder)
        first = f"first: {unknown}; then " if unknown else ""
        lists = "" if store.records(folder) and kept_groups(folder) else f"; {_LISTS}"
        return NextStep(admit, f"{first}the consignor's dossier, with every mounted drive named{sign}{lists}")
    admission = folder.read_signed(Admission)
    verdict = admission.verdict
    stated = folder.digest(PackingStatement) if folder.has(PackingStatement) else None
    if (admission.declaration, admission.packing_statement) != (folder.digest(Declaration), stated):
        return NextStep(admit, "the papers changed since the verdict: until it is judged again no key goes on")
    if verdict != "admit":
        return NextStep(
            admit,
            f"the verdict is {verdict}; new papers, other drives and signed answers are judged anew "
            '("packtrain flags show" lists what is open)',
        )
    if states["admit"].state != "done":
        return NextStep(admit, "it was cut off before the key was released")
    if states["return"].state == "done":
        return NextStep("packtrain close")
    return NextStep(
        "packtrain return release OUTBOX",
        'when the consignee exports results; until then the consignee acts, on your dossier ("packtrain dossier export '
        f'FOLDER --to consignee"); {_NOTHING_HOME}',
    )


def _at_the_guest(folder: VoyageFolder, states: Mapping[str, StageState]) -> NextStep:
    bring = "packtrain dossier import FOLDER"
    if not folder.has(Admission):
        unknown = _unknown_parties(folder)
        first = f"first: {unknown}; then " if unknown else ""
        return NextStep(bring, f"{first}the operator's dossier brings the admission and the key")
    verdict = folder.read_signed(Admission).verdict
    if verdict != "admit":
        return NextStep(
            bring, f"the site's verdict is {verdict} and nothing is loaded; a later one comes with its dossier"
        )
    load = states["load"]
    if load.changed == ("kit",) and (number := _earlier_kit(folder)) is not None:
        return NextStep(
            "packtrain update apply FILE", f"update {number + 1} again: in work/kit is the kit that was before it"
        )
    if load.state != "done":
        return NextStep("packtrain load DRIVE...", load.detail)
    if states["return"].state == "done":
        return NextStep("packtrain close")
    if states["train"].state == "done":
        return _run(states["return"])
    if folder.voyage_file().training is None:
        return NextStep("packtrain train", f"once voyage.toml has [training]; {_NOTHING_HOME}")
    if states["train"].state == "to do" and not folder.has(Inspection):
        return NextStep("packtrain train", '"packtrain inspect" before it shows whether this site is fit')
    return _run(states["train"])


def _earlier_kit(folder: VoyageFolder) -> int | None:
    """Return how many updates led to the kit in work/kit, where it is one that was in force before; else None."""
    chain = chain_of(folder)[:-1]
    place = folder.work / "kit"
    return next(
        (each.number for each in reversed(chain) if each.kit is not None and looks_like_kit(place, each.kit)),
        None,
    )


def _unknown_parties(folder: VoyageFolder) -> str:
    """Return that keys of other parties are not in voyage.toml yet, in words; empty where they are."""
    stated = folder.voyage_file()
    lacking = [role for role in ROLES if role != stated.voyage.role and getattr(stated.parties, role) is None]
    return f"paste keys/party.toml of {' and '.join(lacking)} into voyage.toml" if lacking else ""


def _run(state: StageState) -> NextStep:
    command = _COMMANDS.get(state.stage, f"packtrain {state.stage}")
    if state.stage == "declare" and state.state == "changed":
        command = "packtrain declare --amend"
    why = state.detail
    return NextStep(command, f"first: {why}" if state.state == "waiting" and why else why)
