"""The form that every message of an error has, and what breaks it. tests/conftest.py holds each printed error to it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

from packtrain import errors
from packtrain.errors import PacktrainError

CLASSES: Mapping[str, type[PacktrainError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, PacktrainError) and kind is not PacktrainError
}

# A message may begin with what is spelt so.
NAMES = re.compile(
    r"(Base64|JSON|Ray|Slurm|ISA-L|QR|SHA-256|TOML|PDF|UUID|STOP|HOLD|FLAG|INFO|Debian|CPU|ID|\{|<|[A-Z]+-\d)"
)
# What a program says of its own objects, and nobody else understands.
LEFT_OVERS = re.compile(
    r"PosixPath\(|Path\('|<class |<function |<[\w.]+ object at |Traceback|dict_keys\(|dict_values\("
    r"|frozenset\(|\bb'|\bNone\b|\[Errno"
)


def faults_of(what: str, where: str | None, hint: str | None, facts: str = "") -> list[str]:
    """Return what is wrong with the form of a message."""
    faults: list[str] = []
    for name, text in (("what", what), ("hint", hint or "")):
        if text[:1].isupper() and NAMES.match(text) is None:
            faults.append(f"{name} begins with a capital: {text!r}")
        if text.endswith((".", "!")) and not text.endswith("..."):
            faults.append(f"{name} ends with a full stop: {text!r}")
    for name, text in (("what", what), ("where", where or ""), ("hint", hint or ""), ("facts", facts)):
        if found := LEFT_OVERS.search(text):
            faults.append(f"{name} shows {found[0]!r}: {text!r}")
    if not what.strip():
        faults.append("nothing is said")
    if not hint:
        faults.append(f"no hint: {what!r}")
    return faults


def faults_of_error(error: PacktrainError) -> list[str]:
    """Return what is wrong with an error that was printed."""
    faults = faults_of(error.what, error.where, error.hint, f"{error.expected or ''} {error.found or ''}")
    if error.exit_code not in {kind.exit_code for kind in CLASSES.values()}:
        faults.append(f"exit code {error.exit_code} is not documented")
    return faults
