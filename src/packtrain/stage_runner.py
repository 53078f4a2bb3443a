"""How a verb is run in a voyage folder: by whose right, under its lock, on which drives, and once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packtrain import durable
from packtrain.devices.watched import DriveWatch
from packtrain.documents.parties import Parties, Role
from packtrain.documents.receipt import Receipt
from packtrain.errors import VoyageFileError, WrongRole
from packtrain.events import Notice, Sink, StageFinished, StageStarted
from packtrain.record.folder import VoyageFolder
from packtrain.record.live import LiveFile
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.standing import state_of

if TYPE_CHECKING:
    from packtrain.drives import DriveOpener
    from packtrain.ports import AskPassphrase, Drive

NAMES_PREFIX: Final = "names-"
"""Folders below work/ with names in the clear, of processes that open a catalog."""
_RETURN_STEPS: Final[Mapping[Role, str]] = {
    "consignor": "gather, accept",
    "operator": "release, gather",
    "consignee": "export, pieces",
}


class StageRunner:
    """Opens a party's folder, holds its lock while a stage runs, skips stages that are done.

    Args:
        root: the voyage folder.
        sink: takes the events of the stages.
        ask_passphrase: asks a person, where a key is sealed with a passphrase and no file or variable holds it.
        only_watches: nothing is written, not even parties.json: what needs it is told as missing.
    """

    def __init__(
        self, root: Path, sink: Sink, ask_passphrase: AskPassphrase | None = None, *, only_watches: bool = False
    ) -> None:
        self.folder = VoyageFolder(root)
        self.folder.ask_passphrase = ask_passphrase
        self._told = sink
        self._live = LiveFile(self.folder.root, sink)
        self._watch = DriveWatch(self._live)
        self._sink: Sink = self._watch
        self._opener: DriveOpener | None = None
        self._only_watches = only_watches
        self.role: Role = self.folder.voyage_file().voyage.role

    def _refuse_others(self, verb: str, *roles: Role) -> None:
        if self.role not in roles:
            raise WrongRole(
                f'"{verb}" belongs to another party',
                where=str(self.folder.root),
                expected=" or ".join(roles),
                found=self.role,
                hint='"packtrain admit" runs the rules at the site; "packtrain flags show" tells what they said'
                if (verb, self.role) == ("flags", "operator")
                else f"run it in the {roles[0]}'s voyage folder{_own_steps(verb, self.role)}",
            )

    @contextmanager
    def _at_work(self, verb: str, *roles: Role) -> Iterator[None]:
        self._refuse_others(verb, *roles)
        with durable.lock_folder(self.folder.root), self._live.ending():
            # Plaintext waits in here: packing lists, checkpoints, results before they are sealed.
            self.folder.work.mkdir(mode=0o700, exist_ok=True)
            durable.sweep_private_folders(self.folder.work, NAMES_PREFIX)
            self.folder.settle()
            sync_parties(self.folder)
            yield

    def _settle_once(self) -> None:
        """Write parties.json if no verb did yet; a verb that only reads takes no lock and writes nothing else."""
        if not self._only_watches and not self.folder.has(Parties):
            with self._at_work("status", *everyone()):
                pass

    def _run(
        self, stage: str, inputs: Mapping[str, str], work: Callable[[], Receipt], *, is_whole: bool = True
    ) -> Receipt:
        if is_whole and is_fresh(self.folder, stage, inputs):
            receipt = self.folder.receipt(stage)
            assert receipt is not None
            self._sink(StageFinished(stage, receipt.seconds, fresh=True))
            return receipt
        before = self.folder.receipt(stage)
        self._sink(StageStarted(stage))
        started = time.monotonic()
        receipt = work()
        # A folder is always looked at again; where nothing in it is new, nothing was done.
        self._sink(StageFinished(stage, time.monotonic() - started, fresh=receipt == before))
        return receipt

    def _warn_of_stale(self, earlier: str, stage: str, consequence: str) -> None:
        state = state_of(self.folder, self.role, earlier)
        if state.state == "changed":
            text = f'inputs of "{earlier}" changed since it ran: {consequence}; "packtrain {earlier}" takes them in'
            self._sink(Notice(stage, text, is_warning=True))

    def _open_drive(self, path: Path) -> Drive:
        if self._opener is None:
            from packtrain.drives import DriveOpener

            self._opener = DriveOpener(self._sink)  # one for all: it remembers which serial numbers it saw
        return self._watch.watched(self._opener(path))

    def _open_drives(self, paths: Sequence[str | os.PathLike[str]]) -> list[Drive]:
        from packtrain.drives import open_drives

        # One path in the place of several: a text would be taken letter by letter.
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        return open_drives([Path(path) for path in several], self._open_drive)

    def _own_drives(self) -> list[Path]:
        cases = self.folder.voyage_file().drives.case
        if not cases:
            raise VoyageFileError(
                "no drives are named",
                where=str(self.folder.root / "voyage.toml"),
                expected="one [[drives.case]] or more",
                hint='name the drives as arguments, or add a label and its "drives"',
            )
        bays = [path for text in self.folder.voyage_file().drives.bays if (path := self.folder.resolve(text)).is_dir()]
        return [*(self.folder.resolve(text) for case in cases for text in case.drives), *bays]


def everyone() -> tuple[Role, ...]:
    """Return all three roles."""
    return ("consignor", "operator", "consignee")


def _own_steps(verb: str, role: Role) -> str:
    """Return which steps of a verb of several are this party's own, for a hint."""
    family = verb.partition(" ")[0]
    steps = {"carry": "release, accept, adopt, observe", "return": _RETURN_STEPS[role]}.get(family)
    return f'; the {role}\'s own steps of "{family}" are {steps}' if steps is not None else ""
