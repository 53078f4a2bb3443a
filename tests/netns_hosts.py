"""Hosts on one machine: network namespaces with an address each, on a switch of their own. They can lose power.

Nothing of it touches the network of the machine: the switch lies in a namespace too, and has no way out. All hosts see
the machine's file system; `Host.hide` covers a folder on one of them.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_SUBNET = "10.77.0"


@cache
def why_no_hosts() -> str | None:
    """Return why hosts cannot be made here, or None if they can."""
    if os.geteuid() != 0:
        return "not root: network namespaces with addresses need it"
    if shutil.which("ip") is None:
        return "no ip command (Debian package: iproute2)"
    name = f"pt{secrets.token_hex(3)}"
    try:
        for command in (
            f"netns add {name}",
            f"-n {name} link add name sw type bridge",
            f"-n {name} link add name end type veth",
        ):
            done = _ip(*command.split())
            if done.returncode != 0:
                return f"ip {command.split()[0]} is refused: {done.stderr.strip()}"
    finally:
        _ip("netns", "del", name)
    return None


def _ip(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=20)


@dataclass
class Host:
    """One host: a namespace with one interface.

    Attributes:
        number: counted from 1.
        namespace: its name for `ip netns`.
        address: what the others reach it at.
        hidden: folders that programs started on it see empty.
        bound: folders that programs started on it see in the place of others, each with that place.
    """

    number: int
    namespace: str
    address: str
    hidden: list[Path] = field(default_factory=list)
    bound: list[tuple[Path, Path]] = field(default_factory=list)

    def hide(self, folder: Path) -> None:
        """Let programs that are started from now on see an empty folder there."""
        self.hidden.append(folder)

    def bind(self, folder: Path, place: Path) -> None:
        """Let programs that are started from now on see a folder at another place, which is there."""
        self.bound.append((folder, place))

    def argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` on this host."""
        inner = list(argv)
        if self.hidden or self.bound:
            mounts = "".join(f"mount -t tmpfs none '{folder}'; " for folder in self.hidden)
            mounts += "".join(f"mount --bind '{folder}' '{place}'; " for folder, place in self.bound)
            inner = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts}exec "$@"', "sh", *inner]
        return ["ip", "netns", "exec", self.namespace, *inner]

    def processes(self) -> list[int]:
        """Return the ids of all processes on it."""
        return [int(line) for line in _ip("netns", "pids", self.namespace).stdout.split()]


class Hosts:
    """A switch, and hosts on it. Make it with `network_of_hosts`."""

    def __init__(self) -> None:
        self._tag = f"pt{secrets.token_hex(3)}"
        self._switch = f"{self._tag}-sw"
        self.hosts: list[Host] = []
        self._must("netns", "add", self._switch)
        self._must("-n", self._switch, "link", "add", "name", "switch", "type", "bridge")
        self._must("-n", self._switch, "link", "set", "switch", "up")

    def add_host(self) -> Host:
        """Return a new host, up and reachable by all others."""
        number = len(self.hosts) + 1
        host = Host(number, f"{self._tag}-h{number}", f"{_SUBNET}.{number}")
        port = f"port{number}"
        self._must("netns", "add", host.namespace)
        self.hosts.append(host)
        self._must(
            *("-n", self._switch, "link", "add", "name", port, "type", "veth"),
            *("peer", "name", "lan0", "netns", host.namespace),
        )
        self._must("-n", self._switch, "link", "set", port, "master", "switch", "up")
        self._must("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "lan0")
        self._must("-n", host.namespace, "link", "set", "lan0", "up")
        self._must("-n", host.namespace, "link", "set", "lo", "up")
        return host

    def run_in(self, host: Host, argv: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a program on a host to its end; options are those of `subprocess.run`."""
        asked: Any = {"capture_output": True, "text": True, "check": False, **options}
        return subprocess.run(host.argv(argv), **asked)

    def start_in(self, host: Host, argv: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a program on a host; options are those of `subprocess.Popen`."""
        asked: Any = {"text": True, **options}
        return subprocess.Popen(host.argv(argv), **asked)

    def kill_host(self, host: Host) -> None:
        """End all processes of a host at once; its kernel still says so to the others (the connections are reset)."""
        for _ in range(50):
            for process in (found := host.processes()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if not found:
                return
            time.sleep(0.1)
        raise AssertionError(f"processes of {host.namespace} do not end: {host.processes()}")

    def cut_cable(self, host: Host) -> None:
        """Let a host hear nobody and be heard by nobody, with all that runs on it; `power_on` mends it."""
        self._must("-n", self._switch, "link", "set", f"port{host.number}", "down")

    def power_off(self, host: Host) -> None:
        """Take a host away without a word to anybody: first its cable, then its processes."""
        self.cut_cable(host)
        self.kill_host(host)

    def power_on(self, host: Host) -> None:
        """Let a host that was powered off, or lost its cable, be reached again."""
        self._must("-n", self._switch, "link", "set", f"port{host.number}", "up")

    def close(self) -> None:
        """End what runs on the hosts, and take them and the switch away."""
        for host in self.hosts:
            self.kill_host(host)
            _ip("netns", "del", host.namespace)
        _ip("netns", "del", self._switch)

    def _must(self, *arguments: str) -> None:
        done = _ip(*arguments)
        assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextlib.contextmanager
def network_of_hosts(count: int) -> Iterator[Hosts]:
    """Yield so many hosts; they and all that runs on them are gone at the end."""
    made = Hosts()
    try:
        for _ in range(count):
            made.add_host()
        yield made
    finally:
        made.close()


def until(condition: Any, seconds: float, what: str) -> None:
    """Wait until a condition holds; fail with `what` if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def with_source_tree(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which programs on a host import this checkout's packtrain and the tests' helpers."""
    root = Path(__file__).parents[1]
    paths = [str(root / "src"), str(root / "tests"), environment.get("PYTHONPATH", "")]
    return {**environment, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
