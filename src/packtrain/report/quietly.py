"""A reading that may fail: what kept one paper from being read is noted, and hides nothing of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from packtrain.errors import PacktrainError

Found = TypeVar("Found")


def quietly(read: Callable[[], Found], otherwise: Found, unread: list[str], where: Path | str = "a file") -> Found:
    """Return what `read` returns; `otherwise` where it cannot, and why is put to `unread`.

    Args:
        read: a reading that raises PacktrainError or OSError.
        otherwise: what stands for it.
        unread: gets a sentence.
        where: what was read, for errors of the system that name no file: those of reading on in an open one.
    """
    try:
        return read()
    except PacktrainError as error:
        unread.append(error.message)
    except OSError as error:
        unread.append(f"{error.filename or where}: {error.strerror}")
    return otherwise
