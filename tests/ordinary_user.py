"""Runs Python as a user who is not root, from tests that are: with the interpreter and packages of this environment.

These may lie in root's home, where nobody else may look. Then the child gets mounts of its own, in which such a folder
shows nothing but what is needed of it.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
ROOT = Path(__file__).parents[1]


def why_not() -> str:
    """Return why no other user can be played here, or an empty text."""
    if os.geteuid() != 0:
        return "not root: this whole run is that of an ordinary user"
    missing = [name for name in ("setpriv", "unshare", "mount") if shutil.which(name) is None]
    return f"no {', '.join(missing)} (Debian package: util-linux)" if missing else ""


@contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """Yield an empty folder that belongs to nobody; pytest's own lie below one that only root may enter."""
    path = Path(tempfile.mkdtemp(prefix="packtrain-nobody-"))
    try:
        path.chmod(0o755)
        os.chown(path, NOBODY, NOBODY)
        yield path
    finally:
        shutil.rmtree(path)


def run_as_nobody(script: str, cwd: Path, arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a Python script as nobody, with src/ and tests/ of this checkout on its path."""
    needed = {Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.prefix)), ROOT}
    needed |= {Path(os.path.realpath(ROOT / "build"))}
    blocked: dict[Path, set[Path]] = {}
    for path in needed:
        for parent in reversed(path.parents):
            if not parent.stat().st_mode & 0o001:
                blocked.setdefault(parent, set()).add(path)
                break
    lines = ["set -e"]
    for parent, paths in blocked.items():
        for number, path in enumerate(sorted(paths)):
            stash = shlex.quote(f"{cwd}/stash-{number}")
            lines += [f"mkdir {stash}", f"mount --bind {shlex.quote(str(path))} {stash}"]
        lines.append(f"mount -t tmpfs -o mode=755 tests {shlex.quote(str(parent))}")
        for number, path in enumerate(sorted(paths)):
            stash = shlex.quote(f"{cwd}/stash-{number}")
            lines += [f"mkdir -p {shlex.quote(str(path))}", f"mount --bind {stash} {shlex.quote(str(path))}"]
    child = [sys.executable, "-c", script, *arguments]
    lines.append(f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {shlex.join(child)}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", "\n".join(lines)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
