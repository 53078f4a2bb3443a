"""Slurm on hosts of `netns_hosts`: munge, a controller and node daemons, all from a folder of their own.

Debian's build starts several node daemons on one machine, each where its host has a name and an address of its own.
"""

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

# Of Slurm's own 300 and 30 seconds: how soon a silent node is given up, and what processes get to end.
SLURMD_TIMEOUT_SECONDS = 20
KILL_WAIT_SECONDS = 10
_NEEDS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm"}
_CONF = """
ClusterName=test
SlurmctldHost={name}({address})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket,cred_expire={cred_expire}
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdTimeout={SLURMD_TIMEOUT_SECONDS}
KillWait={KILL_WAIT_SECONDS}
{nodes}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=work Nodes={names} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes={names} MaxTime=INFINITE State=UP PriorityTier=9
"""


def why_no_slurm() -> str | None:
    """Return why there can be no Slurm here, or None if there can."""
    for command, package in _NEEDS.items():
        if shutil.which(command) is None:
            return f"no {command} (Debian package: {package})"
    return why_no_hosts()


@dataclass
class SlurmNode:
    """A host that is the controller, and a node at once where there are no others.

    Attributes:
        hosts: the network; its first host is the controller.
        environment: for programs on it.
        place: configuration, state, logs.
        nodes: the nodes' names, with their hosts.
    """

    hosts: Hosts
    environment: dict[str, str]
    place: Path
    nodes: dict[str, Host]

    @property
    def host(self) -> Host:
        """Return the host."""
        return self.hosts.hosts[0]

    def run(self, *argv: str, seconds: float = 240) -> "subprocess.CompletedProcess[str]":
        """Run a program on the host to its end."""
        return self.hosts.run_in(self.host, argv, env=self.environment, timeout=seconds)

    def start_slurmd(self, name: str) -> None:
        """Start the daemon of a node, under the node's name."""
        argv = ["unshare", "--uts", "sh", "-c", f"hostname {name}; exec slurmd -D -N {name}"]
        (self.place / f"slurmd-{name}.pid").unlink(missing_ok=True)
        _start(self, self.nodes[name], argv, self.place / f"slurmd-{name}.pid")

    def kill_slurmd(self, name: str) -> None:
        """Let the daemon of a node die, and nothing else."""
        os.kill(int((self.place / f"slurmd-{name}.pid").read_text()), signal.SIGKILL)

    def start_controller(self) -> None:
        """Start slurmctld; it goes on from its state."""
        (self.place / "slurmctld.pid").unlink(missing_ok=True)
        _start(self, self.host, ["slurmctld", "-D"], self.place / "slurmctld.pid")

    def kill_controller(self, number: int = signal.SIGKILL) -> None:
        """Let slurmctld end; jobs run on."""
        os.kill(int((self.place / "slurmctld.pid").read_text()), number)

    def power_off(self, name: str) -> None:
        """Take a node away without a word to anybody."""
        self.hosts.power_off(self.nodes[name])

    def power_on(self, name: str) -> None:
        """Let a node come back, with nothing running on it."""
        self.hosts.power_on(self.nodes[name])
        self.start_slurmd(name)

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").stdout.splitlines()
        return {words[0]: words[1] for line in lines if len(words := line.split()) == 2}

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
        return processes_with(self.host, "run-units")

    def kill_worker(self) -> None:
        """Let one process that is at a task die."""
        until(self.workers, 60, "a task that runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.workers()[0], signal.SIGKILL)


def processes_with(host: Host, word: str) -> list[int]:
    """Return the processes of a host that have a word in their command line."""
    found: list[int] = []
    for process in host.processes():
        with contextlib.suppress(OSError):
            if word.encode() in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                found.append(process)
    return found


@contextlib.contextmanager
def slurm_node(num_nodes: int = 0, cred_expire: int = 120) -> Iterator[SlurmNode]:
    """Yield a host on which jobs can be submitted.

    Args:
        num_nodes: so many other hosts are nodes, n1, n2 and so on; 0: the host itself is the one node.
        cred_expire: for so many seconds a job that was requeued waits.
    """
    place = Path(tempfile.mkdtemp(prefix="ptslurm-", dir="/tmp"))
    place.chmod(0o755)
    try:
        with network_of_hosts(1 + num_nodes) as hosts:
            own = socket.gethostname().partition(".")[0]
            nodes = {f"n{number}": host for number, host in enumerate(hosts.hosts) if number} or {own: hosts.hosts[0]}
            for folder in ("state", *(f"spool-{name}" for name in nodes)):
                (place / folder).mkdir()
            (place / "slurm.conf").write_text(
                _CONF.format(
                    name=own,
                    address=hosts.hosts[0].address,
                    place=place,
                    cred_expire=cred_expire,
                    SLURMD_TIMEOUT_SECONDS=SLURMD_TIMEOUT_SECONDS,
                    KILL_WAIT_SECONDS=KILL_WAIT_SECONDS,
                    names=",".join(nodes),
                    nodes="\n".join(
                        f"NodeName={name} NodeAddr={host.address} CPUs=2 State=UNKNOWN" for name, host in nodes.items()
                    ),
                )
            )
            (place / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
            key = place / "munge.key"
            key.write_bytes(os.urandom(128))
            key.chmod(0o400)
            environment = with_source_tree({**os.environ, "SLURM_CONF": str(place / "slurm.conf")})
            node = SlurmNode(hosts, environment, place, nodes)
            _start(node, node.host, _munged(place), place / "munge.socket")
            node.start_controller()
            for name in nodes:
                node.start_slurmd(name)
            until(lambda: node.states() == dict.fromkeys(nodes, "idle"), 60, "idle nodes")
            yield node
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _munged(place: Path) -> list[str]:
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    options = [f"--{option}={place / name}" for option, name in files.items()]
    return ["munged", "--foreground", "--force", *options, f"--log-file={place / 'munge.log'}"]


def _start(node: SlurmNode, host: Host, argv: list[str], sign: Path) -> None:
    log = node.place / f"{sign.stem}.out"
    with log.open("w") as stream:
        started = node.hosts.start_in(host, argv, env=node.environment, stdout=stream, stderr=stream)
    until(lambda: sign.exists() or started.poll() is not None, 30, f"{argv[0]} to start: {log.read_text()}")
    assert started.poll() is None, log.read_text()
