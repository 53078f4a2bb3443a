"""The image job by Ray Data: image_by_ray.py SOURCES TARGET SIDE.

Duplicates are dropped by the driver, on digests alone, and what is left is read again: a groupby, the way that Ray Data
has for it, would shuffle the files' bytes between actors, and wants more than two cores.
"""

# What the peers' environment has and the project's has not.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false, reportUntypedFunctionDecorator=false

import hashlib
import io
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import ray


def digest(row: dict[str, Any]) -> dict[str, Any]:
    """Return path and SHA-256 of a file."""
    return {"path": row["path"], "sha256": hashlib.sha256(row["bytes"]).hexdigest()}


def main() -> None:
    """Digest, drop duplicates, treat what is left, write it as Parquet."""
    source, target, side = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def treat(row: dict[str, Any]) -> dict[str, Any]:
        import imagehash
        from PIL import Image

        treated: dict[str, Any] = {"path": row["path"], "jpeg": b"", "phash": ""}
        try:
            image = Image.open(io.BytesIO(row["bytes"]))
            image.load()
        except (OSError, SyntaxError, ValueError):
            return treated
        image = image.convert("RGB")
        image.thumbnail((side, side))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        return {**treated, "jpeg": buffer.getvalue(), "phash": str(imagehash.phash(image))}

    started = time.perf_counter()
    # A short path: a socket's has at most 107 bytes.
    logs = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
    ray.init(include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, _temp_dir=logs.name)
    start_seconds = time.perf_counter() - started
    ray.data.DataContext.get_current().enable_progress_bars = False
    firsts: dict[str, str] = {}
    digests = ray.data.read_binary_files(source, include_paths=True).map(digest).take_all()
    for row in sorted(digests, key=lambda row: row["path"]):
        firsts.setdefault(row["sha256"], row["path"])
    kept = ray.data.read_binary_files(sorted(firsts.values()), include_paths=True).map(treat)
    kept.write_parquet(target)
    # By pyarrow: Ray Data takes seconds for it, and this is no part of the job.
    rows = [
        row
        for path in Path(target).rglob("*.parquet")
        for row in pq.read_table(path).select(["path", "phash"]).to_pylist()
    ]
    damaged = [os.path.relpath(row["path"], source) for row in rows if not row["phash"]]
    print(json.dumps({"kept": len(rows) - len(damaged), "damaged": damaged, "start_seconds": start_seconds}))
    ray.shutdown()
    logs.cleanup()


if __name__ == "__main__":
    main()
