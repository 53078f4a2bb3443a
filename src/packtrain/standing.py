"""Where a voyage stands: the stages in their order, and the state of each from its receipt and its present inputs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from packtrain.documents.declaration import Declaration
from packtrain.documents.parties import Role
from packtrain.errors import PacktrainError
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.units import format_seconds

STAGES: Final[tuple[tuple[str, tuple[Role, ...]], ...]] = (
    ("plan", ("consignor",)),
    ("prepare", ("consignor",)),
    ("rehearse", ("consignor",)),
    ("declare", ("consignor",)),
    ("screen", ("consignor",)),
    ("flags", ("consignor",)),
    ("pack", ("consignor",)),
    ("seal", ("consignor",)),
    ("admit", ("operator",)),
    ("load", ("consignee",)),
    ("train", ("consignee",)),
    ("return", ("consignee", "operator", "consignor")),
    ("close", ("consignor", "operator", "consignee")),
)
"""The stages with a receipt, in the order of the voyage, and whose they are."""


@dataclass(frozen=True, slots=True)
class StageState:
    """Where one stage stands.

    Attributes:
        state: `done`, `to do`, `changed` (it would run again), `waiting` (for another document), `not needed`, or `not
            known` (its receipt, or what it would be held against, cannot be read).
        detail: in words: when it was done, what changed, what it waits for.
        changed: names of the inputs that changed.
    """

    stage: str
    state: str
    detail: str
    changed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, str]:
        """Return the state as plain values."""
        return {"stage": self.stage, "state": self.state, "detail": self.detail}


_LAST_STAGES: Final = ("seal", "return", "close")
"""Stages that are no use before all that stands before them is done."""


def states_of(folder: VoyageFolder, role: Role) -> list[StageState]:
    """Return the state of each of a party's stages, in the order of the voyage."""
    states: list[StageState] = []
    for stage, roles in STAGES:
        if role not in roles:
            continue
        try:
            state = state_of(folder, role, stage)
        except PacktrainError as error:
            # One paper that cannot be read hides nothing of the others.
            state = StageState(stage, "not known", error.message)
        unfinished = next(
            (before.stage for before in states if before.state not in ("done", "changed", "not needed")), None
        )
        if state.state == "to do" and unfinished is not None and stage in _LAST_STAGES:
            state = StageState(stage, "waiting", f'after "{unfinished}"')
        states.append(state)
    return states


def state_of(folder: VoyageFolder, role: Role, stage: str) -> StageState:
    """Return the state of one stage."""
    try:
        if why := _not_needed(folder, role, stage):
            return StageState(stage, "not needed", why)
    except PacktrainError as error:
        return StageState(stage, "waiting", error.hint or error.message)
    if stage in ("screen", "flags") and not folder.has(Declaration):
        return StageState(stage, "waiting", 'after "declare"')
    receipt = folder.receipt(stage)
    inputs = _inputs_of(folder, role, stage)
    try:
        current = inputs() if inputs is not None else None
    except PacktrainError as error:
        return StageState(stage, "waiting", error.hint or error.message)
    if receipt is None:
        return StageState(stage, "to do", _how_far(folder, stage))
    if current is None or is_fresh(folder, stage, current):
        return StageState(stage, "done", f"{receipt.finished}, {format_seconds(receipt.seconds)}")
    changed = sorted(name for name in {*current, *receipt.inputs} if current.get(name) != receipt.inputs.get(name))
    detail = f"runs again: {', '.join(changed) or 'a document it wrote'} changed"
    return StageState(stage, "changed", detail, tuple(changed))


def _not_needed(folder: VoyageFolder, role: Role, stage: str) -> str:
    """Return why a stage has nothing to do in this voyage; empty where it has."""
    if role != "consignor" or stage not in ("prepare", "rehearse", "screen", "flags"):
        return ""
    if stage in ("screen", "flags"):
        # Asked of the signed paper: before it is there nothing is known, and nothing can be screened.
        is_short = folder.has(Declaration) and folder.read_signed(Declaration).form == "short"
        return "short form: nothing asks for it at home; the site runs the rules" if is_short else ""
    voyage_file = folder.voyage_file()
    if voyage_file.sources is not None and voyage_file.sources.form == "folder":
        return 'form = "folder": the folder is carried as it is'
    if stage == "rehearse" and voyage_file.training is None:
        return "no [training] in voyage.toml: no program travels with the data"
    return ""


def _how_far(folder: VoyageFolder, stage: str) -> str:
    """Return how far a stage is that takes several runs."""
    from packtrain.stages import load, pack

    standing = {load.STAGE: load.standing, pack.STAGE: pack.standing}.get(stage)
    return standing(folder) if standing is not None else ""


def _inputs_of(folder: VoyageFolder, role: Role, stage: str) -> Callable[[], Mapping[str, str]] | None:
    """Return what names a stage's present inputs; None where its receipt alone says that it is done."""
    module = {"seal": "carry", "return": "homecoming"}.get(stage, stage)
    if stage == "admit" or (stage == "return" and role != "consignee"):
        return None
    inputs: Callable[[VoyageFolder], Mapping[str, str]] = importlib.import_module(f"packtrain.stages.{module}").inputs
    return lambda: inputs(folder)
