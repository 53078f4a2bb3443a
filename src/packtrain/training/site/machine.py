"""What one host has and allows: processors, memory, limits, names, kernel, glibc, Python, interfaces."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from packtrain.documents.promised_section import PromisedSection
from packtrain.training.site.seen import Seen, figure
from packtrain.units import GIB, counted, format_bytes

LEAST_FILES: Final = 16_384
"""Open files of one process: a loader opens a shard for each of its workers, and each connection of a ring is one."""
LEAST_SHARED_BYTES: Final = GIB
"""Shared memory: the workers of a DataLoader hand batches over in it, and NCCL its buffers between processes."""
_PATIENCE_SECONDS: Final = 120.0
"""For an interpreter to import torch: from a file system that all hosts read at once, that takes its time."""
_SHARED: Final = "/dev/shm"  # noqa: S108 - it is looked at, nothing is written there
_ASKS_PYTHON: Final = (
    "import json,platform,sys\n"
    "out={'python':'%d.%d'%sys.version_info[:2],'glibc':platform.libc_ver()[1]}\n"
    "try:\n"
    "    import torch\n"
    "    out['torch'],out['cuda']=torch.__version__,torch.version.cuda or ''\n"
    "except Exception as error:\n"
    "    out['why']=type(error).__name__+': '+str(error)[:200]\n"
    "print(json.dumps(out))\n"
)


@dataclass(frozen=True, slots=True)
class KitNeeds:
    """What the kit asks of a host.

    Attributes:
        python: "3.12"; "" where there is no kit.
        machine: such as "x86_64".
        glibc: the oldest that its wheels run with, "2.28"; "" where none says.
        cuda: that its torch was built for, "12.8"; "" for none, or where there is no torch in it.
        torch: its version; "" where there is none in it.
    """

    python: str = ""
    machine: str = ""
    glibc: str = ""
    cuda: str = ""
    torch: str = ""


@dataclass(frozen=True, slots=True)
class HostTask:
    """What one host is asked. Plain values: it travels to the host.

    Attributes:
        python: the interpreter that will train.
        folders: where room and rates are looked at: the store, the host's own folder.
        kit: what the kit asks.
        promised: see [site.promised].
        seconds: each writing, reading and computing takes no longer.
        is_alone: there is one host: nobody needs to find it by its name.
    """

    python: str
    folders: tuple[str, ...]
    kit: KitNeeds = field(default_factory=KitNeeds)
    promised: PromisedSection = field(default_factory=PromisedSection)
    seconds: float = 10.0
    is_alone: bool = True


def look_at_machine(seen: Seen, task: HostTask, proc: Path = Path("/proc"), sys_root: Path = Path("/sys")) -> None:
    """Note processors, memory, limits, kernel, glibc and Python of this host."""
    _processors(seen, task.promised, proc)
    _memory(seen, task.promised, proc, sys_root)
    _limits(seen)
    _shared_memory(seen)
    _python(seen, task)
    _huge_pages(seen, proc, sys_root)


def look_at_names(seen: Seen, task: HostTask) -> None:
    """Note whether this host's own name leads to an address that others reach."""
    name = socket.gethostname()
    addresses = addresses_of(name)
    if task.is_alone:
        seen.told("name", f"{name}: {', '.join(addresses) or 'no address'}; one host, which nobody has to find")
    elif not addresses:
        remedy = f"add a line with this host's address and {name} to /etc/hosts on every host, or to the name service"
        seen.bad("name", f"{name} has no address here", remedy, asked="an address that other hosts reach")
    else:
        trap = [one for one in addresses if one.startswith("127.") or one == "::1"]
        found = f"{name}: {', '.join(addresses)}"
        remedy = (
            f"take {trap[0]} {name} out of /etc/hosts (Debian's installer writes it there) and put the host's own "
            "address in its place: processes that are told this name by others connect to themselves"
            if trap
            else ""
        )
        seen.judged("name", found, remedy, is_good=not trap, asked="no address of the loopback")


