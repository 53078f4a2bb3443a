"""A Ray cluster over the hosts of `netns_hosts`: one process tree a host, with a token, and quick to notice a loss."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netns_hosts import Host, Hosts, network_of_hosts, why_no_hosts, with_source_tree

PORT = 6379
# Ray's own: a host is lost after five checks, 3 s apart, of 10 s each, so after about a minute. Here after about 4 s.
QUICK = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


def why_no_cluster() -> str | None:
    """Return why there can be no cluster here, or None if there can."""
    if importlib.util.find_spec("ray") is None:
        return "ray is not installed (the extra cluster)"
    return why_no_hosts()


@dataclass
class RayHosts:
    """Hosts with Ray on them: the first is the head.

    Attributes:
        hosts: the network.
        environment: for programs on every host.
        place: where Ray keeps sockets and logs.
    """

    hosts: Hosts
    environment: dict[str, str]
    place: Path

    @property
    def head(self) -> Host:
        """Return the head's host."""
        return self.hosts.hosts[0]

    @property
    def address(self) -> str:
        """Return what drivers and other hosts join at."""
        return f"{self.head.address}:{PORT}"

    def start(self, host: Host, num_cpus: int = 1, **more: str) -> None:
        """Start Ray on a host, as the head on the first one; `more` is for its environment."""
        as_head = ["--head", "--port", str(PORT), "--include-dashboard", "false", "--temp-dir", str(self.place)]
        part = as_head if host is self.head else ["--address", self.address]
        argv = [sys.executable, "-m", "ray.scripts.scripts", "start", *part, "--node-ip-address", host.address]
        argv += ["--num-cpus", str(num_cpus), "--object-store-memory", "80000000", "--disable-usage-stats"]
        if host is self.head:
            # A head that lost its power leaves this behind, and Ray refuses to start beside it; "ray stop" removes it.
            (self.place / "ray_current_cluster").unlink(missing_ok=True)
        log = self.place / f"start-{host.number}.txt"
        # To a file and not to a pipe: what it leaves running would keep the pipe open.
        with log.open("w") as stream:
            done = self.hosts.run_in(
                host,
                argv,
                capture_output=False,
                stdout=stream,
                stderr=stream,
                env=self.environment | more,
                timeout=120,
            )
        assert done.returncode == 0, log.read_text()

    def packtrain(self, *arguments: str, seconds: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run packtrain on the head's host to its end."""
        return self.hosts.run_in(self.head, _packtrain(*arguments), env=self.environment, timeout=seconds)

    def start_packtrain(self, *arguments: str, host: Host | None = None) -> "subprocess.Popen[str]":
        """Start packtrain on a host: the head's, or another that Ray runs on."""
        pipe = subprocess.PIPE
        return self.hosts.start_in(
            host or self.head,
            _packtrain(*arguments),
            env=self.environment,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )


def _packtrain(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "packtrain", *arguments]


@contextlib.contextmanager
def ray_hosts(count: int, *, num_cpus: int = 1) -> Iterator[RayHosts]:
    """Yield so many hosts; Ray is not started on them yet, their `num_cpus` is for `start`."""
    # Not pytest's folder: the path of a socket has at most 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="ptray-", dir="/tmp"))
    token = place / "token"
    token.write_text(secrets.token_hex(16))
    token.chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = with_source_tree({**kept, **QUICK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)})
    environment["HOME"] = str(place)
    try:
        with network_of_hosts(count) as hosts:
            yield RayHosts(hosts, environment, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
