"""The image job by Daft's native runner: image_by_daft.py SOURCES TARGET SIDE."""

# What the peers' environment has and the project's has not.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false, reportUntypedFunctionDecorator=false

import hashlib
import json
import os
import sys
from pathlib import Path

import daft
import pyarrow.parquet as pq
from daft import col
from daft.functions import decode_image, download, encode_image, image_hash


@daft.func(return_dtype=daft.DataType.string())
def sha256(payload: bytes) -> str:
    """Return the SHA-256 of a file's bytes: Daft's own functions have no more than SHA-1."""
    return hashlib.sha256(payload).hexdigest()


def main() -> None:
    """Say the whole job as one query; a row whose image could not be decoded has none."""
    source, target, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
    daft.set_runner_native()
    frame = (
        daft.from_glob_path(f"{source}/**/*.jpg")
        .select("path")
        .with_column("payload", download(col("path")))
        .with_column("sha256", sha256(col("payload")))
        .distinct("sha256")
        .with_column("image", decode_image(col("payload"), on_error="null", mode="RGB").resize(side, side))
        .with_column("phash", image_hash(col("image"), method="phash"))
        .with_column("jpeg", encode_image(col("image"), "JPEG"))
        .exclude("image", "payload")
    )
    frame.write_parquet(target)
    kept, damaged = 0, list[str]()
    for path in Path(target).rglob("*.parquet"):
        found = pq.read_table(path, columns=["path", "jpeg"])
        missing = found["jpeg"].is_null()
        kept += len(found) - missing.to_pylist().count(True)
        damaged += [name.removeprefix("file://") for name in found.filter(missing)["path"].to_pylist()]
    print(json.dumps({"kept": kept, "damaged": [os.path.relpath(name, source) for name in damaged]}))


if __name__ == "__main__":
    main()
