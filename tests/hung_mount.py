"""A mount that hangs: a FUSE file system whose server never answers. Whoever asks for it waits until it is aborted.

That is done after a while in any case: a test that asks for it in its own process must fail, not hang the run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FORCE, _DETACH = 1, 2
_LONGEST_SECONDS = 60.0


@contextmanager
def hung_mount(point: Path) -> Iterator[Path]:
    """Yield a folder at which every look hangs; skip where it cannot be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    point.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error.strerror}")
    # Whoever waits gets an error when the server's end closes.
    end = threading.Timer(_LONGEST_SECONDS, os.close, [server])
    end.start()
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if libc.mount(b"packtrain-hung", os.fsencode(point), b"fuse", 0, options) != 0:
            pytest.skip(f"no FUSE can be mounted here: {os.strerror(ctypes.get_errno())}")
        try:
            yield point
        finally:
            libc.umount2(os.fsencode(point), _FORCE | _DETACH)
        assert end.is_alive(), "something waited for the hung mount until it was aborted"
    finally:
        end.cancel()
        end.join()
        with contextlib.suppress(OSError):
            os.close(server)
