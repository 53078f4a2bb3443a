"""Default deny: what the program's export.toml names may leave, in safetensors and small text; nothing else does.

The declaration lies in the program folder, so it is part of the kit that was rehearsed and signed at home: the site's
side cannot widen it.
"""

from __future__ import annotations

import json
import re
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Final, cast

import msgspec

from packtrain.documents.codec import Count, Part
from packtrain.documents.export_list import ExportedTensor
from packtrain.documents.toml_file import MAX_TOML_BYTES, decode_toml
from packtrain.errors import ExportDenied
from packtrain.training.checkpoints import DCP_MARK, newest_checkpoint
from packtrain.training.number_shapes import Values
from packtrain.training.weights_file import ITEM_BYTES
from packtrain.training.weights_file import read_safetensors_header as read_safetensors_header

DECLARATION_NAME: Final = "export.toml"
WEIGHTS_FILE_BYTES: Final = 4 << 30
"""Weights beyond this are cut into several files, tensor by tensor: memory is bounded by one of them."""

MAX_NUMBER_PER_TENSOR: Final = 64
"""Layers may be numbered with gaps; a number this many times above their count is something else."""

TEXT_SUFFIXES: Final = (".csv", ".json", ".jsonl", ".log", ".md", ".toml", ".txt", ".yaml")
MAX_PRINTABLE_SHARE: Final = 0.9
"""Weights have about 40 % printable bytes; a tensor above this is text in disguise."""

_READER: Final = Path(__file__).with_name("checkpoint_reader.py")
_READER_SECONDS: Final = 6 * 3600
_MAX_ANSWER_BYTES: Final = 256 << 20
_MIN_BYTES_FOR_SHARE: Final = 256

FileNameText = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{0,99}\Z")]


class TextRules(Part, frozen=True, kw_only=True):
    """[text]: names of small text files in the program's results that may leave."""

    files: Annotated[tuple[FileNameText, ...], msgspec.Meta(max_length=100)] = ()


