"""What a training takes: torch, the accelerators it sees, and their driver."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.doctor.children import child
from packtrain.doctor.finding import Finding, Subject

_VERBS: Final = ("rehearse", "train")
_SECONDS: Final = 60.0
_OUTSIDE: Final = "which build fits this machine is said at https://pytorch.org/get-started/locally"


def look_at_torch(subject: Subject) -> Iterator[Finding]:
    """Yield whether torch is here and what it sees, where a training is asked for."""
    if subject.voyage is None or subject.voyage.training is None:
        return
    driver = driver_version()
    if importlib.util.find_spec("torch") is None:
        found = "not installed under this Python" + (f"; NVIDIA driver {driver} is" if driver else "")
        why = "the reference program needs it; a program of yours may bring its own in its kit"
        yield Finding("torch", "warn", found, _VERBS, why, f"pip install torch; {_OUTSIDE}")
        return
    answer = child("child_torch", told=None, with_packages=True).answer(_SECONDS)
    records = answer.records()
    if not records:
        last = answer.complaint.strip().splitlines()[-1:] or ["it ended without a word"]
        remedy = f"pip install --force-reinstall torch; {_OUTSIDE}"
        yield Finding("torch", "fault", last[0][:300], _VERBS, "nothing trains without it", remedy)
        return
    yield from _seen(records[0], driver)


def _seen(seen: dict[str, object], driver: str | None) -> Iterator[Finding]:
    built = f"CUDA {seen['cuda']}" if seen.get("cuda") else f"ROCm {seen['hip']}" if seen.get("hip") else "CPU alone"
    yield Finding("torch", "ok", f"{seen.get('version')}, built for {built}", _VERBS)
    names = seen.get("names")
    told = ", ".join(map(str, names)) if isinstance(names, list) and names else str(seen.get("accelerator"))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if seen.get("accelerator"):
        found = f"{seen.get('count')} x {told}" + (f", NVIDIA driver {driver}" if driver else "")
        yield Finding("accelerators", "ok", found, _VERBS)
    elif driver is not None:
        why = "the machine has accelerators, and the training would run on processors"
        remedy = f"install a torch built for a CUDA that driver {driver} knows; {_OUTSIDE}; in a container: --gpus all"
        yield Finding("accelerators", "warn", f"torch sees none, NVIDIA driver {driver} is here", _VERBS, why, remedy)
    else:
        why = "a training runs on processors here"
        yield Finding("accelerators", "not needed", "torch sees none, and no driver is here", _VERBS, why)


def driver_version(proc: Path = Path("/proc")) -> str | None:
    """Return the version of NVIDIA's kernel driver; None where there is none."""
    try:
        words = (proc / "driver" / "nvidia" / "version").read_text(errors="replace").split()
    except OSError:
        return None
    return next((word for word in words if word[:1].isdigit() and "." in word), None)
