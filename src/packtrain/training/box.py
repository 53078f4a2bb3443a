"""A box without a network: what runs in it sees loopback, an empty home, and an environment made from a short list.

Made from Linux namespaces by `unshare` of util-linux, as root or as an ordinary user where the kernel allows that.
Where it does not, `probe` says why, and nothing that runs is called proven.

What the box does not take away: the file system (programs see the machine's files), and sockets that are files (a name
service that answers over one, for instance). A name asked of such a service still shows in the witness.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.training import box_init

KEPT_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""All that is taken over from the caller's environment: proxies, tokens and caches are not among it."""

OFFLINE_VARIABLES: Final[Mapping[str, str]] = {
    # Libraries that would try, wait and try again fail at once with these.
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "offline",
    "UV_OFFLINE": "1",
    "UV_NO_CONFIG": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": "/dev/null",
    "PYTHONNOUSERSITE": "1",
}

_POLL_SECONDS: Final = 0.1
# -I: the box's first program must not load what a caller's PYTHONPATH or folder brings.
_INIT: Final = (sys.executable, "-I", str(Path(box_init.__file__)))
_PROBE_SECONDS: Final = 20
_MOST_NAME_BYTES: Final = 64 * 1024
_NAMESPACES: Final[tuple[tuple[str, ...], ...]] = (
    # Best first. A new /proc is refused where a container masks parts of it; a namespace of process numbers makes the
    # end of the box the end of everything in it; one of mounts lets the rehearsal mount a small disk that nobody else
    # sees; one of names lets a program that asks for its own host's name find it without a name service.
    ("--user", "--map-root-user", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    ("--user", "--map-root-user", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child"),
    ("--user", "--map-root-user", "--net"),
    # Root on a machine that forbids user namespaces.
    ("--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    ("--net",),
)


@dataclass(frozen=True, slots=True)
class BoxOutcome:
    """How a command in the box ended: exit status (negative: the signal), seconds, and whether it ran out of time.

    Attributes:
        unrouted_sends: connections and datagrams that the kernel refused because no route leads out, whatever code
            tried them; None where nothing was counted (an open box, or one that had to be ended).
        names_asked: the names that any code asked a name service for, each once; those of loopback are left out.
    """

    status: int
    elapsed_seconds: float
    timed_out: bool
    unrouted_sends: int | None
    names_asked: tuple[str, ...]


class Box:
    """Runs commands without a network.

    Args:
        folder: where its home and temporary folder are made; emptied first.
        is_open: run with the same clean environment but with the network there; nothing is proven then. For machines
            on which `probe` gives a reason.
    """

    def __init__(self, folder: Path, *, is_open: bool = False) -> None:
        self.folder = folder.absolute()
        self.is_open = is_open
        shutil.rmtree(self.folder, ignore_errors=True)
        self._temporary = self.folder / "tmp"
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(parents=True)

    @staticmethod
    def probe() -> str | None:
        """Return why no box can be made on this machine, or None where one can. Tried for real, once a process."""
        found = _find_namespaces()
        return found if isinstance(found, str) else None

    @staticmethod
    def description() -> str:
        """Return how the network is taken away here, in words for people, with the namespaces that are new in it."""
        found = _find_namespaces()
        if isinstance(found, str):
            return found
        new = " ".join(option for option in found if option in ("--user", "--net", "--pid"))
        return f"a network namespace with loopback only, fresh home, no caches (unshare {new})"

    def environment(self, added: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of commands in the box."""
        home = self.folder / "home"
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        places = {"HOME": str(home), "TMPDIR": str(self._temporary), "XDG_CACHE_HOME": str(home / ".cache")}
        return {"PATH": os.defpath, **kept, **OFFLINE_VARIABLES, **places, **(added or {})}

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> BoxOutcome:
        """Run a command to its end; its output goes to `log`. When this returns or raises, nothing of it runs any more.

        Args:
            command: program and arguments, the program by its path.
            cwd: the folder to start in.
            log: file for standard output and error; made anew.
            environment: variables beyond those of `environment()`.
            timeout_seconds: end it after so long.
            on_tick: called about ten times a second while it runs.

        Raises:
            OSError: the command cannot be started.
        """
        found = None if self.is_open else _find_namespaces()
        assert not isinstance(found, str), "the caller probes first"
        log.parent.mkdir(parents=True, exist_ok=True)
        report = self.folder / "unrouted"
        names = self.folder / "unrouted.names"
        for path in (report, names):
            path.unlink(missing_ok=True)
        started = time.monotonic()
        # The box ends when this pipe closes: also when this process is killed and can close nothing itself.
        lifeline, held = os.pipe()
        try:
            with log.open("wb") as stream:
                process = subprocess.Popen(
                    _entered(found, (*command,), lifeline, None if found is None else report),
                    cwd=cwd,
                    env=self.environment(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    pass_fds=(lifeline,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(held)
            raise
        finally:
            os.close(lifeline)
        timed_out = False
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
                if on_tick is not None:
                    on_tick()
                if process.returncode is not None:
                    break
                if timeout_seconds is not None and time.monotonic() - started > timeout_seconds:
                    timed_out = True
                    break
        finally:
            os.close(held)
            status = _end(process)
        return BoxOutcome(status, time.monotonic() - started, timed_out, _read_count(report), _read_names(names))


def _entered(
    namespaces: tuple[str, ...] | None, command: tuple[str, ...], lifeline: int, report: Path | None
) -> list[str]:
    # Libraries ask for the address of their own host; under its outer name that could be a question to a name service.
    host = "localhost" if namespaces is not None and "--uts" in namespaces else box_init.AS_IT_IS
    inside = [*_INIT, str(lifeline), str(report or box_init.AS_IT_IS), host, *command]
    return inside if namespaces is None else [*_unshare(), *namespaces, "--", *inside]


def _read_count(report: Path) -> int | None:
    try:
        with report.open("rb") as stream:
            return int(stream.read(32))
    except (OSError, ValueError):
        return None


def _read_names(names: Path) -> tuple[str, ...]:
    try:
        with names.open("rb") as stream:
            lines = stream.read(_MOST_NAME_BYTES).decode("ascii", "replace").split()
    except OSError:
        return ()
    return tuple(dict.fromkeys(name for name in lines if not _is_of_loopback(name)))


def _is_of_loopback(name: str) -> bool:
    """Return whether a name is localhost, or a question for the name of 127.0.0.0/8, ::1 or ::ffff:127.0.0.0/104."""
    if name in ("localhost", "localhost.localdomain") or name.endswith(".127.in-addr.arpa"):
        return True
    digits = name.removesuffix(".ip6.arpa").replace(".", "")[::-1]
    return name.endswith(".ip6.arpa") and (digits == "1".zfill(32) or digits.startswith("0" * 20 + "ffff7f"))


def _unshare() -> list[str]:
    return [shutil.which("unshare") or "unshare"]


def _end(process: subprocess.Popen[bytes]) -> int:
    # First the box's own first process gets the chance to end all (closed lifeline); then the whole session by force.
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(5)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


@functools.cache
def _find_namespaces() -> tuple[str, ...] | str:
    if sys.platform != "linux":
        return f"network namespaces are Linux's; this is {sys.platform}"
    if shutil.which("unshare") is None:
        return "the command unshare is not installed (Debian package: util-linux)"
    reason = ""
    for namespaces in _NAMESPACES:
        if "--user" not in namespaces and os.geteuid() != 0:
            continue
        reason = _try(namespaces)
        if not reason:
            return namespaces
    return f"the kernel refuses network namespaces here: {reason}"


def _try(namespaces: tuple[str, ...]) -> str:
    read_end, write_end = os.pipe()
    try:
        done = subprocess.run(
            _entered(namespaces, (*_INIT, "check"), read_end, Path(os.devnull)),
            capture_output=True,
            check=False,
            timeout=_PROBE_SECONDS,
            pass_fds=(read_end,),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        os.close(read_end)
        os.close(write_end)
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else f"unshare ended with {done.returncode}"
