"""Looks for the training data in what is about to leave, and in what came home. One gate among others.

What it sees and what it cannot see is in docs/explanation/export-guard.md, and in short in every export list.
"""

from __future__ import annotations

import itertools
import pickletools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from packtrain.errors import ExportDenied
from packtrain.training.canaries import canary_needles, tokens_digest
from packtrain.training.needles import Needles, Passing
from packtrain.training.number_shapes import BLOCK_NUMBERS, Judge, Values
from packtrain.training.sample_search import look_at_samples
from packtrain.training.text_search import MIN_STRETCH_BYTES, TextWindows, digests_in
from packtrain.training.unfolding import MAX_ENCODED_CHARACTERS, encoded_characters, unfold
from packtrain.training.weights_file import ITEM_BYTES, read_places

if TYPE_CHECKING:
    from packtrain.training.sample_search import Samples

LIMITS: Final = (
    "not looked for: bytes that were encrypted and lie in the low bits of weights or the digits of numbers; samples "
    "decoded, summed up or said in other words; other ciphers and codes; what the model learned by heart"
)
_PROTO: Final = 0x80
_PICKLE_PROTOCOLS: Final = (2, 3, 4, 5)
_MIN_PICKLE_BYTES: Final = 8
_MIN_OPCODES: Final = 4  # by chance digits decode to the first two bytes of a pickle now and then
_ZIP: Final = b"PK\x03\x04"
_SHA256_BYTES: Final = 32
_READ_BLOCKS: Final = 4  # a MiB of float32 stays in the cache of a core through all passes over it
_NOTHING: Final[Mapping[str, bytes]] = {}


@dataclass(slots=True)
class Judged:
    """How many numbers of weights were judged by their shape; the others lie in small tensors, or are declared so."""

    num_judged: int = 0
    num_not_judged: int = 0


@dataclass(slots=True)
class Texts:
    """Texts that leave, and what they say in other writings."""

    pieces: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    @property
    def all_pieces(self) -> list[bytes]:
        """Return the pieces of all of them."""
        return [piece for pieces in self.pieces.values() for piece in pieces]


@dataclass(frozen=True, slots=True)
class TextsSearched:
    """Texts that hold none of what was looked for.

    Attributes:
        needles: what is to be looked for in weights.
        checks: what was looked for, in words.
    """

    needles: Needles
    checks: tuple[str, ...]


def search_texts_at_site(
    texts: Sequence[Path],
    store: Samples,
    tokens: Sequence[bytes],
    shard_digests: Collection[str],
    beside: Mapping[str, bytes] = _NOTHING,
) -> TextsSearched:
    """Look through texts that are about to leave; return what was looked for, and what to look for in weights.

    Args:
        texts: text files.
        store: the samples.
        tokens: numbers of the canaries that lie in the store.
        shard_digests: SHA-256 of its shards.
        beside: what leaves in no file of its own, by what it is called: the words of a provenance.

    Raises:
        ExportDenied: training data, a canary, a digest or a pickle was found, or text that nobody can read.
        IntegrityError: the store cannot be read.
    """
    read = _read_texts(texts, beside)
    looked = look_at_samples(store, TextWindows(read.all_pieces))
    if looked.in_text:
        _data_found(", ".join(read.pieces), f"a stretch of sample {looked.in_text[0]}", len(looked.in_text))
    digests = store.sample_digests()
    _refuse_digests(read, itertools.chain(digests, shard_digests))
    needles = Needles([*canary_needles(tokens), *looked.needles()])
    _refuse_needles_in_text(read, needles)
    return TextsSearched(
        needles,
        (
            _about_canaries(tokens),
            f"any {MIN_STRETCH_BYTES} bytes of {looked.num_samples} of {looked.num_in_store} samples: in no text, nor "
            "in what its digits say",
            f"{len(looked.probes)} stretches of 32 bytes of them: in no weights, nor in one byte of each number",
            f"digests of {len(digests)} samples and {len(shard_digests)} shards: in no text",
        ),
    )


