"""Run by itself, with Python's own library alone: looks at paths, each in a thread, and prints a JSON line of each.

A path on a dead mount never comes; the others do, and whoever started this reads no longer than it has patience.
"""

import json
import os
import stat
import sys
import threading
import time
from typing import Any

_MOST_ENTRIES = 200
_WALK_SECONDS = 3.0


def look(path: str) -> dict[str, Any]:
    """Return what is known of a path: of itself, and of the file system that it lies on, or would lie on."""
    found: dict[str, Any] = {"path": path, "near": path, "is_there": True, "is_folder": False}
    try:
        status = os.stat(path)
    except OSError as error:
        found |= {"is_there": False, "why": (error.strerror or str(error)).lower()}
    else:
        found |= {"is_folder": stat.S_ISDIR(status.st_mode), "mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid}
        found |= {"bytes": status.st_size, "is_readable": os.access(path, os.R_OK), "mtime": status.st_mtime}
    near = path
    while not os.path.isdir(near) and near != os.path.dirname(near):
        near = os.path.dirname(near)
    try:
        space = os.statvfs(near)
        found |= {"total_bytes": space.f_blocks * space.f_frsize, "free_bytes": space.f_bavail * space.f_frsize}
        found |= {
            "is_read_only": bool(space.f_flag & os.ST_RDONLY),
            "free_files": space.f_favail,
            "files": space.f_files,
        }
        found |= {"near": os.path.realpath(near), "device": os.stat(near).st_dev}
        found |= {"is_writable": os.access(near, os.W_OK | os.X_OK), "folds_case": folds_case(near)}
    except OSError as error:
        found["why"] = (error.strerror or str(error)).lower()
    return found


def folds_case(folder: str) -> bool | None:
    """Return whether NAME and name are one file there, by an entry that is there; None where none can tell."""
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST_ENTRIES), entries, strict=False):
            other = os.path.join(folder, entry.name.swapcase())
            if other == entry.path or os.path.basename(other) == entry.name:
                continue
            try:
                return os.path.samestat(os.lstat(other), os.lstat(entry.path))
            except FileNotFoundError:
                return False
    return None


def weigh(path: str) -> dict[str, Any]:
    """Return how many bytes of files lie below a path, as far as some seconds reach."""
    total, is_whole, ends = 0, True, time.monotonic() + _WALK_SECONDS
    if os.path.isfile(path):
        return {"path": path, "below_bytes": os.path.getsize(path), "is_whole": True}
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if time.monotonic() > ends:
            is_whole = False
            break
    return {"path": path, "below_bytes": total, "is_whole": is_whole}


def main() -> None:
    """Read what is to be looked at from standard input; print what each look gives as soon as it is there."""
    asked = json.load(sys.stdin)
    printing = threading.Lock()

    def answer(work: Any, path: str) -> None:
        try:
            found = work(path)
        except Exception as error:
            found = {"path": path, "why": f"{type(error).__name__}: {error}"}
        with printing:
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()

    jobs = [(look, path) for path in asked["look"]] + [(weigh, path) for path in asked["weigh"]]
    threads = [threading.Thread(target=answer, args=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A thread that came back leaves nothing; the interpreter's own end would wait for none that did not.
    os._exit(0)


if __name__ == "__main__":
    main()
