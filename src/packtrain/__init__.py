"""packtrain carries a training set that is too big for the network to the machines that can train on it.

What a Python program uses of it is named here. Each name is imported when it is first used, so that `import packtrain`
costs nothing:

    Voyage              a party's voyage: plan, prepare, pack, check, load, train and the other verbs
    Receipt             what a verb did, as it stands in the voyage folder
    send_or_carry       both ways side by side, before anything is bought
    check_drives        whether drives are whole, with no voyage folder and no key
    ShipmentFileSystem  the files of a shipment for fsspec, loaded or still packed: packtrain://
    SampleStore         the samples of a loaded data set, by their rows in the index
    open_loader         samples in an order that survives restarts, for any number of workers
    Position            where in the data a training stands: what a checkpoint keeps
    Event, Notice, Progress, Sink
                        what a verb tells while it works, and what takes it
    PacktrainError      the base of all errors; their classes are in packtrain.errors

These names, their parameters and what they return are kept until a version says otherwise in its first number; before
1.0, in its second. Everything else in the package may change at any time.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, Final

__version__ = "0.1.0"

_PLACES: Final = {
    "Event": "packtrain.events",
    "Notice": "packtrain.events",
    "PacktrainError": "packtrain.errors",
    "Position": "packtrain.training.loader",
    "Progress": "packtrain.events",
    "Receipt": "packtrain.documents.receipt",
    "SampleStore": "packtrain.training.loader",
    "ShipmentFileSystem": "packtrain.files.file_system",
    "Sink": "packtrain.events",
    "Voyage": "packtrain.voyage",
    "check_drives": "packtrain.from_python",
    "open_loader": "packtrain.training.loader",
    "send_or_carry": "packtrain.from_python",
}
"""name -> the module that has it. `__init__.pyi` says the same to type checkers; a test holds them together."""

_EXTRAS: Final = {
    "Position": ("numpy", "train"),
    "SampleStore": ("numpy", "train"),
    "ShipmentFileSystem": ("fsspec", "fsspec"),
    "open_loader": ("numpy", "train"),
}
"""name -> the package that it cannot do without, and the extra of packtrain that brings it."""


def _is_here(name: str) -> bool:
    return name not in _EXTRAS or find_spec(_EXTRAS[name][0]) is not None


# What is not installed is not listed, so that help() and `import *` work without it; asked for by name, it says so.
__all__ = [*filter(_is_here, _PLACES), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll] - see __init__.pyi


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _is_here(name):
        from packtrain.errors import MissingDependency

        package, extra = _EXTRAS[name]
        raise MissingDependency(f"packtrain.{name} needs {package}", hint=f"pip install 'packtrain[{extra}]'")
    found = getattr(importlib.import_module(place), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
