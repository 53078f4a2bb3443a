"""A data set of the form that `prepare` writes, small enough for tests: tables, images and clips in three shards."""

import hashlib
import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any


def make_tiny_dataset(
    root: Path, *, num_tables: int = 24, num_images: int = 24, num_clips: int = 8, seed: int = 5
) -> int:
    """Write index.parquet and shards below `root`; return the number of samples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = random.Random(seed)
    (root / "shards").mkdir(parents=True)
    rows: list[dict[str, Any]] = []

    tables = [
        pa.table(
            {
                "place": [draw.choice(["north", "south", "east", "west"]) for _ in range(12)],
                "value": [draw.randrange(1000) for _ in range(12)],
            }
        )
        for _ in range(num_tables)
    ]
    shard = "shards/table-000000.parquet"
    with pq.ParquetWriter(root / shard, tables[0].schema, write_page_checksum=True) as writer:
        first = 0
        for number, table in enumerate(tables):
            writer.write_table(table)
            digest = hashlib.sha256(str(table.to_pydict()).encode()).hexdigest()
            rows.append(_row(f"t{number:04d}", "table", shard, first, 12, digest))
            first += 12

    for kind, shard, count, make, suffix in (
        ("image", "shards/image-000000.tar", num_images, _png, "png"),
        ("clip", "shards/clip-000000.tar", num_clips, _webp, "webp"),
    ):
        with tarfile.open(root / shard, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(count):
                payload = make(draw)
                key = f"{kind[0]}{number:04d}"
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(payload)
                start = tar.offset + 512
                tar.addfile(member, io.BytesIO(payload))
                rows.append(_row(key, kind, shard, start, len(payload), hashlib.sha256(payload).hexdigest()))
    pq.write_table(pa.Table.from_pylist(rows), root / "index.parquet")
    return len(rows)


def _row(key: str, kind: str, shard: str, offset: int, length: int, digest: str) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "shard": shard,
        "offset": offset,
        "length": length,
        "sha256": digest,
        "source": f"{key}.src",
        "source_sha256": hashlib.sha256(key.encode()).hexdigest(),
        "detail": json.dumps({"number": int(key[1:])}),
        "recipe": "0" * 64,
    }


def _png(draw: random.Random) -> bytes:
    from PIL import Image

    base, slope = draw.randrange(128), draw.randrange(1, 4)
    image = Image.new("RGB", (32, 32))
    image.putdata([(base + slope * (place % 32), base, base + place // 32) for place in range(1024)])
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def _webp(draw: random.Random) -> bytes:
    from PIL import Image

    start = draw.randrange(100)
    frames = [Image.new("RGB", (32, 32), (start + 20 * number, 60, 90)) for number in range(4)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "webp", save_all=True, append_images=frames[1:], lossless=True)
    return buffer.getvalue()
