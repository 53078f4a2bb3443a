"""The driver's side of the copies: looks at all hosts, has whole checkpoints copied, and makes hosts ready to go on."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from packtrain import durable
from packtrain.training.checkpoint_copies import policy
from packtrain.training.checkpoint_copies.cuts import (
    Cut,
    HostFiles,
    Inventory,
    attempt_name,
    attempt_number,
    checked,
)
from packtrain.training.checkpoint_copies.home import HomeCopy
from packtrain.training.checkpoint_copies.keeper import Keeper
from packtrain.units import counted

_HOSTS_AT_ONCE: Final = 16
_STEPS_PAST: Final = 2
"""Rank 0 writes its step line before or after it saves; behind the second one all ranks have been past the save."""

_TRIES: Final = 3

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CopiesState:
    """How the copies stand, as of the last round that ended.

    Attributes:
        counted: the newest checkpoint that counts, "" where none does.
        waiting: whole checkpoints that are newer and do not count yet, oldest first.
        troubles: what went wrong in the round, one sentence each.
    """

    counted: str = ""
    waiting: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """What hosts were made ready with.

    Attributes:
        entry: the checkpoint that all of them have now as their newest, "" where they begin anew.
        failed: what went wrong by host: an attempt must not start; form it without them and ask again.
        told: what people should know of it, one sentence each.
    """

    entry: str
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    told: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    saved: policy.Saved
    at_seconds: float
    at_step: int


class CheckpointCopies:
    """Keeps checkpoints of hosts with folders of their own on more hosts than one.

    Args:
        hosts: all that can be reached, in rank order; those of an attempt are named in `before_attempt`.
        copies: on how many other hosts each file lies before a checkpoint counts.
        stores: folders that all hosts see, by name: a checkpoint counts when it lies there, and hosts hold no copies.
        settle_seconds: for so long nothing changes in a checkpoint that is taken for whole.
        home: where `finish` brings checkpoints to. What lies there, proven, is gone on from where it is newer than what
            the hosts of the first attempt have.
    """

    def __init__(
        self,
        hosts: Mapping[str, HostFiles],
        copies: int,
        stores: Mapping[str, HostFiles] | None = None,
        settle_seconds: float = 3.0,
        home: Path | None = None,
    ) -> None:
        self._hosts = dict(hosts)
        self._stores = dict(stores or {})
        self._copies = copies
        self._settle_seconds = settle_seconds
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._state = CopiesState()
        self._num_attempts = 0
        self._step = 0
        self._conflicts: list[str] = []
        self._refusing: frozenset[str] = frozenset()
        self._home = home
        self._is_home_looked_at = home is None
        self._told: list[str] = []
        self._round: threading.Thread | None = None
        self._lock = threading.Lock()

    def look(self, step: int = 0) -> CopiesState:
        """Begin a round of copying unless one runs, and return how things stand; it never waits for a host.

        Args:
            step: the number of step lines read so far in this attempt.
        """
        with self._lock:
            self._step = step
        if self._round is None or not self._round.is_alive():
            self._round = threading.Thread(target=self._copy, name="checkpoint-copies", daemon=True)
            self._round.start()
        return self._state

    @property
    def state(self) -> CopiesState:
        """Return how things stood when the last round ended."""
        return self._state

    def wait(self, timeout_seconds: float | None = None) -> CopiesState:
        """Return how things stand when the round that runs has ended, or after so long."""
        if self._round is not None:
            self._round.join(timeout_seconds)
        return self._state

    def join(self, host: str, files: HostFiles) -> None:
        """Take a host in, with whatever it has from earlier."""
        with self._lock:
            self._hosts[host] = files

    def lose(self, host: str) -> None:
        """Take a host for lost: what it holds counts no more."""
        with self._lock:
            self._hosts.pop(host, None)

    def before_attempt(self, hosts: tuple[str, ...]) -> Ready:
        """Give each of these hosts, named in rank order, the newest whole checkpoint that the living hosts still have.

        What they have is proven first: damage, or a copy that cannot be read, makes it another host's that is taken.
        To be called when no worker runs. All hosts then have it, so it counts, whether or not it did before.
        """
        self.wait()
        with self._lock:
            ordered = {host: self._hosts[host] for host in hosts if host in self._hosts}
            self._hosts = {**ordered, **self._hosts}
        missing = {host: "is not reached" for host in hosts if host not in ordered}
        cut, refused = self._fetch(hosts)
        if failed := {**missing, **refused}:
            return Ready("", failed)
        self._num_attempts += 1
        attempt = attempt_name(self._num_attempts, len(hosts))
        _, failed = self._ask(ordered, lambda files: files.install(cut, attempt))
        self._seen.clear()
        if failed:
            return Ready("", failed)
        held, _ = self._inventories()
        self._note(held, ())
        self._refusing = frozenset()
        told, self._told = tuple(self._told), []
        return Ready(cut.entry if cut is not None else "", told=told)

    def _fetch(self, hosts: tuple[str, ...]) -> tuple[Cut | None, dict[str, str]]:
        """Bring all files of the newest whole checkpoint to these hosts; return it, and what went wrong by host."""
        refused: dict[str, str] = {}
        num_tries = 0
        while num_tries < _TRIES:
            held, failed = self._take_stock(is_stopped=True, is_passed=False)
            self._num_attempts = max(
                [self._num_attempts, *(attempt_number(inventory.attempt) for inventory in held.values())]
            )
            if failed := {host: reason for host, reason in failed.items() if host in hosts}:
                return None, failed
            # Chosen anew each time: a host that others fetched from may have been the last one with the newest.
            cut = policy.newest_restorable(held)
            home = self._newer_home(cut)
            if home is not None:
                if failed := self._bring_from_home(home, hosts[0]):
                    return None, failed
                continue
            if cut is None:
                return None, {}
            if self._drop_damaged(cut):
                continue
            pulls = policy.fetches_for(cut, held, hosts)
            if not pulls:
                return cut, {}
            refused = self._make(pulls)
            num_tries += 1
        return None, refused or dict.fromkeys(hosts, "the checkpoint to go on from changes while it is fetched")

    def _drop_damaged(self, cut: Cut) -> bool:
        """Have the hosts read what they hold of a cut, where they have not yet; return whether some of it is gone."""
        # Who does not answer is found by what follows.
        dropped, _ = self._ask(self._reached(), lambda files: files.prove(frozenset(cut.contents)))
        self._told += [
            f"{host} had {counted(len(damaged), 'damaged or unreadable file')} of {cut.entry}: others' copies are taken"
            for host, damaged in dropped.items()
            if damaged
        ]
        return any(dropped.values())

    def _newer_home(self, cut: Cut | None) -> Cut | None:
        """Return what lies at home, whole, where it is newer than this; told once where it should be and is not."""
        if self._is_home_looked_at or self._home is None:
            return None
        self._is_home_looked_at = True
        home = HomeCopy(self._home)
        noted = home.noted()
        if noted is None or (cut is not None and noted.age <= cut.age):
            return None
        if not home.is_whole(noted):
            self._told.append(f"{self._home / noted.entry} is not as it was brought here: it is not gone on from")
            return None
        return noted

    def _bring_from_home(self, cut: Cut, host: str) -> dict[str, str]:
        """Bring a checkpoint from home to one host, from which the others fetch it; return what went wrong by host."""
        assert self._home is not None
        home = HomeCopy(self._home)
        files = {file.sha256: file for file in cut.files}
        reached = self._reached()

        def read(sha256: str, offset: int, most_bytes: int) -> bytes:
            return home.read_chunk(cut, files[sha256], offset, most_bytes)

        def bring() -> None:
            for file in files.values():
                reached[host].push(file, read)

        _, failed = self._ask_each({host: bring})
        if not failed:
            _, failed = self._ask({host: reached[host]}, lambda at: at.adopt(cut))
        # Looked at again, should it have been the host's fault; what came is not sent twice.
        self._is_home_looked_at = not failed
        if not failed:
            self._told.append(f"the hosts go on from {cut.entry} of the voyage folder: none of them has a newer one")
        return failed

    def finish(self, into: Path) -> Path | None:
        """Bring the newest whole checkpoint of a program that ended well to a folder; return its path, or None.

        Raises:
            OSError: no host that has a file of it can give it.
            DriveFull: it has no room there.
        """
        self.wait()
        held, _ = self._take_stock(is_stopped=True, is_passed=True)
        cut = policy.newest_restorable(held)
        if cut is None:
            return None
        scratch = into / ".copies.part"
        keeper = Keeper(into, scratch)
        keeper.adopt(cut)
        files = {file.sha256: file for file in cut.files}
        durable.require_room(into, sum(file.size_bytes - keeper.received_bytes(file) for file in files.values()))
        reached = self._reached()
        for file in cut.files:
            errors: list[OSError] = []
            for host in (host for host, inventory in held.items() if file.sha256 in inventory.contents):
                try:
                    keeper.fetch(file, reached[host].read_chunk)
                    break
                except OSError as error:
                    errors.append(error)
            else:
                raise errors[-1]
        target = keeper.deliver(cut)
        HomeCopy(into).note(cut)
        shutil.rmtree(scratch, ignore_errors=True)
        return target

    def _copy(self) -> None:
        """One round: find what is whole, copy the newest that does not count, let go what is not wanted."""
        held, failed = self._take_stock(is_stopped=False, is_passed=False)
        troubles = [f"{host}: {reason}" for host, reason in failed.items()]
        for cut in reversed(policy.known_cuts(held)):
            if policy.counts(cut, held, self._copies, self._stores.keys()):
                break
            unaware = {host: files for host, files in self._reached().items() if not _knows(held.get(host), cut)}
            _, refused = self._ask(unaware, lambda files, cut=cut: files.adopt(cut))
            troubles += [f"{host}: {reason}" for host, reason in refused.items()]
            if pulls := policy.copies_to_make(cut, held, self._copies, self._stores.keys(), self._refusing):
                refused = self._make(pulls)
                troubles += [f"{host}: {reason}" for host, reason in refused.items()]
                self._refusing = (self._refusing - {pull.to for pull in pulls}) | refused.keys()
                # The next round takes what is the newest then: copying that is slower than saving leaves some out.
                break
        held, missing = self._inventories()
        # A host that does not answer now may come back: until it is given up, nothing is let go on its account.
        # One that answers and has no space must not keep the others from letting go: their disks would fill up, too.
        if not missing and (wanted := policy.to_retain(held, self._copies, self._stores.keys())) is not None:
            _, refused = self._ask(self._reached(), lambda files: files.retain(wanted))
            troubles += [f"{host}: {reason}" for host, reason in refused.items()]
        self._note(held, tuple(troubles))

    def _note(self, held: policy.Inventories, troubles: tuple[str, ...]) -> None:
        counted = policy.newest_counted(held, self._copies, self._stores.keys())
        waiting = [cut.entry for cut in policy.known_cuts(held) if counted is None or cut.age > counted.age]
        troubles += tuple(dict.fromkeys(self._conflicts))
        self._state = CopiesState(counted.entry if counted is not None else "", tuple(waiting), troubles)

    def _take_stock(self, *, is_stopped: bool, is_passed: bool) -> tuple[dict[str, Inventory], dict[str, str]]:
        """Look at all hosts, and have what is whole noted on them; return what they hold then, and who failed."""
        held, failed = self._inventories()
        known = {(cut.entry, cut.attempt): cut for cut in policy.known_cuts(held)}
        contents = {sha256 for inventory in held.values() for sha256 in inventory.contents}
        saved = policy.saved_entries(held)
        self._conflicts = []
        seen: dict[tuple[str, str], _Seen] = {}
        for one in saved:
            key = (one.name, one.attempt)
            before = self._seen.get(key)
            if before is None or before.saved != one:
                before = _Seen(one, time.monotonic(), self._step)
            seen[key] = before
            if not policy.is_whole(
                one,
                saved,
                sum(inventory.attempt == one.attempt for host, inventory in held.items() if host not in self._stores),
                is_settled=time.monotonic() - before.at_seconds >= self._settle_seconds,
                is_passed=is_passed or self._step >= before.at_step + _STEPS_PAST,
                is_stopped=is_stopped,
            ):
                continue
            if key in known and _is_of(one, known[key]) and known[key].contents.keys() <= contents:
                continue
            failed |= self._note_whole(one)
        self._seen = seen
        if failed or saved:
            held, missing = self._inventories()
            failed |= missing
        return held, failed

    def _note_whole(self, saved: policy.Saved) -> dict[str, str]:
        reached = self._reached()
        parts = {host: part for host, part in saved.parts if host in reached}
        if len(parts) < len(saved.parts):
            return {}
        digests, failed = self._ask_each(
            {host: (lambda p=part, h=host: reached[h].digests(p)) for host, part in parts.items()}
        )
        if failed:
            # Pruned or written anew while it was read, most likely: the next round sees what it is then.
            return {}
        cut, conflicts = policy.union(saved, digests)
        self._conflicts += [
            f"checkpoint {one.entry}: {one.path or one.entry} has other bytes on {', '.join(one.others)} than on "
            f"{one.taken_from}, whose file is taken"
            for one in conflicts
        ]
        _, failed = self._ask(reached, lambda files: files.adopt(cut))
        return failed

    def _make(self, pulls: list[policy.Pull]) -> dict[str, str]:
        by_host: dict[str, list[policy.Pull]] = {}
        for pull in pulls:
            by_host.setdefault(pull.to, []).append(pull)
        reached = self._reached()

        def work_of(host: str) -> Callable[[], None]:
            def work() -> None:
                for pull in by_host[host]:
                    try:
                        reached[host].pull(pull.file, pull.source)
                    except OSError as error:
                        if error.errno == errno.EBADMSG:
                            # It may lie there so, and not it alone: what is dropped is fetched from others next time.
                            asked = frozenset(each.file.sha256 for each in pulls if each.source == pull.source)
                            reached[pull.source].prove(asked, is_anew=True)
                        raise

            return work

        _, failed = self._ask_each({host: work_of(host) for host in by_host if host in reached})
        return failed

    def _inventories(self) -> tuple[dict[str, Inventory], dict[str, str]]:
        found, failed = self._ask(self._reached(), lambda files: _checked(files.inventory()))
        # In rank order, whoever answered first.
        return {host: found[host] for host in self._reached() if host in found}, failed

    def _reached(self) -> dict[str, HostFiles]:
        with self._lock:
            return {**self._hosts, **self._stores}

    def _ask(
        self, hosts: Mapping[str, HostFiles], question: Callable[[HostFiles], R]
    ) -> tuple[dict[str, R], dict[str, str]]:
        return self._ask_each({host: (lambda f=files: question(f)) for host, files in hosts.items()})

    def _ask_each(self, work: Mapping[str, Callable[[], R]]) -> tuple[dict[str, R], dict[str, str]]:
        """Return what each host answered, and why others did not."""
        answers: dict[str, R] = {}
        failed: dict[str, str] = {}
        if not work:
            return answers, failed
        with ThreadPoolExecutor(max_workers=min(_HOSTS_AT_ONCE, len(work))) as pool:
            for host, future in [(host, pool.submit(call)) for host, call in work.items()]:
                try:
                    answers[host] = future.result()
                except (OSError, ValueError) as error:
                    failed[host] = str(error)
        return answers, failed


def _is_of(saved: policy.Saved, cut: Cut) -> bool:
    """Return whether a known cut is what lies there now, and not what lay there under the same name before."""
    sizes = {file.path: file.size_bytes for file in cut.files}
    newest = max(file.changed_ns for _, part in saved.parts for file in part.files)
    return newest == cut.changed_ns and all(
        sizes.get(file.path) is not None for _, part in saved.parts for file in part.files
    )


def _knows(inventory: Inventory | None, cut: Cut) -> bool:
    return inventory is not None and any(known.digest == cut.digest for known in inventory.cuts)


def _checked(inventory: Inventory) -> Inventory:
    for cut in inventory.cuts:
        checked(cut)
    return inventory
