"""Hosts with folders of their own, from the driver's side: what an attempt begins from, copies meanwhile, the end.

Copying waits for hosts and their disks, so it is done in threads; the driver's own thread goes on asking all hosts
whether they are there, and one that is lost ends what waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from packtrain.engines.host_folder import HostFolderLink
from packtrain.engines.roster import Member, Roster
from packtrain.errors import ClusterUnreachable
from packtrain.events import Event, Notice, Sink, TrainingStep
from packtrain.ports import HostPlaces, TrainingJob
from packtrain.training.checkpoint_copies.driver import CheckpointCopies, Ready
from packtrain.training.checkpoints import newest_checkpoint
from packtrain.units import counted

_LOOK_SECONDS: Final = 2.0  # between two rounds of copying
_TURN_SECONDS: Final = 0.05
_TOLD_SECONDS: Final = 3.0  # of waiting, before it is told for what
_CLOSE_SECONDS: Final = 5.0
_PINGS_A_SILENCE: Final = 4  # fewer than the polls of an attempt: those come first

R = TypeVar("R")


class HostCheckpoints:
    """The checkpoints of one run, on the members of a roster. One thread uses it.

    Args:
        job: what runs.
        places: where on the hosts.
        roster: the members; one that is lost is forgotten here by itself.
        sink: takes warnings.
    """

    def __init__(self, job: TrainingJob, places: HostPlaces, roster: Roster, sink: Sink) -> None:
        self._job = job
        self._places = places
        self._roster = roster
        self._sink = sink
        self._copies = CheckpointCopies({}, job.hosts.checkpoint_copies, home=job.checkpoints)
        self._links: dict[str, HostFolderLink] = {}
        self._num_step_lines = 0
        self._looked = float("-inf")
        self._told: set[str] = set()
        self._has_begun = False
        roster.when_lost.append(lambda member, reason: self._lose(member))

    def join(self, member: Member) -> None:
        """Take a host in, with whatever its folder has of this run."""
        link = self._roster.links.folder(member.host, self._places)
        self._links[member.host.address] = link
        self._copies.join(member.host.address, link)

    def take(self, event: Event) -> None:
        """Note an event of the attempt: step lines say that a save is behind the program."""
        self._num_step_lines += isinstance(event, TrainingStep)

    def make_ready(self, hosts: tuple[str, ...], tell: Callable[[str], None]) -> Ready:
        """Give these hosts, in rank order, the checkpoint to go on from; no worker runs. See `before_attempt`.

        Args:
            hosts: their addresses.
            tell: called with what is waited for, when it has lasted; and with "" when it is over.
        """
        state = self._copies.state
        newest = (*((state.counted,) if state.counted else ()), *state.waiting)[-1:]
        what = f"its copy of {newest[0]}" if newest else "its folder to be ready"
        ready = self._beside(lambda: self._copies.before_attempt(hosts), lambda: tell(what))
        tell("")
        self._num_step_lines = 0
        for text in ready.told:
            self._sink(Notice("train", text, is_warning=True))
        if not ready.failed:
            self._say_what_is_left_behind(ready)
            self._has_begun = True
        return ready

    def meanwhile(self) -> None:
        """Have copies made of what was saved; it never waits."""
        now = time.monotonic()
        self._ping(now)
        if now > self._looked + _LOOK_SECONDS:
            self._looked = now
            for trouble in self._copies.look(self._num_step_lines).troubles:
                if trouble not in self._told:
                    self._told.add(trouble)
                    self._sink(Notice("train", f"copies of checkpoints: {trouble}", is_warning=True))

    def bring_home(self, hosts: Sequence[str]) -> None:
        """Bring the results of the host of rank 0, and the newest checkpoint, of a program that ended well.

        Raises:
            ClusterUnreachable: no host that has them can give them.
            DriveFull: they have no room here.
        """

        def bring() -> int:
            num_left_out = self._links[hosts[0]].bring_results(self._places.results)
            self._copies.finish(self._job.checkpoints)
            return num_left_out

        try:
            num_left_out = self._beside(bring, lambda: None)
        except (OSError, ValueError, KeyError) as error:
            raise ClusterUnreachable(
                "the program ended well, and what it ended with could not be brought here",
                where=hosts[0],
                found=str(error)[:300],
                expected=f"{self._places.results_there}, and the newest checkpoint",
                hint="run the same command again: it goes on from the newest checkpoint of the hosts, and brings both",
            ) from error
        if num_left_out:
            text = f"{counted(num_left_out, 'result')} below {self._places.results_there} on {hosts[0]}"
            text += " left there: links, what is no plain file, and what has no place here"
            self._sink(Notice("train", text, is_warning=True))

    def close(self) -> None:
        """Wait for copies that still run; with the agents of their hosts they end, so it does not take long."""
        self._copies.wait(_CLOSE_SECONDS)

    def _say_what_is_left_behind(self, ready: Ready) -> None:
        here = newest_checkpoint(self._job.checkpoints)
        if not self._has_begun and not ready.entry and here is not None:
            text = f"no host has a checkpoint of this run in {self._places.folder} any more, and it begins anew:"
            text += f" nothing says that {here} is whole, so that it is not gone on from"
            self._sink(Notice("train", text, is_warning=True))

    def _lose(self, member: Member) -> None:
        if self._links.pop(member.host.address, None) is not None:
            self._copies.lose(member.host.address)

    def _beside(self, work: Callable[[], R], tell: Callable[[], None]) -> R:
        """Return what `work` returns, done in a thread while hosts are asked whether they are there.

        Raises:
            Exception: what `work` raises.
            ClusterUnreachable: the cluster itself is gone.
        """
        results: list[R] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                errors.append(error)

        thread = threading.Thread(target=run, name="host-checkpoints", daemon=True)
        begun = time.monotonic()
        is_told = False
        thread.start()
        while thread.is_alive():
            self._roster.links.present()
            self._ping(time.monotonic())
            self._roster.turn(_TURN_SECONDS)
            if not is_told and time.monotonic() > begun + _TOLD_SECONDS:
                is_told = True
                tell()
        for error in errors:
            raise error
        return results[0]

    def _ping(self, now: float) -> None:
        """Ask those that nobody has asked anything for a while: also hosts that only keep copies can be lost."""
        for member in list(self._roster.members.values()):
            if not member.is_busy and now > member.asked + self._job.hosts.silent_seconds / _PINGS_A_SILENCE:
                self._roster.ask(member, "ping")