def search_weights(weights: Sequence[Path], needles: Needles, values: Mapping[str, Values]) -> tuple[str, ...]:
    """Look through weights, and at the shape of their numbers; return what was looked at, in words.

    Args:
        weights: safetensors files.
        needles: what they must not hold.
        values: what the declaration says of the numbers of a tensor; "weights" for one that is not in it.

    Raises:
        ExportDenied: training data or a canary was found, or numbers that are none of a model.
    """
    judged = Judged()
    for path in weights:
        wrong: list[tuple[str, str]] = []
        if found := read_weights(path, needles, values, judged, wrong):
            _data_found(path.name, _said(min(found)), len(found))
        if wrong:
            name, what = wrong[0]
            more = f", and {len(wrong) - 1} more tensors" if len(wrong) > 1 else ""
            raise ExportDenied(
                f"tensor does not look like weights: {what}{more}",
                where=f"{path.name}, {name}",
                hint="nothing was exported; what its numbers are is declared at home, in export.toml (values)",
            )
    return _about_numbers(judged, values)


def search_at_home(
    weights: Sequence[Path],
    texts: Sequence[Path],
    tokens: Sequence[bytes],
    digests: Iterable[str],
    values: Mapping[str, Values],
    num_planted: int,
    beside: Mapping[str, bytes] = _NOTHING,
) -> tuple[str, ...]:
    """Look once more through what came home, by what this party kept; return what was looked for, in words.

    Args:
        weights: safetensors files.
        texts: text files.
        tokens: numbers of the canaries that this party planted and still has.
        digests: SHA-256 that no text may hold.
        values: see `search_weights`.
        num_planted: how many canaries were packed.
        beside: see `search_texts_at_site`.

    Raises:
        ExportDenied: as `search_texts_at_site` and `search_weights`.
    """
    read = _read_texts(texts, beside)
    _refuse_digests(read, digests)
    needles = Needles(canary_needles(tokens))
    _refuse_needles_in_text(read, needles)
    return (_about_canaries(tokens, num_planted), *search_weights(weights, needles, values))


def read_weights(
    path: Path, needles: Needles, values: Mapping[str, Values], judged: Judged, wrong: list[tuple[str, str]]
) -> set[str]:
    """Read a safetensors file once: return the labels of what it holds, and add what is wrong with its numbers.

    Looked through are the file as it lies, and each byte of its numbers by itself: the first bytes of all, the second
    of all, and the lower half of all.

    Args:
        path: the file.
        needles: what to look for.
        values: what the declaration says of the numbers of a tensor; "weights" for one that is not in it.
        judged: counts up.
        wrong: takes the names of tensors, and what is wrong with each.
    """
    found: set[str] = set()
    places = read_places(path)
    with path.open("rb") as stream:
        whole = Passing(needles)
        found |= whole.look(stream.read(places[0].start if places else -1))
        for placed in places:
            tensor = placed.tensor
            width = ITEM_BYTES[tensor.dtype]
            judge = Judge(tensor.dtype, tensor.shape, values.get(tensor.name, "weights"))
            planes = _Planes(width, needles)
            left = tensor.bytes
            is_wrong = False
            while left and (block := stream.read(min(left, _READ_BLOCKS * BLOCK_NUMBERS * width))):
                left -= len(block)
                found |= whole.look(block) | planes.look(block)
                # A judge that found one block wrong has said enough; what it holds is still looked for.
                for at in range(0, len(block), BLOCK_NUMBERS * width):
                    what = None if is_wrong else judge.look(block[at : at + BLOCK_NUMBERS * width])
                    if what is not None:
                        wrong.append((tensor.name, what))
                        is_wrong = True
            judged.num_judged += judge.num_judged
            judged.num_not_judged += judge.num_not_judged
    return found


