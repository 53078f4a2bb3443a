"""The clock: whether it is later than what this voyage has already signed, and whether something keeps it right."""

from __future__ import annotations

import contextlib
import ctypes
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import packtrain
from packtrain.doctor.finding import Finding, Subject
from packtrain.record.receipts import moment

_SIGNING: Final = ("declare", "pack", "carry", "admit", "load", "custody", "close")
_SLACK_SECONDS: Final = 2
"""Receipts name whole seconds."""
_FILE_SLACK_SECONDS: Final = 120
_MOST_FILES: Final = 2000
_MOST_BYTES: Final = 1 << 18
"""Of a file's end, where the newest lines of a log are."""
_INSTANT: Final = re.compile(rb'"(?:finished|made_on|at|last_at|closed)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_UNSYNCHRONISED: Final = 0x40
_ERROR: Final = 5
_SET: Final = 'sudo timedatectl set-ntp true; or, without a network, sudo date --set "YYYY-MM-DD HH:MM:SS"'


def look_at_clock(subject: Subject) -> Iterator[Finding]:
    """Yield whether the clock can be right: against the record, against files, and by what keeps it."""
    now = time.time()
    told = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    last = _last_signed(subject.root) if subject.root is not None else None
    newest = _newest_file(subject.root)
    if last is not None and now < last[0] - _SLACK_SECONDS:
        found = f"{told}; {last[1]} is of {datetime.fromtimestamp(last[0], UTC):%Y-%m-%d %H:%M:%S} UTC"
        why = "what is signed now would be dated before what it builds on, and a custody log refuses that"
        yield Finding("clock", "fault", found, _SIGNING, why, _SET)
    elif now < newest[0] - _FILE_SLACK_SECONDS:
        found = f"{told}; {newest[1]} was changed {datetime.fromtimestamp(newest[0], UTC):%Y-%m-%d %H:%M:%S} UTC"
        why = "either the clock is slow, or the file comes from a machine whose clock is fast"
        yield Finding("clock", "warn", found, _SIGNING, why, _SET)
    else:
        known = f"after {last[1]}, the newest of the record" if last is not None else "after packtrain's own files"
        yield Finding("clock", "ok", f"{told}, {known}", _SIGNING)
    yield _kept()


def _kept() -> Finding:
    status = _kernel_clock()
    why = "dates in the custody log are this clock's word; nobody else keeps it"
    if status is None:
        return Finding("clock kept", "not shown", "the kernel does not tell", _SIGNING, why, "timedatectl")
    state, flags = status
    if state == _ERROR or flags & _UNSYNCHRONISED:
        return Finding("clock kept", "warn", "no time server keeps it (adjtimex)", _SIGNING, why, _SET)
    return Finding("clock kept", "ok", "synchronised (adjtimex)", _SIGNING)


def _kernel_clock() -> tuple[int, int] | None:
    """Return state and status flags of the kernel's clock, by adjtimex(2) without a change; None where it refuses."""
    # struct timex: modes (0: read only), offset, freq, maxerror, esterror, status, and more; 208 bytes on 64 bits.
    room = ctypes.create_string_buffer(512)
    with contextlib.suppress(OSError, AttributeError):
        state = int(ctypes.CDLL(None).adjtimex(room))
        if state >= 0:
            return state, ctypes.c_int.from_buffer(room, 5 * ctypes.sizeof(ctypes.c_long)).value
    return None


def _last_signed(root: Path) -> tuple[float, str] | None:
    """Return the newest instant that receipts, heads and custody logs of a voyage name, and where it stands."""
    newest: tuple[float, str] | None = None
    files = [*(root / "receipts").glob("*.json"), *(root / "documents").glob("heads/*.json")]
    files += [*(root / "documents").glob("*.jsonl"), *(root / "documents").glob("*/*.jsonl")]
    for path in files[:_MOST_FILES]:
        with contextlib.suppress(OSError, ValueError, OverflowError):
            for text in _INSTANT.findall(_end_of(path)):
                at = moment(text.decode()).timestamp()
                if newest is None or at > newest[0]:
                    newest = (at, path.relative_to(root).as_posix())
    return newest


def _end_of(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - _MOST_BYTES, 0))
        return stream.read(_MOST_BYTES)


def _newest_file(root: Path | None) -> tuple[float, str]:
    """Return when the newest of packtrain's own files and of the voyage's was changed, and which it is."""
    own = Path(packtrain.__file__)
    files = {"packtrain itself": own}
    if root is not None:
        files |= {name: root / name for name in ("voyage.toml", "declaration.toml", "documents", "receipts", "keys")}
    newest = (0.0, "packtrain itself")
    for name, path in files.items():
        with contextlib.suppress(OSError):
            newest = max(newest, (path.stat().st_mtime, name))
    return newest
