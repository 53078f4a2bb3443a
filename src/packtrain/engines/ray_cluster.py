"""Joining a Ray cluster, for whatever is done on it; the one importer of ray."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packtrain import process_end
from packtrain.engines.processes import NO_TELEMETRY
from packtrain.errors import ClusterUnreachable, MissingDependency, VoyageFileError
from packtrain.events import Notice, Sink
from packtrain.units import MIB

_ANSWER_SECONDS: Final = 30.0  # for a head to take a connection
_LEAVE_SECONDS: Final = 10.0
_STORE_BYTES: Final = 256 * MIB  # of a Ray of our own: what crosses it are receipts and reports, kilobytes each
_TURNED_AWAY: Final = (
    "a head that takes connections and lets nobody join most often wants its token: RAY_AUTH_MODE=token here, and the "
    "head's token in ~/.ray/auth_token or where RAY_AUTH_TOKEN_PATH says; otherwise "
)
ENVIRONMENT: Final[Mapping[str, str]] = {**NO_TELEMETRY, "RAY_USAGE_STATS_ENABLED": "0"}
"""What a process on a host needs set."""


@contextlib.contextmanager
def joined(address: str, num_workers: int | None, sink: Sink, stage: str) -> Iterator[Any]:
    """Yield the module ray, joined to a cluster until the end of the context.

    Args:
        address: HOST:PORT of the head; without it RAY_ADDRESS, and without that a Ray of this machine alone.
        num_workers: how many CPUs a Ray of this machine alone has.
        sink: takes a warning where a cluster is joined without a token.
        stage: the verb that it names.

    Raises:
        MissingDependency: the extra `cluster` is not installed.
        VoyageFileError: the address is one of a Ray client.
        ClusterUnreachable: no cluster answers there, or it wants a token that is not here.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingDependency(
            "the engine for many machines is not installed",
            expected="ray",
            hint="pip install 'packtrain[cluster]', on every host",
        )
    os.environ.update(ENVIRONMENT)
    address = address_of(address)
    if address.startswith("ray://"):
        raise VoyageFileError(
            "the address is that of a Ray client's server",
            found=address,
            expected="HOST:PORT of the head, and this command on a host of the cluster",
            hint='start Ray here too: "ray start --address HOST:PORT --num-cpus 0"',
        )
    warn_of_no_token(address, sink, stage)
    if address and address != "auto":
        require_answer(address, _ANSWER_SECONDS)
    ray = library()
    asked: dict[str, Any] = {"address": address}
    if (own := _own_address(address)) is not None:
        # With no way out to the internet Ray takes the first host whose sockets it finds for this one,
        # and with that host's death all that this command does is ended.
        asked["_node_ip_address"] = own
    if not address:
        # "local": without it Ray would join whatever cluster somebody has running on this machine.
        asked = {"address": "local", "num_cpus": num_workers, "object_store_memory": _STORE_BYTES}
        asked["include_dashboard"] = False
    # What a raylet tells, such as the loss of a host, Ray prints on stdout, which is our answer's; there is no option
    # against it in 2.60. Where this switch is gone, a test says so.
    ray._private.worker._worker_logs_enabled = False
    ended_by = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**asked, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=True)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
        raise _not_joined(address, one_line(error), is_heard=bool(address)) from error
    finally:
        # Ray puts a handler of its own in place of the command line's.
        signal.signal(signal.SIGTERM, ended_by)
    try:
        yield ray
    finally:
        _leave(ray)


def address_of(address: str) -> str:
    """Return the address that is meant: as given, or what RAY_ADDRESS says, or ""."""
    return address or os.environ.get("RAY_ADDRESS", "")


def warn_of_no_token(address: str, sink: Sink, stage: str) -> None:
    """Warn where a cluster is to be joined by a process that shows no token: the cluster then asks nobody for one."""
    if address and os.environ.get("RAY_AUTH_MODE") != "token":
        text = 'this Ray cluster is joined without a token (RAY_AUTH_MODE is not "token"): whoever reaches its ports'
        text += " can run programs on all its hosts; docs/how-to/prepare-on-many-machines.md says how to give it one"
        sink(Notice(stage, text, is_warning=True))


def require_answer(address: str, timeout_seconds: float) -> None:
    """Return if something takes connections at HOST:PORT; Ray itself asks for minutes where nobody answers.

    Raises:
        ClusterUnreachable: nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_seconds).close()
    except (OSError, ValueError) as error:
        raise _not_joined(address, getattr(error, "strerror", None) or "it is no HOST:PORT") from error


def one_line(error: Exception) -> str:
    """Return the last line of an error of Ray that is no frame of a traceback; without colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def _not_joined(address: str, why: str, *, is_heard: bool = False) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Ray cannot be {'joined' if address else 'started'}: {why.lower()}",
        where=address or "this machine",
        hint=(_TURNED_AWAY if is_heard else "")
        + 'start it with "ray start --head", let the other hosts join with "ray start --address", and give this '
        "user the cluster's token (docs/how-to/prepare-on-many-machines.md)",
    )


def _own_address(address: str) -> str | None:
    """Return the address by which this host reaches the head; None where nobody can say."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError, ValueError):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as towards:
            towards.connect((host.strip("[]"), int(port)))  # sends nothing: the kernel only chooses the way
            return str(towards.getsockname()[0])
    return None


def _leave(ray: Any) -> None:
    # Without a head Ray waits for it here, for minutes, and once more at the end of the process.
    leaving = threading.Thread(target=ray.shutdown, name="leaving the cluster", daemon=True)
    leaving.start()
    leaving.join(_LEAVE_SECONDS)
    if leaving.is_alive():
        atexit.unregister(ray._private.worker.shutdown)
        # Its threads are in the middle of it: an end of this process in order crashes under them (2.60: SIGSEGV).
        process_end.leave_behind("ray")


def library() -> Any:
    """Return the module ray."""
    # By name: what is said of types must not depend on whether the extra is installed; and a module here is a ray too.
    return importlib.import_module("ray")