class _Planes:
    """One byte of each number, for each of its bytes, and the lower half of each; with what went before."""

    def __init__(self, width: int, needles: Needles) -> None:
        self._width = width
        columns = [slice(place, place + 1) for place in range(width)] if width > 1 else []
        if width > 2:
            columns.append(slice(0, width // 2))
        self._columns = [(column, Passing(needles)) for column in columns]

    def look(self, block: bytes) -> set[str]:
        found: set[str] = set()
        numbers = np.frombuffer(block, dtype=np.uint8).reshape(-1, self._width)
        for column, passing in self._columns:
            found |= passing.look(numbers[:, column].tobytes())
        return found


def _read_texts(texts: Sequence[Path], beside: Mapping[str, bytes]) -> Texts:
    read = Texts()
    for name, content in ({path.name: path.read_bytes() for path in texts} | dict(beside)).items():
        if (count := encoded_characters(content)) > MAX_ENCODED_CHARACTERS:
            raise ExportDenied(
                "text holds more encoded bytes than a person could read",
                where=name,
                expected=f"at most {MAX_ENCODED_CHARACTERS} characters in words of 40 and more digits and letters",
                found=f"{count} characters",
                hint="pictures, archives and keys do not leave as text; weights leave as declared tensors",
            )
        read.pieces[name] = unfold(content, name)
        for piece in read.pieces[name]:
            if _is_pickle(piece):
                raise ExportDenied("text holds a pickle or an archive in digits", where=name)
    return read


def _is_pickle(piece: bytes) -> bool:
    """Return whether a piece is an archive, or reads as a pickle: its opcodes are listed, and none is carried out."""
    if piece.startswith(_ZIP):
        return True
    if len(piece) < _MIN_PICKLE_BYTES or piece[0] != _PROTO or piece[1] not in _PICKLE_PROTOCOLS:
        return False
    try:
        return sum(1 for _ in pickletools.genops(piece)) >= _MIN_OPCODES
    except Exception:  # noqa: BLE001 - whatever a parser says of bytes that are none
        return False


def _refuse_digests(read: Texts, digests: Iterable[str]) -> None:
    named: dict[str, str] = {}
    for name, pieces in read.pieces.items():
        named |= dict.fromkeys(digests_in(pieces), name)
        named |= {piece.hex(): name for piece in pieces if len(piece) == _SHA256_BYTES}
    if named and (found := sorted({digest for digest in digests if digest in named})):
        _data_found(named[found[0]], f"digest {found[0][:12]} of a sample or shard", len(found))


def _refuse_needles_in_text(read: Texts, needles: Needles) -> None:
    for name, pieces in read.pieces.items():
        for piece in pieces:
            if found := sorted(needles.in_bytes(piece)):
                _data_found(name, _said(found[0]), len(found))


def _said(label: str) -> str:
    return label if label.startswith("canary ") else f"bytes of sample {label}"


def _about_canaries(tokens: Sequence[bytes], num_planted: int | None = None) -> str:
    if num_planted is not None and len(tokens) < num_planted:
        return f"{num_planted} canaries were planted, and the numbers of {len(tokens)} are here: others not looked for"
    if not tokens:
        # Nobody at the site can tell: the consignor searches again with what it planted.
        return "no canaries were planted" + ("" if num_planted is not None else ", or none lie in the store any more")
    return f"{len(tokens)} canaries ({tokens_digest(tokens)[:12]}): in no file"


def _about_numbers(judged: Judged, values: Mapping[str, Values]) -> tuple[str, ...]:
    declared: Collection[str] = [f"{name} ({kind})" for name, kind in sorted(values.items()) if kind != "weights"]
    named = ", ".join(list(declared)[:20]) + (f" and {len(declared) - 20} more" if len(declared) > 20 else "")
    return (
        f"numbers of weights: {judged.num_judged} look like those of a model, {judged.num_not_judged} were not judged "
        "(small or plain parts, and what is declared to be other numbers)",
        *((f"declared to hold other numbers than weights: {named}",) if declared else ()),
    )


def _data_found(where: str, what: str, count: int) -> NoReturn:
    raise ExportDenied(
        "training data lies in what was to leave",
        where=where,
        found=what if count == 1 else f"{what}, and {count - 1} more",
        hint="nothing was exported; look at what the program writes",
    )
