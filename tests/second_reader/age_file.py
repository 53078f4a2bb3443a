"""Section 4: age files with one X25519 stanza and nothing else; the rest is done by the program `age`."""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from second_reader.refused import Refused, need

B64 = rb"[A-Za-z0-9+/]"
HEADER = re.compile(rb"age-encryption\.org/v1\n-> X25519 " + B64 + rb"{43}\n" + B64 + rb"{43}\n--- " + B64 + rb"{43}\n")


@lru_cache(maxsize=512)
def open_age(payload: bytes, identity: str) -> bytes:
    """Return what an age file holds."""
    need(HEADER.match(payload), "not one X25519 stanza")
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch) / "identity.txt"
        key.write_text(identity + "\n")
        done = subprocess.run(["age", "-d", "-i", str(key)], input=payload, capture_output=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.decode(errors="replace").strip()[:200])
    return done.stdout