def look_at_interfaces(seen: Seen, sys_root: Path = Path("/sys")) -> None:
    """Note the interfaces that are up, their MTU and rate, and whether there is InfiniBand or RoCE."""
    told: list[str] = []
    figures = []
    for folder in sorted((sys_root / "class" / "net").glob("*")):
        name = folder.name
        if name == "lo" or _text(folder / "operstate") not in ("up", "unknown"):
            continue
        mtu, speed = _number(folder / "mtu"), _number(folder / "speed")
        told.append(f"{name}: MTU {mtu or 'not told'}" + (f", {speed / 1000:g} Gbit/s" if speed and speed > 0 else ""))
        figures += [figure(f"{name} MTU", mtu, "bytes")] if mtu else []
        figures += [figure(f"{name} rate", speed * 1e6, "bit/s")] if speed and speed > 0 else []
    ports = sorted(path.parent.parent.name for path in (sys_root / "class" / "infiniband").glob("*/ports/*/state"))
    told += [f"InfiniBand or RoCE: {', '.join(dict.fromkeys(path for path in ports))}"] if ports else []
    seen.told("interfaces", "; ".join(told) or "none is up but the loopback", figures)


def addresses_of(name: str) -> list[str]:
    """Return the addresses that a name leads to on this host, each once."""
    with contextlib.suppress(OSError, UnicodeError):
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    return []


def _processors(seen: Seen, promised: PromisedSection, proc: Path) -> None:
    usable = len(os.sched_getaffinity(0))
    model = _field(proc / "cpuinfo", "model name") or platform.machine()
    seen.judged(
        "processors",
        f"{usable} of {os.cpu_count() or usable} usable here, {model}",
        "take the limit of this user, container or job away, or ask the provider for the processors that were promised",
        [figure("processors", usable)],
        is_good=promised.cores is None or usable >= promised.cores,
        asked=f"{promised.cores} or more" if promised.cores else "",
        is_promised=promised.cores is not None,
    )


def _memory(seen: Seen, promised: PromisedSection, proc: Path, sys_root: Path) -> None:
    total, available = (_kib(_field(proc / "meminfo", name)) for name in ("MemTotal", "MemAvailable"))
    most = cgroup_bytes(proc, sys_root)
    usable = min(total, most) if most is not None else total
    found = f"{format_bytes(total)}, {format_bytes(available)} available"
    found += f"; a cgroup allows {format_bytes(most)}" if most is not None and most < total else ""
    wanted = promised.memory_bytes
    seen.judged(
        "memory",
        found,
        "raise the limit of the job or container, or ask the provider for the memory that was promised",
        [figure("memory", usable, "bytes"), figure("memory available", available, "bytes")],
        is_good=wanted is None or usable >= wanted,
        asked=f"{format_bytes(wanted)} or more" if wanted is not None else "",
        is_promised=wanted is not None,
    )


def cgroup_bytes(proc: Path = Path("/proc"), sys_root: Path = Path("/sys")) -> int | None:
    """Return the memory that the control groups of this process allow; None where they set no bound."""
    root = sys_root / "fs" / "cgroup"
    place = next(
        (line.partition("::")[2] for line in _text(proc / "self" / "cgroup").splitlines() if "::" in line), "/"
    )
    # Within a container the path may be the host's, of which nothing is seen here: the folder's own top counts then.
    folder = root / place.strip("/")
    limits: list[int] = []
    while True:
        text = _text(folder / "memory.max")
        limits += [int(text)] if text.isdigit() else []
        if folder == root or root not in folder.parents:
            return min(limits, default=None)
        folder = folder.parent


def _limits(seen: Seen) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_good = soft == resource.RLIM_INFINITY or soft >= LEAST_FILES
    seen.judged(
        "open files",
        f"{_limit(soft)}, at most {_limit(hard)}",
        f"ulimit -n {LEAST_FILES} before the start, or nofile in /etc/security/limits.conf; for a service LimitNOFILE=",
        [figure("open files", max(soft, 0))],
        is_good=is_good,
        asked=f"{LEAST_FILES} or more",
    )
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    has_fabric = Path("/sys/class/infiniband").is_dir() and any(Path("/sys/class/infiniband").iterdir())
    is_bad = has_fabric and soft != resource.RLIM_INFINITY and soft < GIB
    seen.judged(
        "locked memory",
        ("no limit" if soft == resource.RLIM_INFINITY else format_bytes(soft))
        + ("" if has_fabric else "; there is no InfiniBand or RoCE, which alone needs more"),
        "memlock unlimited in /etc/security/limits.conf; for a service LimitMEMLOCK=infinity",
        is_good=not is_bad,
        asked="no limit, for InfiniBand or RoCE" if has_fabric else "",
    )


def _limit(number: int) -> str:
    return "no limit" if number == resource.RLIM_INFINITY else f"{number:,}"


