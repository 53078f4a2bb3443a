"""Python itself, packtrain's own libraries, and its extras: which are here, which load, and what installs them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.doctor.children import Asked, child
from packtrain.doctor.finding import Finding, State, Subject

_PYTHON: Final = (3, 11)
_PARTS: Final = ("ctypes", "fcntl", "sqlite3", "ssl", "zlib", "lzma", "multiprocessing.synchronize")
"""Of Python's own library; a Python that was built where their headers were missing has gone without them."""
_IMPORT_SECONDS: Final = 60.0
_EVERY: Final = ("pack", "check", "load")
_NAMES: Final = {
    "pillow": "PIL",
    "pyeclib": "pyeclib.ec_iface",
    "python-calamine": "python_calamine",
    "zxing-cpp": "zxingcpp",
}
"""distribution -> module, where it is more than a dash that differs."""


@dataclass(frozen=True, slots=True)
class _Extra:
    """One extra: which verbs need it, and what they say where it is missing."""

    name: str
    verbs: tuple[str, ...]
    why: str


_EXTRAS: Final = (
    _Extra("prepare", ("prepare", "look", "withdraw"), "tables, images and clips cannot be read"),
    _Extra("cluster", ("prepare --engine ray",), "units of work cannot be given to a Ray cluster"),
    _Extra("train", ("rehearse", "train"), "the loader and the reference program do not run under this Python"),
    _Extra("kit", ("kit build", "rehearse"), "no kit can be built"),
    _Extra("scan", ("carry accept --scan", "custody cosign --scan"), "a QR code is not read from a picture"),
    _Extra("timestamp", ("custody stamp",), "no time stamp can be asked for or checked"),
    _Extra("pii", ("prepare",), "the second engine of the data scan does not run"),
    _Extra("pdf", ("papers --pdf",), "papers are HTML alone, which a browser prints"),
    _Extra("fsspec", ("packtrain://",), "pandas, polars and others cannot open a shipment as files"),
)


def look_at_python(subject: Subject) -> Iterator[Finding]:
    """Yield what Python is, and whether its own library is whole."""
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.maxsize.bit_length() + 1} bits"
    found += f", {sys.executable}"
    if sys.version_info[:2] < _PYTHON:
        remedy = "install Python 3.11 or newer, and packtrain into an environment of it"
        yield Finding("Python", "fault", found, _EVERY, "packtrain is written for 3.11 and newer", remedy)
    elif sys.maxsize < 2**32:
        remedy = "install a Python of 64 bits"
        yield Finding("Python", "fault", found, _EVERY, "files beyond 2 GiB cannot be mapped", remedy)
    else:
        yield Finding("Python", "ok", found, _EVERY)
    missing = [name for name in _PARTS if not _is_found(name)]
    if missing:
        why = f"this Python was built without {', '.join(missing)}"
        remedy = "install a whole Python: apt-get install python3-full, or uv python install"
        yield Finding("Python's library", "fault", f"no {', '.join(missing)}", _EVERY, why, remedy)


def look_at_libraries(subject: Subject) -> list[Finding]:
    """Return whether the libraries of the core load, and those of each extra that this voyage asks for."""
    try:
        requirements = importlib.metadata.requires("packtrain") or []
    except importlib.metadata.PackageNotFoundError:
        remedy = "pip install packtrain, or pip install -e . in its sources"
        why = "what it needs is written in its metadata, which only an installed packtrain has"
        return [Finding("libraries", "not shown", "packtrain runs from its sources alone", _EVERY, why, remedy)]
    core = _names(requirements, None)
    wanted = _wanted(subject)
    # Side by side: importing is most of the time of a doctor.
    asked = {"": _trying(core)}
    asked |= {name: _trying(_names(requirements, name)) for name in sorted(wanted)}
    broken = {name: _broken(running) for name, running in asked.items()}
    findings = [_core(core, broken[""])]
    for extra in _EXTRAS:
        names = _names(requirements, extra.name)
        is_wanted = extra.name in wanted
        findings.append(_extra(extra, names, broken.get(extra.name), is_wanted=is_wanted))
    return findings


