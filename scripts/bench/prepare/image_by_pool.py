"""The image job by the standard library's process pool, Pillow and imagehash: image_by_pool.py SOURCES TARGET SIDE."""

# What the peers' environment has and the project's has not.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false, reportUntypedFunctionDecorator=false

import hashlib
import io
import json
import os
import sys
import tarfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagehash
from PIL import Image

SIDE = int(sys.argv[3])


def digest(path: str) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def treat(path: str) -> tuple[bytes, str] | None:
    """Return the image as JPEG within SIDE, and its phash; None where it cannot be decoded in full."""
    try:
        image = Image.open(io.BytesIO(Path(path).read_bytes()))
        image.load()
    except (OSError, SyntaxError, ValueError):
        return None
    image = image.convert("RGB")
    image.thumbnail((SIDE, SIDE))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90)
    return target.getvalue(), str(imagehash.phash(image))


def main() -> None:
    """Digest, drop duplicates, treat what is left, write it into one tar."""
    source, target = sys.argv[1:3]
    paths = sorted(str(path) for path in Path(source).rglob("*") if path.is_file())
    damaged: list[str] = []
    rows: list[dict[str, str]] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        firsts: dict[str, str] = {}
        for path, found in zip(paths, pool.map(digest, paths, chunksize=32), strict=True):
            firsts.setdefault(found, path)
        kept = sorted(firsts.values())
        with tarfile.open(f"{target}/images.tar", "w") as tar:
            for path, treated in zip(kept, pool.map(treat, kept, chunksize=8), strict=True):
                if treated is None:
                    damaged.append(os.path.relpath(path, source))
                    continue
                payload, phash = treated
                member = tarfile.TarInfo(f"{len(rows):06d}.jpg")
                member.size = len(payload)
                tar.addfile(member, io.BytesIO(payload))
                rows.append({"key": f"{len(rows):06d}", "source": path, "phash": phash})
    Path(f"{target}/index.json").write_text(json.dumps(rows))
    print(json.dumps({"kept": len(rows), "damaged": damaged}))


if __name__ == "__main__":
    main()
