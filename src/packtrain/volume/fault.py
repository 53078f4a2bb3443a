"""An error of `packtrain.errors` as a message from one process to another."""

from __future__ import annotations

from typing import NamedTuple

from packtrain import errors
from packtrain.errors import PacktrainError


class Fault(NamedTuple):
    """Says what a process could not do: the error's class by name, with what it says."""

    name: str
    what: str
    where: str | None
    expected: str | None
    found: str | None
    hint: str | None


def fault_of(error: PacktrainError) -> Fault:
    """Return an error as a message."""
    return Fault(type(error).__name__, error.what, error.where, error.expected, error.found, error.hint)


def error_of(fault: Fault) -> PacktrainError:
    """Return the error that a message tells of."""
    kind: type[PacktrainError] = getattr(errors, fault.name)
    return kind(fault.what, where=fault.where, expected=fault.expected, found=fault.found, hint=fault.hint)