def _core(names: Sequence[str], broken: dict[str, str]) -> Finding:
    if not broken:
        return Finding("packtrain's libraries", "ok", ", ".join(map(_with_version, names)), _EVERY)
    remedy = f"{sys.executable} -m pip install --force-reinstall {' '.join(broken)}"
    found = "; ".join(f"{name}: {why}" for name, why in broken.items())
    return Finding("packtrain's libraries", "fault", found, _EVERY, "packtrain itself cannot run without them", remedy)


def _extra(extra: _Extra, names: Sequence[str], broken: dict[str, str] | None, *, is_wanted: bool) -> Finding:
    what = f"extra {extra.name}"
    missing = [name for name in names if not _is_found(_module(name))]
    remedy = f"{sys.executable} -m pip install 'packtrain[{extra.name}]'"
    if not is_wanted:
        if missing:
            found = f"not installed ({', '.join(missing)}), and nothing here asks for it"
            return Finding(what, "not needed", found, extra.verbs, extra.why, remedy)
        return Finding(what, "ok", f"{', '.join(map(_with_version, names))}; not tried", extra.verbs)
    if not broken:
        return Finding(what, "ok", ", ".join(map(_with_version, names)), extra.verbs)
    found = "; ".join(f"{name}: {why}" for name, why in broken.items())
    if not missing:
        remedy = f"{sys.executable} -m pip install --force-reinstall {' '.join(broken)}"
    # The program of a training brings its own libraries in its kit: packtrain's loader may not be among them.
    state: State = "warn" if extra.name == "train" else "fault"
    return Finding(what, state, found, extra.verbs, extra.why, remedy)


def _wanted(subject: Subject) -> set[str]:
    """Return the extras that this voyage cannot do without."""
    voyage = subject.voyage
    if voyage is None:
        return set()
    wanted: set[str] = set()
    if subject.is_for("consignor"):
        if voyage.sources is not None and voyage.sources.form != "folder":
            wanted |= {"prepare"} | ({"pii"} if voyage.prepare.scan_also_with == "presidio" else set[str]())
        wanted |= {"cluster"} if voyage.prepare.engine == "ray" else set[str]()
        wanted |= {"kit", "train"} if voyage.training is not None else set[str]()
    if subject.is_for("consignee") and voyage.training is not None:
        wanted |= {"train"}
    return wanted


def _names(requirements: Sequence[str], extra: str | None) -> list[str]:
    """Return the distributions that the core needs, or an extra."""
    names: list[str] = []
    for requirement in requirements:
        text, _, marker = requirement.partition(";")
        of = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if (of[1] if of is not None else None) == extra and (name := re.match(r"[\w.-]+", text.strip())) is not None:
            names.append(name[0])
    return names


def _trying(names: Sequence[str]) -> tuple[dict[str, str], Asked]:
    """Return the modules of distributions, and the child that tries them."""
    modules = {_module(name): name for name in names}
    return modules, child("child_imports", told=list(modules), with_packages=True)


def _broken(running: tuple[dict[str, str], Asked]) -> dict[str, str]:
    """Return distribution -> why it does not load."""
    modules, asked = running
    answer = asked.answer(_IMPORT_SECONDS)
    told = {str(record.get("module")): str(record.get("why")) for record in answer.records()}
    # The one that is silent took the process with it, or hangs; those after it were not tried.
    silent = [module for module in modules if module not in told]
    found = {modules[module]: why for module, why in told.items() if why and module in modules}
    if silent:
        found[modules[silent[0]]] = "importing it " + ("takes for ever" if answer.status is None else "ends Python")
    return found


def _module(name: str) -> str:
    return _NAMES.get(name, name.replace("-", "_"))


def _is_found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _with_version(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name
