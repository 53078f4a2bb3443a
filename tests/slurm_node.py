"""Slurm of one node on a host of `netns_hosts`: munge, controller and node daemon, all from a folder of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netns_hosts import Host, Hosts, network_of_hosts, until, why_no_hosts, with_source_tree

_NEEDS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm"}
_CONF = """
ClusterName=test
SlurmctldHost={name}({address})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={name} NodeAddr={address} CPUs=2 State=UNKNOWN
PartitionName=work Nodes={name} Default=YES MaxTime=INFINITE State=UP
"""


def why_no_slurm() -> str | None:
    """Return why there can be no Slurm here, or None if there can."""
    for command, package in _NEEDS.items():
        if shutil.which(command) is None:
            return f"no {command} (Debian package: {package})"
    return why_no_hosts()


@dataclass
class SlurmNode:
    """A host that is controller and node at once.

    Attributes:
        hosts: the network of this one host.
        environment: for programs on it.
        place: configuration, state, logs.
    """

    hosts: Hosts
    environment: dict[str, str]
    place: Path

    @property
    def host(self) -> Host:
        """Return the host."""
        return self.hosts.hosts[0]

    def run(self, *argv: str, seconds: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run a program on the host to its end."""
        return self.hosts.run_in(self.host, argv, env=self.environment, timeout=seconds)

    def start_packtrain(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start packtrain on the host."""
        argv = [sys.executable, "-m", "packtrain", *arguments]
        pipe = subprocess.PIPE
        return self.hosts.start_in(
            self.host, argv, env=self.environment, stdout=pipe, stderr=pipe, start_new_session=True
        )

    def packtrain(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run packtrain on the host to its end."""
        return self.run(sys.executable, "-m", "packtrain", *arguments)

    def tasks(self) -> list[str]:
        """Return the states of the tasks that wait or run."""
        return self.run("squeue", "--noheader", "--array", "--format=%T").stdout.split()

    def workers(self) -> list[int]:
        """Return the processes that are at a task of ours."""
        found: list[int] = []
        for process in self.host.processes():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                if b"run-units" in words:
                    found.append(process)
        return found

    def kill_worker(self) -> None:
        """Let one process that is at a task die."""
        until(self.workers, 60, "a task that runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.workers()[0], signal.SIGKILL)


@contextlib.contextmanager
def slurm_node() -> Iterator[SlurmNode]:
    """Yield a host on which jobs can be submitted."""
    place = Path(tempfile.mkdtemp(prefix="ptslurm-", dir="/tmp"))
    place.chmod(0o755)
    try:
        with network_of_hosts(1) as hosts:
            for folder in ("state", "spool"):
                (place / folder).mkdir()
            name = socket.gethostname().partition(".")[0]
            (place / "slurm.conf").write_text(_CONF.format(name=name, address=hosts.hosts[0].address, place=place))
            (place / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
            key = place / "munge.key"
            key.write_bytes(os.urandom(128))
            key.chmod(0o400)
            environment = with_source_tree({**os.environ, "SLURM_CONF": str(place / "slurm.conf")})
            node = SlurmNode(hosts, environment, place)
            _start(node, _munged(place), place / "munge.socket")
            _start(node, ["slurmctld", "-D"], place / "slurmctld.pid")
            _start(node, ["slurmd", "-D", "-N", name], place / "slurmd.pid")
            until(lambda: "idle" in node.run("sinfo", "--noheader", "--format=%T").stdout, 60, "an idle node")
            yield node
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _munged(place: Path) -> list[str]:
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    options = [f"--{option}={place / name}" for option, name in files.items()]
    return ["munged", "--foreground", "--force", *options, f"--log-file={place / 'munge.log'}"]


def _start(node: SlurmNode, argv: list[str], sign: Path) -> None:
    log = node.place / f"{argv[0]}.out"
    with log.open("w") as stream:
        started = node.hosts.start_in(node.host, argv, env=node.environment, stdout=stream, stderr=stream)
    until(lambda: sign.exists() or started.poll() is not None, 30, f"{argv[0]} to start: {log.read_text()}")
    assert started.poll() is None, log.read_text()
