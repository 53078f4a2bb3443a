"""Where a benchmark works, and which versions of the other programs it finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def roomy_folder(needed_bytes: int) -> Path:
    """Return a memory file system with so much room, or the folder for temporary files."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > needed_bytes:
        return memory
    fallback = Path(tempfile.gettempdir())
    print(f"no room for {needed_bytes / 1e9:.1f} GB in memory: working in {fallback}; the disk is in the figures")
    return fallback


def peer_versions(python: Path | None, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of these packages that an environment has."""
    if python is None:
        return {}
    script = (
        "import json, sys; from importlib import metadata\n"
        "print(json.dumps({name: metadata.version(name) for name in sys.argv[1:]"
        " if any(metadata.distributions(name=name))}))"
    )
    done = subprocess.run([python, "-c", script, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return {}
    return json.loads(done.stdout)
