"""Samples of the tables as what the page shows of them: pictures, and a few facts in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Final

import msgspec

from packtrain.dataset.looking import thumbs
from packtrain.dataset.looking.look import Making, Shown, Thumb
from packtrain.dataset.looking.media import open_kept, open_read, open_source
from packtrain.dataset.looking.set_tables import Row
from packtrain.dataset.looking.where import Where
from packtrain.units import format_bytes

_LONGEST_FACT: Final = 60


def kept(where: Where, row: Row) -> Shown:
    """Return a row of the index, with its pictures out of its shard."""
    return _shown(row, partial(open_kept, where, row), row["length"] if row["kind"] != "table" else None)


def read(where: Where, row: Row) -> Shown:
    """Return a sample that was read, kept or dropped, with its pictures out of what its unit wrote, or its source."""
    return _shown(row, partial(open_read, where, row), row["blob_bytes"])


def making(where: Where, row: Row) -> Making | None:
    """Return a kept sample beside its source, or None where nothing was made of that, or it is none of a picture."""
    if where.adopted or row["kind"] == "table" or row["sha256"] == row["source_sha256"]:
        return None
    detail = _detail(row)
    opened = partial(open_source, where, row["source"])
    if row["kind"] == "image":
        box, scaled = _whole_numbers(detail.get("box"), 4), _whole_numbers(detail.get("scaled"), 2)
        # What was scaled first was cut in the pixels of the scaled image.
        pictures = thumbs.image_thumbs(opened, box, scaled[0] if scaled else None)
    else:
        times = _times(detail)
        pictures = thumbs.clip_thumbs(opened, [times[i] for i in (0, len(times) // 2, -1)] if times else ())
    facts = (("pixels", _size(detail)),) if _size(detail) else ()
    before = Shown("", row["kind"], row["source"], facts, pictures)
    return Making(before, kept(where, row))


def _shown(row: Row, opened: Callable[[], BinaryIO], num_bytes: int | None) -> Shown:
    detail = _detail(row)
    facts: list[tuple[str, str]] = []
    if num_bytes is not None:
        facts.append(("size", format_bytes(num_bytes)))
    pictures: tuple[Thumb, ...] = ()
    if row["kind"] == "image":
        pictures = thumbs.image_thumbs(opened)
        box = _whole_numbers(detail.get("box"), 4)
        scaled = _whole_numbers(detail.get("scaled"), 2)
        whole = f"{scaled[0]} x {scaled[1]}" if scaled else _size(detail)
        size = f"{box[2] - box[0]} x {box[3] - box[1]}" if box else whole
        facts += [("pixels", size)] if size else []
        facts += [("cut at", f"{box[0]}, {box[1]} of {whole}")] if box else []
    elif row["kind"] == "clip":
        pictures = thumbs.clip_thumbs(opened, _times(detail) if "first_frame" in detail else ())
        facts += [("frames", str(len(_times(detail)) or detail.get("num_frames", "")))]
        facts += [("source's pixels" if "first_frame" in detail else "pixels", _size(detail))]
    else:
        facts += [(name, str(detail[key])) for name, key in _OF_TABLE if detail.get(key) not in (None, "")]
    if row.get("value") is not None:
        facts += [("measured", _number(row["value"])), ("limit", _number(row["limit"]))]
    if row.get("split") not in (None, "train"):
        facts.append(("split", row["split"]))
    facts = [(name, text[:_LONGEST_FACT]) for name, text in facts if text]
    return Shown(row["key"], row["kind"], row["source"], tuple(facts), pictures)


_OF_TABLE: Final = (("sheet", "sheet"), ("first row", "first_row"), ("rows", "rows"), ("columns", "columns"))


def _number(value: float) -> str:
    """Return a measured number for people: six digits at most."""
    return f"{value:.6g}"


def _detail(row: Row) -> dict[str, Any]:
    try:
        return msgspec.json.decode(row["detail"], type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _size(detail: dict[str, Any]) -> str:
    return f"{detail['width']} x {detail['height']}" if "width" in detail and "height" in detail else ""


def _times(detail: dict[str, Any]) -> list[float]:
    try:
        return msgspec.convert(detail.get("times_seconds", []), list[float])
    except msgspec.ValidationError:
        return []


def _whole_numbers(value: object, length: int) -> list[int]:
    try:
        found = msgspec.convert(value, list[int])
    except msgspec.ValidationError:
        return []
    return found if len(found) == length else []