class TensorRule(Part, frozen=True, kw_only=True):
    """[[tensors]]: one name, or a family of names in which a star stands for a number, with its dtype and shape.

    `values` says what its numbers are: "weights" are judged by their shape, "few" are weights that take few values by
    design (quantised, masks), "any" are not judged (integers, lookup tables).
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_.*-]{1,256}\Z")]
    dtype: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{1,32}\Z")]
    shape: tuple[Count, ...]
    count: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    values: Values = "weights"


class ExportRules(Part, frozen=True, kw_only=True):
    """All of export.toml."""

    tensors: Annotated[tuple[TensorRule, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    text: TextRules = msgspec.field(default_factory=TextRules)


@dataclass(frozen=True, slots=True)
class TakenTensors:
    """What was taken out of a checkpoint.

    Attributes:
        files: the safetensors files.
        tensors: in the order of their names.
        left: names of what the checkpoint holds beside them, which stays.
    """

    files: tuple[Path, ...]
    tensors: tuple[ExportedTensor, ...]
    left: tuple[str, ...]


def read_rules(program: Path) -> ExportRules:
    """Return the program's export declaration.

    Raises:
        ExportDenied: there is none, or it has an unknown field or a value out of range.
    """
    path = program / DECLARATION_NAME
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_TOML_BYTES + 1)
    except OSError as error:
        raise ExportDenied(
            "the program declares nothing for export, so nothing may leave",
            where=str(path),
            hint="declare tensors and text files in export.toml, at home, before the rehearsal",
        ) from error
    return decode_toml(ExportRules, payload, str(path), error=ExportDenied, reference="docs/reference/export-toml.md")


def choose_tensors(
    rules: ExportRules, found: Sequence[ExportedTensor], where: str
) -> tuple[tuple[ExportedTensor, ...], tuple[str, ...]]:
    """Return the declared tensors, in order of their names, and the names of all others, which stay.

    Raises:
        ExportDenied: a line of the declaration finds more or fewer tensors than it says, or another dtype or shape.
    """
    chosen: dict[str, ExportedTensor] = {}
    problems: list[str] = []
    for rule in rules.tensors:
        pattern = _pattern(rule)
        matching = [tensor for tensor in found if pattern.fullmatch(tensor.name)]
        if len(matching) != rule.count:
            problems.append(f"{rule.name}: {rule.count} declared, {len(matching)} found")
        if rule.dtype not in ITEM_BYTES:
            problems.append(f"{rule.name}: numbers of the kind {rule.dtype} do not leave")
        for tensor in matching:
            problems += [f"{tensor.name}: declared twice"] if tensor.name in chosen else []
            if any(int(number) >= rule.count * MAX_NUMBER_PER_TENSOR for number in _numbers(pattern, tensor.name)):
                problems.append(f"{tensor.name}: a number far above the {rule.count} tensors declared")
            if (tensor.dtype, tensor.shape) != (rule.dtype, rule.shape):
                declared, is_there = f"{rule.dtype} {list(rule.shape)}", f"{tensor.dtype} {list(tensor.shape)}"
                problems.append(f"{tensor.name}: declared {declared}, found {is_there}")
            chosen[tensor.name] = tensor
    if problems:
        raise ExportDenied(
            f"checkpoint does not hold what {DECLARATION_NAME} declares: " + "; ".join(problems[:20]),
            where=where,
            found=f"{len(problems)} differences",
            hint="nothing was exported; the declaration is part of the kit and is changed at home, by "
            '"packtrain update make"',
        )
    stay = tuple(sorted(tensor.name for tensor in found if tensor.name not in chosen))
    return tuple(chosen[name] for name in sorted(chosen)), stay


def weights_names(count: int) -> set[str]:
    """Return the names that so many files of weights have; in order of their letters they are in order."""
    if count == 1:
        return {"weights.safetensors"}
    return {f"weights-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)}


def values_of(rules: ExportRules, tensors: Sequence[ExportedTensor]) -> dict[str, Values]:
    """Return what the declaration says of the numbers of those of these tensors that are no plain weights."""
    patterns: list[tuple[re.Pattern[str], Values]] = [(_pattern(rule), rule.values) for rule in rules.tensors]
    found: dict[str, Values] = {}
    for tensor in tensors:
        # What two lines find is refused by `choose_tensors`.
        named: list[Values] = [values for pattern, values in patterns if pattern.fullmatch(tensor.name)]
        if len(named) == 1 and named[0] != "weights":
            found[tensor.name] = named[0]
    return found


def checkpoint_to_export(folder: Path) -> Path:
    """Return the newest complete checkpoint below `folder`, by the rule of the rehearsal: `newest_checkpoint`.

    Raises:
        ExportDenied: there is none; a checkpoint of another form is a pickle and is not read.
    """
    newest = newest_checkpoint(folder)
    if newest is None or not (newest / DCP_MARK).is_file():
        raise ExportDenied(
            "there is no complete checkpoint to take tensors from",
            where=str(folder),
            expected="a folder written by torch.distributed.checkpoint",
            hint="other forms (torch.save) are pickles and are never read here",
        )
    return newest


def take_tensors(python: Path, checkpoint: Path, rules: ExportRules, output: Path) -> TakenTensors:
    """Write the declared tensors of a checkpoint into `output`; return what was taken and what stays.

    Args:
        python: the interpreter of the training environment; the reader runs in a process of its own there.
        checkpoint: a folder of torch.distributed.checkpoint.
        rules: what may leave.
        output: an empty folder.

    Raises:
        ExportDenied: the checkpoint cannot be read, does not hold what is declared, or holds a tensor that is no tensor
            of a model (not finite, or text).
    """
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            (str(python), "-I", str(_READER), str(checkpoint), str(output)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,  # a file: a full pipe that nobody reads yet would stop the reader
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            listing = _answer(process.stdout.readline(_MAX_ANSWER_BYTES))
            if listing is None:
                raise _unreadable(process, complaints, checkpoint)
            found = msgspec.convert(listing["tensors"], tuple[ExportedTensor, ...])
            chosen, stay = choose_tensors(rules, found, str(checkpoint))
            files = _spread(chosen)
            request = json.dumps({"files": {name: [tensor.name for tensor in part] for name, part in files.items()}})
            output_bytes, _ = process.communicate(request.encode() + b"\n", timeout=_READER_SECONDS)
            taken = _answer(output_bytes)
            if taken is None:
                raise _unreadable(process, complaints, checkpoint)
        finally:
            if process.poll() is None:
                process.kill()
    _check_contents(chosen, taken["taken"], checkpoint)
    _check_files(files, output, checkpoint)
    objects = cast("list[str]", listing["objects"])
    return TakenTensors(tuple(output / name for name in files), chosen, (*stay, *objects))


def check_text(path: Path, max_bytes: int | None = None) -> bytes:
    """Return a declared text file's bytes, of one that is longer than `max_bytes` one byte more.

    Raises:
        ExportDenied: it is no regular file, has no text suffix, or is not plain UTF-8 text.
    """
    if path.is_symlink() or not stat.S_ISREG(path.lstat().st_mode):
        raise ExportDenied("declared file is no regular file", where=str(path))
    if path.suffix not in TEXT_SUFFIXES:
        raise ExportDenied(
            "declared file is not of a kind that may leave as text",
            where=str(path),
            expected=" ".join(TEXT_SUFFIXES),
            found=path.suffix or "no suffix",
            hint="weights leave as declared tensors; pickles, archives and unknown formats never leave",
        )
    with path.open("rb") as stream:
        payload = stream.read(-1 if max_bytes is None else max_bytes + 1)
    if max_bytes is not None and len(payload) > max_bytes:
        return payload  # the caller says what the budget was; the end may be half a letter
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExportDenied("declared text file is not UTF-8 text", where=str(path)) from error
    if any(ord(sign) < 0x20 and sign not in "\n\r\t" for sign in text):
        raise ExportDenied("declared text file holds control characters", where=str(path))
    return payload


def _pattern(rule: TensorRule) -> re.Pattern[str]:
    # Digits of other scripts, and zeros in front, would be a second way to write a name: names could carry bytes.
    return re.compile("(0|[1-9][0-9]{0,8})".join(re.escape(part) for part in rule.name.split("*")))


def _numbers(pattern: re.Pattern[str], name: str) -> tuple[str, ...]:
    match = pattern.fullmatch(name)
    return match.groups() if match is not None else ()


def _spread(tensors: Sequence[ExportedTensor]) -> dict[str, list[ExportedTensor]]:
    parts: list[list[ExportedTensor]] = [[]]
    part_bytes = 0
    for tensor in tensors:
        if parts[-1] and part_bytes + tensor.bytes > WEIGHTS_FILE_BYTES:
            parts.append([])
            part_bytes = 0
        parts[-1].append(tensor)
        part_bytes += tensor.bytes
    return dict(zip(sorted(weights_names(len(parts))), parts, strict=True))


def _check_files(files: Mapping[str, Sequence[ExportedTensor]], output: Path, checkpoint: Path) -> None:
    """Hold what the reader wrote against what it was asked for: it ran with libraries that the program could change."""
    for name, part in files.items():
        found = read_safetensors_header(output / name)
        if found != tuple(sorted(part, key=lambda tensor: tensor.name)):
            raise ExportDenied(
                "file of weights holds other tensors than were asked for",
                where=f"{checkpoint}, {name}",
                expected=f"{len(part)} tensors as declared",
                found=f"{len(found)} tensors",
                hint="the environment that trained may be damaged: install the kit again",
            )


def _check_contents(chosen: Sequence[ExportedTensor], taken: Any, checkpoint: Path) -> None:
    for tensor in chosen:
        facts = taken[tensor.name]
        if not facts["finite"]:
            raise ExportDenied("tensor holds numbers that are not finite", where=f"{checkpoint}, {tensor.name}")
        if tensor.bytes >= _MIN_BYTES_FOR_SHARE and facts["printable"] > MAX_PRINTABLE_SHARE:
            raise ExportDenied(
                "tensor is text in disguise",
                where=f"{checkpoint}, {tensor.name}",
                expected=f"at most {MAX_PRINTABLE_SHARE:.0%} printable bytes",
                found=f"{facts['printable']:.0%}",
            )


def _answer(line: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _unreadable(process: subprocess.Popen[bytes], complaints: IO[bytes], checkpoint: Path) -> ExportDenied:
    process.kill()
    process.wait()
    complaints.seek(0)
    last = complaints.read(1 << 20).decode("utf-8", "replace").strip().split("\n")[-1]
    return ExportDenied(
        "checkpoint cannot be read",
        where=str(checkpoint),
        found=last[:300] or "no answer",
        hint="the interpreter needs torch and safetensors; it is the one that trained",
    )
