"""Sections of the data set and of the training."""

from __future__ import annotations

import base64
import contextlib
import tarfile
from pathlib import Path
from typing import Final

from packtrain.report.pieces import drawing, number, table, words
from packtrain.report.summary import Summary
from packtrain.report.training_svg import loss_drawing, position_drawing, rate_drawing
from packtrain.units import counted, format_bytes

_MAX_PICTURE_BYTES: Final = 200_000
_MOST_PAPERS: Final = 12
_MEDIA_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


def carried(summary: Summary) -> str:
    """Return the facts of the data set, and sample pictures where they are asked for."""
    card = summary.card
    pictures = _pictures(summary)
    if card is None:
        return pictures
    rows = [
        (
            words(kind.kind),
            number(kind.samples),
            words(format_bytes(kind.bytes)),
            number(kind.shards),
            number(kind.duplicates),
            number(kind.filtered),
            number(kind.set_aside),
            number(kind.withdrawn),
        )
        for kind in card.kinds
    ]
    head = ("kind", "samples", "bytes", "shards", "duplicates", "filtered", "set aside", "withdrawn")
    loaded = f"; {card.samples_loaded:,} are loaded at the site" if card.samples_loaded is not None else ""
    papers = (
        f"Licences and credits that came with the sources: {', '.join(card.papers[:_MOST_PAPERS])}"
        f"{f' and {len(card.papers) - _MOST_PAPERS} more' if len(card.papers) > _MOST_PAPERS else ''}."
        if card.papers
        else "Licence: not stated; the sources came without a licence file."
    )
    return (
        f"<p>{words(card.name)}: {counted(card.samples, 'sample')}, {format_bytes(card.bytes)} in shards, from "
        f"{counted(card.sources, 'source file')} of {format_bytes(card.source_bytes)}{loaded}. {words(papers)}</p>"
        f"{table(head, rows, 'samples by kind')}{pictures}"
    )


def _pictures(summary: Summary, most: int = 60) -> str:
    shard_folder = summary.shard_folder
    if shard_folder is None:
        return ""
    tags: list[str] = []
    shards = sorted(shard_folder.glob("*.tar"))
    for shard in shards:
        # One that is none, or is being written, has no picture to show.
        with contextlib.suppress(tarfile.TarError, OSError, EOFError):
            tags += _pictures_of(shard, -(-most // max(len(shards), 1)))
    return f'<div class="pictures">{"".join(tags[:most])}</div>' if tags else ""


def _pictures_of(shard: Path, most: int) -> list[str]:
    with tarfile.open(shard) as archive:
        members = [
            member
            for member in archive
            if Path(member.name).suffix in _MEDIA_TYPES and member.isreg() and member.size <= _MAX_PICTURE_BYTES
        ]
        tags: list[str] = []
        for member in members[:: max(1, len(members) // most)][:most]:
            stream = archive.extractfile(member)
            assert stream is not None
            data = base64.b64encode(stream.read()).decode("ascii")
            media_type = _MEDIA_TYPES[Path(member.name).suffix]
            name = words(Path(member.name).stem)
            tags.append(f'<img src="data:{media_type};base64,{data}" alt="sample {name}" title="{name}">')
    return tags


def training(summary: Summary) -> str:
    """Return loss, rate and place in the data as drawings; where attempts begin is marked in them."""
    curve = summary.training
    if curve is None:
        return ""
    drawn = (
        ("Loss by step", loss_drawing(curve)),
        (f"{'Samples' if curve.has_samples else 'Steps'} a second", rate_drawing(curve)),
        ("Place in the data, by time", position_drawing(curve, summary.samples_loaded)),
    )
    parts = [f"<h3>{words(title)}</h3>{drawing(svg)}" for title, svg in drawn if svg]
    if not curve.has_times:
        parts.append('<p class="dim">Rates and times are not here: only the steps came home.</p>')
    return "".join(parts)
