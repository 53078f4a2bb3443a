"""Small real sources for tests of `prepare`: tables, images and clips made here, and a voyage folder around them."""

import io
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from packtrain.crypto.sshsig import generate_key_pair
from packtrain.dataset.kinds import pieces
from packtrain.dataset.kinds.piece import OpenSource, Piece, Setback, Tally
from packtrain.dataset.sources import role_of, suffix_of
from packtrain.documents.recipe import RecipeSection
from packtrain.events import Event
from packtrain.record.folder import VoyageFolder


def png(width: int = 40, height: int = 30, seed: int = 0, mode: str = "RGB") -> bytes:
    """Return a PNG of noise."""
    from PIL import Image

    size = width * height * len(Image.new(mode, (1, 1)).getbands())
    target = io.BytesIO()
    Image.frombytes(mode, (width, height), random.Random(seed).randbytes(size)).save(target, "PNG")
    return target.getvalue()


def jpeg(width: int = 160, height: int = 120, seed: int = 0, orientation: int | None = None) -> bytes:
    """Return a JPEG of coarse noise, with an EXIF turn if asked."""
    from PIL import Image

    small = Image.frombytes("RGB", (16, 12), random.Random(seed).randbytes(16 * 12 * 3))
    image = small.resize((width, height), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90, exif=exif)
    return target.getvalue()


def csv_text(num_rows: int = 10, seed: int = 0) -> bytes:
    """Return a CSV with a header and three columns; the first has leading zeros."""
    draw = random.Random(seed)
    lines = [f'{i:05d},"place {draw.randrange(99)}, north",{draw.random():.6f}\n' for i in range(num_rows)]
    return ("postcode,place,value\n" + "".join(lines)).encode()


def xlsx(sheets: dict[str, list[list[object]]]) -> bytes:
    """Return a workbook with these sheets."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def clip(
    num_frames: int = 10,
    width: int = 64,
    height: int = 48,
    *,
    moving: bool = True,
    codec: str = "mpeg4",
    container_name: str = "mp4",
) -> bytes:
    """Return an MP4 (or another container) of a square that moves, or of a picture that stands still."""
    import av
    from PIL import Image

    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 10)
        for number in range(num_frames):
            image = Image.new("RGB", (width, height), (20, 60, 90))
            left = (number * 4) % (width - 8) if moving else 10
            image.paste((250, 200, 10), (left, 10, left + 8, 18))
            for packet in stream.encode(av.VideoFrame.from_image(image)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return target.getvalue()


def read(path: Path, recipe: RecipeSection | None = None) -> list[Piece | Setback | Tally]:
    """Return what a kind's reader yields for one file."""
    return list(_read(path, recipe or RecipeSection()))


def _read(path: Path, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    role = role_of(path.name)
    assert role is not None and role != "paper"
    with path.open("rb") as stream:
        yield from pieces(role, OpenSource(path.name, suffix_of(path.name), stream, path.stat().st_size), recipe)


def write_sources(root: Path) -> Path:
    """Write a few sound sources of each kind below `root`; return `root`."""
    for name, payload in {
        "tables/people.csv": csv_text(20),
        "tables/book.xlsx": xlsx({"one": [["a", "b"], [1, "x"], [2.5, None]], "empty": []}),
        "images/a.png": png(40, 40, 1),
        "images/b.jpg": jpeg(48, 64, 2),
        "images/deep/c.png": png(40, 20, 3),
        "clips/moving.mp4": clip(10),
        "LICENSE.txt": b"CC0\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return root


def voyage_folder(root: Path, sources: Path, recipe: str = "") -> VoyageFolder:
    """Make a voyage folder, with a signer, that prepares from `sources` by this [prepare] section."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "voyage.toml").write_text(
        f'[voyage]\nname = "test voyage"\n\n[sources]\npaths = ["{sources}"]\n\n[prepare]\n{recipe}\n'
    )
    if not (root / "keys" / "signer").exists():
        generate_key_pair(root / "keys" / "signer", "a test")
    return VoyageFolder(root)


def tree(root: Path) -> dict[str, bytes]:
    """Return all files below a folder by name."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def ignore(event: Event) -> None:
    """A sink for tests that do not watch."""
