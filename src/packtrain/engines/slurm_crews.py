"""The crews of one attempt on the hosts of a job of Slurm: a task on each, led through the job's folder."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from packtrain.engines.crew import MISFIT, CrewNews, ReservedPort, misfit
from packtrain.engines.slurm_place import (
    JobOrder,
    Place,
    Sign,
    SignReader,
    SignWriter,
    Tail,
    Told,
    Word,
    decode,
    error_of,
)
from packtrain.engines.slurm_task import SIGN_EVERY_SECONDS
from packtrain.errors import HostUnfit, PacktrainError
from packtrain.events import HostsAwaited, Sink

_SRUN: Final = (
    "srun",
    "--ntasks-per-node=1",
    # A task is a crew of processes that share the host: bound to one core they would crawl.
    "--cpu-bind=none",
    "--mpi=none",
    "--wait=0",
    # The attempt is judged and ended here: where Slurm ended the others with the first, nobody could save.
    "--kill-on-bad-exit=0",
    "--label",
)
_LOOK_SECONDS: Final = 0.5
_START_SECONDS: Final = 120.0  # a node that boots nothing starts a task within seconds; a prolog may take its time
_END_SECONDS: Final = 20.0
_KILL_SECONDS: Final = 10.0
_OWN: Final = "127.0.0.1"


class _Host:
    """One host: what its task told, and how long it is silent."""

    def __init__(self, place: Place, attempt: int, number: int, num_workers: int) -> None:
        self.number = number
        self.first_rank = num_workers * number
        self._num_workers = num_workers
        self.tail = Tail(place.told(attempt, number))
        self.signs = SignReader(place.sign(attempt, number))
        self.hello: Told | None = None
        self.exit_codes: tuple[int | None, ...] = ()
        self.is_asked = False
        self.has_ended = False
        self.is_lost = False
        self.fault = ""

    def take(self) -> list[CrewNews]:
        """Return the news that came; `fault` says in what they are not those of its workers, and it is lost.

        Raises:
            HostUnfit, TrainingFailed: it can take no work.
        """
        found: list[CrewNews] = []
        for line in self.tail.lines():
            try:
                told = decode(line, Told)
            except ValueError:
                continue  # torn, or not ours: who tells nothing else falls silent
            if told.news is not None and not self.fault:
                self.fault = misfit(told.news, self.first_rank, self._num_workers)
            if self.fault:
                # Nothing that it tells counts any more, not even that its work is at an end.
                continue
            if told.error:
                raise error_of(told.error)
            self.hello = self.hello or told
            self.is_asked |= told.is_asked
            self.has_ended |= told.has_ended
            if told.news is not None:
                self.exit_codes = told.news.exit_codes
                found.append(told.news)
        return found


class SlurmCrews:
    """See `attempt.Crews`. Made in the batch process, which runs on the first of the hosts.

    Args:
        place, order: of the job.
        attempt: its number; its files are made here.
        hosts: names of the nodes, in the order of Slurm's node ids.
        look: called again and again, with whether Slurm asked a host to end; what it raises ends the attempt.
        sink: takes what is waited for.
    """

    resumed_from = ""
    short_grace_seconds = 5.0

    def __init__(
        self,
        place: Place,
        order: JobOrder,
        attempt: int,
        hosts: tuple[str, ...],
        look: Callable[[bool], None],
        sink: Sink,
    ) -> None:
        self.hosts = hosts
        self._place = place
        self._order = order
        self._attempt = attempt
        self._look = look
        self._sink = sink
        place.make_attempt(attempt, len(hosts))
        self._sign = Sign(0, attempt, num_hosts=len(hosts))
        self._signs = SignWriter(place.batch_sign(attempt))
        self._next_sign = float("-inf")
        self._next_look = float("-inf")
        self._hosts = [_Host(place, attempt, number, order.job.num_workers) for number in range(len(hosts))]
        self._port: ReservedPort | None = None
        self._held: list[CrewNews] = []
        self._awaited: tuple[str, ...] = ()
        self._srun: subprocess.Popen[bytes] | None = None
        self._started = time.monotonic()

    def start(self) -> None:
        """Have the tasks started; `news` sends them off when all are there."""
        self._say("wait")
        self._started = time.monotonic()
        task = (sys.executable, "-m", "packtrain", "run-workers", str(self._place.root), str(self._attempt))
        self._srun = subprocess.Popen(
            (*_SRUN, f"--nodes={len(self.hosts)}", f"--ntasks={len(self.hosts)}", *task),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def news(self, timeout_seconds: float) -> Sequence[CrewNews]:
        """Return what came in, waiting at most so long; files are looked at twice a second."""
        if self._sign.word not in ("wait", "go"):  # the end is on its way: nobody cuts the grace short
            return self._news(timeout_seconds)
        self._look(False)
        found = self._news(timeout_seconds)
        if any(host.is_asked for host in self._hosts):
            self._held = found
            self._look(True)
        return found

    def _news(self, timeout_seconds: float) -> list[CrewNews]:
        time.sleep(timeout_seconds)
        if time.monotonic() < self._next_look:
            return []
        self._next_look = time.monotonic() + _LOOK_SECONDS
        if time.monotonic() >= self._next_sign:
            self._say(self._sign.word)
        found, self._held = self._held, []
        has_srun_ended = self._srun is not None and self._srun.poll() is not None
        for host in self._hosts:
            found += host.take()
            if (why := self._why_lost(host, has_srun_ended=has_srun_ended)) and not host.is_lost:
                host.is_lost = True
                found.append(CrewNews(host.first_rank, lost=why, detail=host.fault))
        if self._sign.word == "wait":
            self._send_off()
        return found

    def _why_lost(self, host: _Host, *, has_srun_ended: bool) -> str:
        silent_seconds = host.signs.look()
        if host.fault:
            return MISFIT
        if host.has_ended:
            is_told = host.exit_codes and None not in host.exit_codes
            return "" if is_told else "its task ended before its workers had"
        if has_srun_ended:
            code = self._srun.returncode if self._srun is not None else 0
            return f"its task ended without a word (srun: exit code {code})"
        if host.hello is None:
            is_late = time.monotonic() - self._started > _START_SECONDS
            return f"its task did not start within {_START_SECONDS:g} s" if is_late else ""
        limit = self._order.job.hosts.silent_seconds
        return f"it did not answer for {limit:g} s" if silent_seconds > limit else ""

    def _send_off(self) -> None:
        missing = tuple(self.hosts[host.number] for host in self._hosts if host.hello is None)
        if missing != self._awaited:
            self._awaited = missing
            self._sink(HostsAwaited(self._attempt, missing, "its task to start" if missing else ""))
        if missing:
            return
        # The address that the others reached this host from; its name may lead to 127.0.1.1.
        addresses = [host.hello.launch_address for host in self._hosts[1:] if host.hello is not None]
        address = addresses[0] if addresses else _OWN
        try:
            self._port = ReservedPort(address)
        except OSError as error:
            raise HostUnfit(
                "the first host cannot be reached at the address that the others know it by",
                where=self.hosts[0],
                expected="an address of its own",
                found=f"{address or 'none'}: {(error.strerror or str(error)).lower()}",
                hint="let each node's NodeAddr in slurm.conf lead to its own network address",
            ) from error
        self._say("go", address, self._port.number)

    def ask_to_stop(self) -> None:
        """Have SIGTERM sent to all workers that live."""
        self._say("stop")

    def end(self) -> Sequence[CrewNews]:
        """Kill what still runs and return the last news."""
        self._say("end")
        found, self._held = self._held, []
        deadline = time.monotonic() + _END_SECONDS
        while self._srun is not None and self._srun.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(PacktrainError):
                found += self._news(0.1)
            if all(host.has_ended or host.is_lost for host in self._hosts):
                break
        self._end_srun()
        for host in self._hosts:
            with contextlib.suppress(PacktrainError):
                found += host.take()
        if self._port is not None:
            self._port.close()
        return found

    def _end_srun(self) -> None:
        if self._srun is None:
            return
        # A task that has told its end is about to; one on a host that is gone is ended by Slurm with the job.
        has_hosts = all(host.has_ended for host in self._hosts)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._srun.wait(_KILL_SECONDS if has_hosts else 0.1)
            return
        self._srun.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._srun.wait(_KILL_SECONDS)
            return
        self._srun.kill()
        self._srun.wait()

    def _say(self, word: Word, address: str = "", port: int = 0) -> None:
        before = self._sign
        self._sign = Sign(
            before.count + 1,
            self._attempt,
            word,
            address or before.master_address,
            port or before.master_port,
            len(self.hosts),
        )
        self._next_sign = time.monotonic() + SIGN_EVERY_SECONDS
        self._signs.write(self._sign)
