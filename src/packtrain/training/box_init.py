"""The first process inside a box: brings loopback up, starts the command, and takes everything down with it.

Run as a file by `box.py`, in new namespaces: `python -I box_init.py LIFELINE REPORT HOST COMMAND…`, or `check`.
Standard library only. LIFELINE is a pipe that closes when the caller is done or dead. REPORT is a file for the number
of sends that found no route, or "as-is" where there is no new namespace and loopback is left as it is. HOST is this
host's name in the box, or "as-is" where it has no namespace of names of its own: the machine's name must not change.

It stays while the command runs, because the first process of a namespace of process numbers inherits the orphans, and
does not die of signals that it does not handle: a training program in that place would collect dead workers.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from types import FrameType
from typing import Final

# From <linux/sockios.h> and <linux/if.h>; not in Python's socket module.
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 0x1
# From <linux/prctl.h>.
PR_SET_CHILD_SUBREAPER: Final = 36
# From <sys/mount.h>.
MS_BIND: Final = 4096
NAME_PORT: Final = 53
MAX_GENERATIONS: Final = 64
AS_IT_IS: Final = "as-is"
OUTSIDE: Final = ("192.0.2.1", 9)
"""An address kept for documentation (RFC 5737): a datagram to it asks for a route and reaches nobody."""


def bring_loopback_up() -> None:
    """Set the loopback interface up in this network namespace, as `ip link set lo up` would (ip may be missing)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # struct ifreq: 16 bytes of name, then flags; 40 bytes in all on 64-bit machines.
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack_from("h", fcntl.ioctl(control, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def has_way_out() -> bool:
    """Return whether this network namespace has a route to anywhere but itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
        except OSError:
            return False
    return True


def count_unrouted() -> int:
    """Return how many sends of this network namespace found no route: connections and datagrams, of any code.

    Source: the counters OutNoRoutes (IP-MIB, RFC 4293) in /proc/net/snmp and /proc/net/snmp6.
    """
    num_sends = 0
    with contextlib.suppress(OSError, ValueError):
        lines = [line.split() for line in Path("/proc/self/net/snmp").read_text(encoding="ascii").splitlines()]
        names, values = (line for line in lines if line[0] == "Ip:")
        num_sends += int(values[names.index("OutNoRoutes")])
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/net/snmp6").read_text(encoding="ascii").splitlines():
            name, value = line.split()
            num_sends += int(value) if name == "Ip6OutNoRoutes" else 0
    return num_sends


def answer_names(report: str) -> None:
    """Answer every name that is asked for in this box with "there is none", and write it to REPORT.names.

    A name service that the box cannot reach would leave nothing but a refused send, of which nobody could tell whether
    a C library asked for the name of 127.0.0.1 or for that of a server far away. Only in namespaces of mounts and of
    the network that are this box's own.
    """
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver = Path(f"{report}.resolver")
    with contextlib.suppress(OSError):
        server.bind(("127.0.0.1", NAME_PORT))
        resolver.write_text("nameserver 127.0.0.1\noptions attempts:1\n", encoding="ascii")
        target = os.path.realpath("/etc/resolv.conf")
        ctypes.CDLL(None).mount(os.fsencode(resolver), os.fsencode(target), None, MS_BIND, None)
        if os.fork() == 0:
            with open(f"{report}.names", "a", encoding="ascii", buffering=1) as log:  # noqa: PTH123
                while True:
                    question, address = server.recvfrom(512)
                    if name := asked_name(question):
                        log.write(name + "\n")
                        # The question comes back with the bits "answer", "recursion available" and the code NXDOMAIN.
                        server.sendto(question[:2] + b"\x81\x83" + question[4:], address)
    server.close()


def asked_name(question: bytes) -> str:
    """Return the name that a DNS question asks for, in lower case; empty where it is none (RFC 1035, section 4.1)."""
    labels: list[str] = []
    place = 12
    while place < len(question) and 0 < question[place] < 64 and len(labels) < 128:
        label = question[place + 1 : place + 1 + question[place]]
        labels.append("".join(chr(byte) if 33 <= byte < 127 else "?" for byte in label).lower())
        place += 1 + question[place]
    return ".".join(labels)


def check() -> str:
    """Return what is wrong with the box around this process, or an empty text."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        try:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            with socket.create_connection(server.getsockname(), timeout=5):
                pass
        except OSError as error:
            return f"loopback does not work inside: {error}"
    return "there is still a way out of the network namespace" if has_way_out() else ""


def run(lifeline: int, command: list[str]) -> int:
    """Run the command; return its exit status, 128 + n for signal n. A closed lifeline ends it by force."""
    wakeup, woken = os.pipe()
    for descriptor in (wakeup, woken):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, _note)
    adopt_orphans()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        for descriptor in (lifeline, wakeup, woken):
            os.close(descriptor)
        try:
            os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            os._exit(127)
    try:
        while True:
            status = _reap(child)
            if status is not None:
                return status
            ready, _, _ = select.select([lifeline, wakeup], [], [])
            if lifeline in ready:
                return 128 + signal.SIGKILL
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 4096)
    finally:
        end_descendants()


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process, as the first process of a namespace is by nature."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """Kill what still runs below this process, generation by generation: a killed parent's children become ours."""
    if os.getpid() == 1:
        # The end of this process is the end of everything in the namespace (and /proc may be another namespace's).
        return
    for _ in range(MAX_GENERATIONS):
        try:
            children = Path("/proc/self/task", str(os.getpid()), "children").read_text(encoding="ascii").split()
        except OSError:
            return
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            for _ in children:
                os.waitpid(-1, 0)


def _note(signum: int, frame: FrameType | None) -> None:
    """Let the signal write to the wake-up pipe: an ignored one would not."""


def _reap(child: int) -> int | None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1
        if pid == 0:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """Run as the module's documentation says; return the exit status."""
    if arguments == ["check"]:
        fault = check()
        if fault:
            sys.stderr.write(fault + "\n")
        return 1 if fault else 0
    lifeline, report, host, command = int(arguments[0]), arguments[1], arguments[2], arguments[3:]
    if report == AS_IT_IS:
        return run(lifeline, command)
    bring_loopback_up()
    if host != AS_IT_IS:
        socket.sethostname(host)
        if report != os.devnull:
            answer_names(report)
    before = count_unrouted()
    status = run(lifeline, command)
    with contextlib.suppress(OSError):
        Path(report).write_text(str(count_unrouted() - before), encoding="ascii")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
