"""The whole examination: every look in its order, none of which may hang or break the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packtrain.doctor.finding import STATES, Finding, Look, State, Subject, for_role
from packtrain.errors import MachineUnready, NotAVoyage, PacktrainError

if TYPE_CHECKING:
    from packtrain.documents.parties import Role
    from packtrain.documents.voyage_file import VoyageFile

_LOOKS: Final = (
    ("libraries", "look_at_python"),
    ("libraries", "look_at_libraries"),
    ("processor", "look_at_code"),
    ("processor", "look_at_hash"),
    ("places", "look_at_folder"),
    ("places", "look_at_room"),
    ("drives", "look_at_drives"),
    ("keys", "look_at_keys"),
    ("clock", "look_at_clock"),
    ("kernel", "look_at_namespaces"),
    ("kernel", "look_at_open_files"),
    ("kernel", "look_at_shared_memory"),
    ("kernel", "look_at_devices"),
    ("training", "look_at_torch"),
    ("cluster", "look_at_ray"),
    ("cluster", "look_at_slurm"),
    ("person", "look_at_locale"),
    ("person", "look_at_terminal"),
    ("programs", "look_at_programs"),
)
"""(module of this room, function): imported one by one, so that a library that does not load takes one look with it."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found for one party.

    Attributes:
        role: the party; None: for all three.
        root: its voyage folder; None without one.
        findings: in the order of the looks.
    """

    role: Role | None
    root: Path | None
    findings: tuple[Finding, ...]

    @property
    def stopped(self) -> tuple[str, ...]:
        """Return the verbs that a fault stops."""
        return tuple(dict.fromkeys(verb for one in self.findings if one.state == "fault" for verb in one.verbs))

    @property
    def exit_code(self) -> int:
        """Return 0, or that of `MachineUnready`."""
        return MachineUnready.exit_code if self.stopped else 0

    def count(self) -> Mapping[State, int]:
        """Return how many findings are in each state."""
        counted = Counter(one.state for one in self.findings)
        return {state: counted[state] for state in STATES}

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "role": self.role,
            "voyage": str(self.root) if self.root is not None else None,
            "ready": not self.stopped,
            "stopped": list(self.stopped),
            "counts": dict(self.count()),
            "findings": [one.to_dict() for one in self.findings],
        }


def examine(folder: Path | None, role: Role | None) -> Examination:
    """Look at everything; change nothing.

    Args:
        folder: the voyage folder; None: the current one, if it is one.
        role: for which party; None: whose folder it is, and all three without a folder.

    Raises:
        NotAVoyage: a folder was named, and holds no voyage.toml.
    """
    findings: list[Finding] = []
    root, voyage = _open(folder, findings)
    if role is None and voyage is not None:
        role = voyage.voyage.role
    subject = Subject(role, root, voyage, dict(os.environ))
    findings += [finding for module, name in _LOOKS for finding in _looked(module, name, subject)]
    kept = (for_role(finding, role) for finding in findings)
    return Examination(role, root, tuple(finding for finding in kept if finding is not None))


def _open(folder: Path | None, findings: list[Finding]) -> tuple[Path | None, VoyageFile | None]:
    """Return the folder and what its voyage.toml says; what hangs or cannot be read becomes a finding."""
    from packtrain.doctor.places import see, silent

    root = (folder or Path()).absolute()
    verbs = ("plan", "prepare", "pack", "admit", "load", "train", "close")
    place = see([root])[0][root]
    if not place.answers:
        findings.append(silent("voyage folder", root, verbs))
        return None, None
    try:
        from packtrain.record.folder import VoyageFolder

        return root, VoyageFolder(root).voyage_file()
    except NotAVoyage:
        if folder is not None:
            raise
        return None, None
    except (PacktrainError, OSError) as error:
        remedy = (error.hint if isinstance(error, PacktrainError) else None) or f"mend {root / 'voyage.toml'}"
        findings.append(
            Finding("voyage.toml", "fault", str(error), verbs, "no verb runs before it can be read", remedy)
        )
        return root, None
    except ImportError as error:
        # What it is comes with the libraries.
        why, remedy = "a library of packtrain does not load", "see packtrain's libraries below"
        findings.append(Finding("voyage.toml", "not shown", str(error), verbs, why, remedy))
        return root, None


def _looked(module: str, name: str, subject: Subject) -> Iterator[Finding]:
    """Yield what one look finds; where it breaks, that this could not be looked at."""
    import importlib

    what = name.removeprefix("look_at_").replace("_", " ")
    try:
        look: Look = getattr(importlib.import_module(f"packtrain.doctor.{module}"), name)
        found: Sequence[Finding] = list(look(subject))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this machine, the other looks go on
        told = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        remedy = "report it, with the output of packtrain doctor --json"
        yield Finding(what, "not shown", told, (), "the look itself failed", remedy)
        return
    yield from found
