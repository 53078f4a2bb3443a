"""A consignor's folder with sources of every kind, two of them of a person: for tests of what leaves the data set."""

from collections.abc import Callable
from pathlib import Path

from packtrain.events import Event
from packtrain.record.parties import sync_parties
from packtrain.stages.init import init
from packtrain.voyage import Voyage
from source_parts import clip, csv_text, ignore, jpeg, png

RECIPE = """
image_crop_pixels = 16
clip_frames = 4
clip_size_pixels = 16
table_block_rows = 4
shard_bytes = 8192
miniature_samples = 8

[prepare.splits]
validation = 0.3
"""
CANARY = b"canary-4711-of-a-person"


def canary_csv(num_rows: int = 12) -> bytes:
    """Return a table with a word in each row that no other source has."""
    return b"id,word\n" + b"".join(b"%05d,%s-%d\n" % (row, CANARY, row) for row in range(num_rows))


def canary_jpeg() -> bytes:
    """Return a JPEG whose bytes no other source has, by a comment in it."""
    plain = jpeg(64, 48, 99)
    return plain[:2] + b"\xff\xfe" + (len(CANARY) + 2).to_bytes(2, "big") + CANARY + plain[2:]


def write_raw(raw: Path) -> Path:
    """Write a few sources of each kind, more than one shard of images and tables; return the folder."""
    for name, payload in {
        **{f"images/{number:02d}.png": png(64, 48, number) for number in range(12)},
        "images/person.jpg": canary_jpeg(),
        "images/person-again.jpg": canary_jpeg(),
        **{f"tables/t{number}.csv": csv_text(12, number) for number in range(4)},
        "tables/person.csv": canary_csv(),
        "clips/moving.mp4": clip(10),
    }.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return raw


def make_voyage(root: Path, raw: Path, recipe: str = RECIPE, sink: Callable[[Event], None] = ignore) -> Voyage:
    """Make a consignor's folder that prepares from `raw`, and prepare it."""
    init(root, "test voyage", "consignor")
    (root / "voyage.toml").write_text(
        f'[voyage]\nname = "test voyage"\n\n[sources]\npaths = ["{raw}"]\n\n[prepare]\n{recipe}\n'
    )
    voyage = Voyage(root, sink)
    sync_parties(voyage.folder)
    voyage.prepare(0)
    return voyage
