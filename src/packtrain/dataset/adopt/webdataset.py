"""One shard in webdataset's form: every sample's place in the tar, and whether its media can be decoded."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import msgspec

from packtrain.dataset.adopt.row import MAX_SAMPLES, AdoptedShard
from packtrain.dataset.adopt.samples import Group, grouped, key_and_suffix
from packtrain.dataset.adopt.tar_members import TarMember, TarWalk
from packtrain.dataset.kinds import pieces
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece, Setback
from packtrain.dataset.kinds.registry import KIND_OF_SUFFIX
from packtrain.dataset.sources import text_of_name
from packtrain.dataset.window import Window
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.units import MIB

_HELD_BYTES: Final = 32 * MIB  # a member up to this is decoded from memory, a larger one is read a second time
_MEDIA: Final[tuple[Kind, ...]] = ("clip", "image")
"""In the order of choice: a picture beside a clip is its thumbnail."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of a sample.

    Attributes:
        kind, ending: of what its suffix says it is, where that is an image or a clip: "image", "jpg".
        sha256: of media.
        piece: what decoding gave; None where it is no media or was not decoded.
        fault: why it could not be decoded, or "".
    """

    offset: int
    size_bytes: int
    kind: Kind | None = None
    ending: str = ""
    sha256: str = ""
    piece: Piece | None = None
    fault: str = ""


def adopt_tar(
    found: AdoptedShard,
    stream: BinaryIO,
    recipe: RecipeSection,
    unit: str,
    *,
    decode: bool,
    given_up: Callable[[int], bool],
    reading: Callable[[int], None],
) -> None:
    """Read one tar in one pass; fill in rows, rejects and digest.

    Args:
        found: takes them.
        stream: the shard, with a file descriptor, at its beginning.
        recipe: kinds that are wanted.
        unit: id of the unit.
        decode: decode every image and clip in full; without it they are only digested.
        given_up: whether the media at an offset ended a process before.
        reading: told the offset of the media that are decoded next.

    Raises:
        Damaged: no tar, cut, or of a form whose samples have no place in it.
        OSError: it cannot be read.
    """
    walk = TarWalk(stream, found.shard.size_bytes)
    reader = _Reader(walk, stream, found, recipe, decode=decode, given_up=given_up, reading=reading)
    for group in grouped(reader.members()):
        found.num_samples += 1
        if found.num_samples > MAX_SAMPLES:
            raise Damaged(f"more than {MAX_SAMPLES} samples in one shard")
        _settle(found, group, recipe, unit)
    found.sha256 = walk.sha256


class _Reader:
    """Reads members as they come."""

    def __init__(
        self,
        walk: TarWalk,
        stream: BinaryIO,
        found: AdoptedShard,
        recipe: RecipeSection,
        *,
        decode: bool,
        given_up: Callable[[int], bool],
        reading: Callable[[int], None],
    ) -> None:
        self._walk = walk
        self._stream = stream
        self._found = found
        self._recipe = recipe
        self._decode = decode
        self._given_up = given_up
        self._reading = reading

    def members(self) -> Iterator[tuple[str, str, _Member, int]]:
        """Yield key, suffix, member and bytes of each that belongs to a sample."""
        while (member := self._walk.next_member()) is not None:
            named = key_and_suffix(text_of_name(member.name)) if member.is_file else None
            if named is not None:
                key, suffix = named
                yield key, suffix, self._read(member, suffix), member.size_bytes

    def _read(self, member: TarMember, suffix: str) -> _Member:
        ending = suffix.rpartition(".")[2]
        kind = KIND_OF_SUFFIX.get(ending)
        # Where a document says what kind the shard is of (clips kept as animated WebP), any media may be it.
        if kind not in _MEDIA or not (self._found.shard.kind or kind in self._recipe.kinds):
            return _Member(member.offset, member.size_bytes)
        state = hashlib.sha256()
        held: list[bytes] | None = [] if self._decode and member.size_bytes <= _HELD_BYTES else None
        for piece in self._walk.pieces():
            state.update(piece)
            if held is not None:
                held.append(piece)
        piece, fault = None, ""
        if self._decode and self._given_up(member.offset):
            fault = "its decoder crashed and took the process with it"
        elif self._decode:
            self._reading(member.offset)
            try:
                piece = self._decoded(member, kind, ending, held)
            except Damaged as error:
                fault = str(error)
        return _Member(member.offset, member.size_bytes, kind, ending, state.hexdigest(), piece, fault)

    def _decoded(self, member: TarMember, kind: Kind, ending: str, held: list[bytes] | None) -> Piece:
        if held is not None:
            stream: BinaryIO = io.BytesIO(b"".join(held))
        else:
            raw = Window(self._stream.fileno(), member.offset, member.size_bytes)
            stream = cast("BinaryIO", io.BufferedReader(raw, MIB))
        name = f"{self._found.shard.name}/{text_of_name(member.name)}"
        whole: Piece | None = None
        for each in pieces(kind, OpenSource(name, ending, stream, member.size_bytes), self._recipe):
            if isinstance(each, Piece):
                whole = each
            elif isinstance(each, Setback):
                raise Damaged(f"{each.place}: {each.error}")
        if whole is None or whole.payload is not None:
            raise Damaged("it is not one sample as it is")
        return whole


def _settle(found: AdoptedShard, group: Group[_Member], recipe: RecipeSection, unit: str) -> None:
    """Make a row of a sample, or say why it has none."""
    place = f'sample "{group.key}"'
    media = _media_of(group)
    fault = group.fault
    for suffix, member in group.members.items():
        if member.fault and not fault:
            fault = f".{suffix}: {member.fault}"
    if media is None:
        if not fault and any(KIND_OF_SUFFIX.get(suffix.rpartition(".")[2]) in _MEDIA for suffix in group.members):
            return  # of a kind that the recipe leaves out
        members = ", ".join(f".{suffix}" for suffix in list(group.members)[:5])
        found.set_aside(place, fault or f"no image or clip in it, only {members}", "", group.num_bytes)
        return
    suffix, member = media
    assert member.kind is not None
    kind = member.kind
    if found.shard.kind:
        if found.shard.kind not in recipe.kinds:
            return
        kind = msgspec.convert(found.shard.kind, Kind)
    if fault:
        found.set_aside(place, fault, kind, group.num_bytes)
        return
    piece = member.piece
    others = {name: [each.offset, each.size_bytes] for name, each in group.members.items() if name != suffix}
    found.add(
        kind=kind,
        sha256=member.sha256,
        suffix=member.ending,
        offset=member.offset,
        length=member.size_bytes,
        unit=unit,
        detail={
            **(piece.detail if piece is not None else {}),
            "sample_key": group.key,
            "suffix": suffix,
            "members": others,
        },
        measures=piece.measures if piece is not None and kind == member.kind else None,
        fingerprint=piece.fingerprint if piece is not None and kind == member.kind else b"",
    )


def _media_of(group: Group[_Member]) -> tuple[str, _Member] | None:
    """Return the member that is the sample: a clip before an image, a plain suffix before `seg.png`, then the first."""
    media = [(suffix, member) for suffix, member in group.members.items() if member.kind is not None]
    return min(media, key=lambda each: (_MEDIA.index(cast("Kind", each[1].kind)), "." in each[0]), default=None)