def _shared_memory(seen: Seen) -> None:
    try:
        size_bytes = shutil.disk_usage(_SHARED).total
    except OSError as error:
        remedy = f"mount -t tmpfs tmpfs {_SHARED}"
        seen.bad(
            "shared memory", (error.strerror or str(error)).lower(), remedy, asked=format_bytes(LEAST_SHARED_BYTES)
        )
        return
    seen.judged(
        "shared memory",
        f"{_SHARED}: {format_bytes(size_bytes)}",
        f"mount -o remount,size=50% {_SHARED}; in a container --shm-size or --ipc=host",
        [figure("shared memory", size_bytes, "bytes")],
        is_good=size_bytes >= LEAST_SHARED_BYTES,
        asked=f"{format_bytes(LEAST_SHARED_BYTES)} or more",
    )


def ask_python(python: str) -> dict[str, str]:
    """Return what an interpreter says of itself: python, glibc, torch, cuda; `why` where torch cannot be imported."""
    import json

    try:
        done = subprocess.run(
            [python, "-c", _ASKS_PYTHON], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"why": f"{python} does not answer within {_PATIENCE_SECONDS:g} s"}
    except (OSError, ValueError, IndexError) as error:
        return {"why": f"{python} does not answer: {type(error).__name__}: {error}"[:300]}
    return {str(name): str(value) for name, value in found.items()}


def _python(seen: Seen, task: HostTask) -> None:
    kit, said = task.kit, ask_python(task.python)
    found = f"{task.python} is Python {said.get('python', 'of no answer')}"
    seen.judged(
        "Python",
        found if "python" in said else said["why"],
        f"install Python {kit.python or '3'} on this host, and the kit with it: sh work/kit/install.sh FOLDER; "
        "then inspect with --python FOLDER/bin/python",
        is_good="python" in said and (not kit.python or said["python"] == kit.python),
        asked=f"Python {kit.python}, that of the kit" if kit.python else "",
    )
    glibc, machine = platform.libc_ver()[1], platform.machine()
    is_old = bool(kit.glibc and glibc) and version_of(glibc) < version_of(kit.glibc)
    seen.judged(
        "kernel and glibc",
        f"Linux {platform.release()} on {machine}, glibc {glibc or 'not told'}",
        f"the kit's wheels need glibc {kit.glibc} on {kit.machine}: take a newer system, or a kit that is built for "
        "this one",
        is_good=not is_old and (not kit.machine or machine == kit.machine),
        asked=f"glibc {kit.glibc} or newer on {kit.machine}" if kit.glibc else "",
    )
    if "torch" not in said:
        if kit.torch:
            remedy = "install the kit (sh work/kit/install.sh FOLDER), and inspect with --python FOLDER/bin/python"
            seen.bad("torch", said.get("why", "not there"), remedy, asked=f"torch {kit.torch}, that of the kit")
        else:
            seen.not_shown("torch", f"{said.get('why', 'not there')}; what needs it is not shown")
        return
    # A kit that names no build ("2.13.0") is kept by any ("2.13.0+cpu"), as by pip's "==".
    told = said["torch"] if "+" in kit.torch else said["torch"].partition("+")[0]
    is_other = bool(kit.torch) and told != kit.torch
    seen.judged(
        "torch",
        f"{said['torch']}, built for {'CUDA ' + said['cuda'] if said.get('cuda') else 'no CUDA'}",
        "install the kit (sh work/kit/install.sh FOLDER), and inspect with --python FOLDER/bin/python",
        is_good=not is_other,
        asked=f"torch {kit.torch}, that of the kit" if kit.torch else "",
    )


def _huge_pages(seen: Seen, proc: Path, sys_root: Path) -> None:
    state = re.search(r"\[(\w+)\]", _text(sys_root / "kernel" / "mm" / "transparent_hugepage" / "enabled"))
    total = _field(proc / "meminfo", "HugePages_Total") or "0"
    told = f"transparent: {state[1] if state else 'not told'}; {counted(int(total), 'page')} set aside"
    seen.told("huge pages", told)


def version_of(text: str) -> tuple[int, ...]:
    """Return the numbers of a version in order, "580.65.06" as (580, 65, 6)."""
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", text))


def _field(path: Path, name: str) -> str:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _kib(text: str) -> int:
    number = text.split(" ")[0]
    return int(number) * 1024 if number.isdigit() else 0


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else 0


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(1 << 16).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def joined(words: Iterable[str]) -> str:
    """Return words with commas, at most twenty of them."""
    listed = list(words)
    rest = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
    return ", ".join(listed[:20]) + rest
