"""A prepared voyage with something of everything that `packtrain look` shows: copies, damage, drops, hostile names."""

import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from packtrain.dataset.index import DROP_SCHEMA, SAMPLE_SCHEMA
from packtrain.dataset.rows import row_writer
from packtrain.engines.processes import ProcessMapper
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.stages.init import init
from packtrain.stages.prepare import prepare
from source_parts import clip, csv_text, ignore, jpeg, png, voyage_folder

HOSTILE_NAME = '<script>alert("x")&#47;<script>.png'
HOSTILE_CELL = "<img src=x onerror=alert(1)>"


def write_mixed_sources(root: Path) -> Path:
    """Write sources with copies, damage, an e-mail column, names and cells that are markup; return `root`."""
    draw = random.Random(7)
    people = "".join(
        f"{i},{draw.gauss(20, 5):.2f},secret{i}@example.org,{draw.choice(['north', 'south', HOSTILE_CELL])}\n"
        for i in range(200)
    )
    files: dict[str, bytes] = {
        "tables/people.csv": f"id,kelvin,contact,<b>place</b>\n{people}".encode(),
        "tables/plain.csv": csv_text(30, 4),
        "tables/broken.xlsx": b"PK\x03\x04 no workbook",
        f"images/{HOSTILE_NAME}": png(64, 48, 100),
        "images/copy-1.png": png(40, 40, 1),
        "images/copy-2.png": png(40, 40, 1),
        "images/copy-3.png": png(40, 40, 1),
        "images/deep.png": png(60, 30, 9, "L"),
        "images/turned.jpg": jpeg(160, 80, 11, orientation=6),
        "images/cut.jpg": jpeg(400, 300, 12)[:900],
        "images/none.png": b"\x89PNG\r\n\x1a\n",
        "clips/moving.mp4": clip(20),
        "clips/still.mp4": clip(12, moving=False),
        "clips/cut.mp4": clip(10)[:300],
        "notes.xyz": b"no kind",
    }
    files |= {f"images/photo-{i:02d}.jpg": jpeg(80 + 7 * i, 60 + 5 * i, i) for i in range(12)}
    for name, payload in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return root


def mixed_voyage(root: Path, recipe: str = "") -> VoyageFolder:
    """Return a voyage that was prepared from such sources."""
    init(root / "voyage", "test voyage", "consignor")
    sources = write_mixed_sources(root / "raw")
    folder = voyage_folder(root / "voyage", sources, f"max_reject_rate = 0.9\ntable_block_rows = 16\n{recipe}")
    sync_parties(folder)  # values are shown only where the signature of the data scan holds
    prepare(folder, ProcessMapper(0), ignore)
    return folder


def sample_rows(folder: VoyageFolder) -> list[dict[str, Any]]:
    """Return the rows of all units' tables of samples, by kind and key."""
    found = [
        row
        for path in sorted((folder.work / "prepare" / "units").glob("*/*.samples.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    return sorted(found, key=lambda row: (row["kind"], row["key"]))


def measure(folder: VoyageFolder, name: str, values: dict[str, float]) -> None:
    """Write a measure of some samples (by key) into the units' tables, as a kind's reader would."""
    for path in sorted((folder.work / "prepare" / "units").glob("*/*.samples.parquet")):
        rows = pq.read_table(path).to_pylist()
        path.unlink()
        with row_writer(path, SAMPLE_SCHEMA) as writer:
            for row in rows:
                held = dict(row["measures"] or [])
                if row["key"] in values:
                    held[name] = values[row["key"]]
                writer.add({**row, "measures": sorted(held.items())})


def drop(folder: VoyageFolder, *rows: dict[str, Any]) -> None:
    """Add rows to drops.parquet, and take their samples out of the index, as the global step would."""
    dataset = folder.work / "dataset"
    held = pq.read_table(dataset / "drops.parquet").to_pylist()
    by_key = {(row["kind"], row["key"]): row for row in sample_rows(folder)}
    for row in rows:
        own = by_key[row["kind"], row["key"]]
        whole = {name: own[name] for name in ("source", "source_sha256", "sha256")}
        held.append({"value": None, "limit": None, "kept_key": "", "kept_source": "", **whole, **row})
    with row_writer(dataset / "drops.parquet", DROP_SCHEMA) as writer:
        for row in sorted(held, key=lambda each: (each["kind"], each["key"])):
            writer.add(row)
    gone = {(row["kind"], row["key"]) for row in rows}
    index = pq.read_table(dataset / "index.parquet")
    keep = [(kind, key) not in gone for kind, key in zip(*(index[n].to_pylist() for n in ("kind", "key")), strict=True)]
    pq.write_table(index.filter(keep), dataset / "index.parquet")


def answer_of(folder: VoyageFolder, query: str) -> list[tuple[Any, ...]]:
    """Return what DuckDB answers to a question over the data set's tables: {index}, {drops}, {rejects}, {samples}."""
    dataset = folder.work / "dataset"
    names = {name: f"read_parquet('{dataset / name}.parquet')" for name in ("index", "drops", "rejects")}
    names["samples"] = f"read_parquet('{folder.work / 'prepare' / 'units'}/*/*.samples.parquet')"
    return duckdb.connect().execute(query.format(**names)).fetchall()
