"""What a Croissant description says lies in its folder: files with their digests, and patterns of files.

Nothing is fetched: a file that is only an address is refused. Archives are adopted as they are, so what the description
says about the files inside them is not looked at; nor are its record sets.

Source:
    Croissant format specification 1.0, "FileObject" and "FileSet".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec

from packtrain.errors import SourceUnreadable
from packtrain.units import MIB

CROISSANT: Final = "croissant.json"
MAX_CARD_BYTES: Final = 64 * MIB
_MOST_ENTRIES: Final = 1_000_000
_MOST_STARS: Final = 6
_MAX_PATTERN: Final = 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(slots=True)
class Card:
    """What a description names.

    Attributes:
        files: digests by name below the folder; "" where none is given.
        includes, excludes: patterns of further files.
    """

    files: dict[str, str] = field(default_factory=dict[str, str])
    includes: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    excludes: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])

    def names(self, name: str) -> bool:
        """Return whether the description names this file."""
        if name in self.files:
            return True
        return any(p.fullmatch(name) for p in self.includes) and not any(p.fullmatch(name) for p in self.excludes)


def read_card(payload: bytes, where: str) -> Card:
    """Return what a croissant.json names.

    Args:
        payload: its bytes.
        where: its path, for errors.

    Raises:
        SourceUnreadable: not a Croissant description, or it names an address, or a file outside of its folder.
    """
    nodes = _distribution(payload, where)
    archives = {_text(node.get("@id")) for node in nodes if _is(node, "FileObject")}
    # A repository is a folder with a history: where the data was cloned, its files lie beside the description.
    folders = {_text(node.get("@id")) for node in nodes if _text(node.get("encodingFormat")).startswith("git+")}
    card = Card()
    for node in nodes:
        inside = {_text(each.get("@id")) for each in _nodes(node.get("containedIn"))} - folders
        if inside & archives or _text(node.get("@id")) in folders:
            continue
        if _is(node, "FileObject"):
            name = _local_name(_text(node.get("contentUrl")), where)
            sha256 = _text(node.get("sha256")).lower()
            card.files[name] = sha256 if _SHA256.fullmatch(sha256) else ""
        elif _is(node, "FileSet"):
            card.includes += [_pattern(text, where) for text in _texts(node.get("includes"))]
            card.excludes += [_pattern(text, where) for text in _texts(node.get("excludes"))]
    if not card.files and not card.includes:
        raise SourceUnreadable(
            "the Croissant description names no file",
            where=where,
            expected="FileObject or FileSet in its distribution",
            hint='adopt the shards themselves: form = "webdataset" or "parquet"',
        )
    return card


def _distribution(payload: bytes, where: str) -> list[Mapping[str, Any]]:
    if len(payload) > MAX_CARD_BYTES:
        raise SourceUnreadable("the Croissant description is too long", where=where, expected=f"{MAX_CARD_BYTES} bytes")
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"the Croissant description is no JSON: {error}", where=where) from error
    nodes = _nodes(_nodes(document)[0].get("distribution")) if _nodes(document) else []
    if len(nodes) > _MOST_ENTRIES:
        raise SourceUnreadable("the Croissant description names too many files", where=where, found=str(len(nodes)))
    return nodes


def _local_name(url: str, where: str) -> str:
    name = url.removeprefix("./")
    if _SCHEME.match(url) or url.startswith("//"):
        raise SourceUnreadable(
            "the Croissant description names a file that is not here",
            where=where,
            expected="contentUrl relative to its folder",
            found=url[:200],
            hint="fetch the file into this folder, and write its name there into contentUrl: nothing is downloaded",
        )
    if not name or name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise SourceUnreadable(
            "the Croissant description names a file outside of its folder",
            where=where,
            expected="contentUrl relative to its folder",
            found=url[:200],
        )
    return name


def _pattern(glob: str, where: str) -> re.Pattern[str]:
    """Return a glob as a pattern of whole names: "*" and "?" stay within a folder, "**/" is any folders."""
    parts: list[str] = []
    split = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./"))
    # Each star may try every length: a handful is a pattern, a hundred would never end.
    if len(split) > 2 * _MOST_STARS + 1 or len(glob) > _MAX_PATTERN:
        raise SourceUnreadable("the Croissant description has too long a pattern", where=where, found=glob[:200])
    for part in split:
        match part:
            case "**/":
                parts.append("(?:[^/]+/)*")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _:
                parts.append(re.escape(part))
    return re.compile("".join(parts), re.DOTALL)


def _is(node: Mapping[str, Any], kind: str) -> bool:
    return any(re.split(r"[:/#]", text)[-1] == kind for text in _texts(node.get("@type")))


def _nodes(value: object) -> list[Mapping[str, Any]]:
    found = cast("Sequence[object]", value) if isinstance(value, list) else [value]
    return [cast("Mapping[str, Any]", each) for each in found if isinstance(each, dict)]


def _texts(value: object) -> list[str]:
    found = cast("Sequence[object]", value) if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, str)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
