"""Looking at checkpoints from outside: which is the newest, how large it is, and what weights it holds."""

from __future__ import annotations

import hashlib
import re
import stat
import threading
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from packtrain.digest import sha256_file
from packtrain.units import MIB

if TYPE_CHECKING:
    from torch import Tensor

DCP_MARK: Final = ".metadata"
"""torch.distributed.checkpoint writes it last: a folder that holds it is complete."""

TRAINER_MARK: Final = "trainer_state.json"
"""The Trainer of transformers writes it after weights, optimizer and generators."""

_MARKS: Final = frozenset({DCP_MARK, TRAINER_MARK})
_POLL_SECONDS: Final = 0.02
_MAX_DEPTH: Final = 4
_TENSORS_AT_ONCE_BYTES: Final = 256 * MIB
_SAVED_BY_TORCH: Final = frozenset({".pt", ".pth", ".bin", ".ckpt"})
_STORAGE: Final = re.compile(r"[^/]+/data/\d{1,9}")
_PIECE_BYTES: Final = 4 * MIB
_SUFFIX: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]*\Z")
_NO_STEP: Final = (0, 0)
_UNFINISHED: Final = (".part", ".tmp", ".temp", ".partial")
_STEP: Final = re.compile(r"step\D?(\d{1,18})", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,18}")


@dataclass(frozen=True, slots=True)
class Weights:
    """The digest of a checkpoint's weights, and of what it was taken."""

    sha256: str
    taken_of: str


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below a folder: a file or a folder, or None where there is none.

    Folders of torch.distributed.checkpoint are told by their `.metadata`, those of the Trainer of transformers by their
    `trainer_state.json`, wherever they lie; without any, each entry of the folder is one. Links (such as "latest"),
    hidden and temporary names do not count. The newest is the one whose name says the highest step: times change when
    files are copied, names do not. Where no name holds a number, it is the one that was written last.
    """
    marked = [path.parent for path in _files(folder) if path.name in _MARKS]
    # What a program writes beside its marked checkpoints (the model by itself, at the end) is no checkpoint.
    candidates = [path for path in marked if path != folder] or [
        path for path in _listed(folder) if not path.is_symlink() and is_finished(path)
    ]
    found: list[tuple[tuple[int, int], int, Path]] = []
    for path in candidates:
        changed = max((status.st_mtime_ns for status in _statuses(path)), default=0)
        if changed:
            step = step_in(path.relative_to(folder))
            found.append((step, 0 if step != _NO_STEP else changed, path))
    return max(found)[2] if found else None


def is_beyond(checkpoint: Path, folder: Path, step: int | None) -> bool:
    """Return whether a checkpoint below a folder is of a later step than this one; True where its name says no step.

    A program may save before its first step: what goes on from there begins with the first step again.
    """
    surely, found = step_in(checkpoint.relative_to(folder))
    return step is None or surely < 2 or found > step


def checkpoint_bytes(path: Path) -> int:
    """Return how many bytes a checkpoint holds."""
    return sum(status.st_size for status in _statuses(path))


def weights_of(path: Path) -> Weights:
    """Return the digest of a checkpoint's tensors, or of its files' bytes where it holds none that can be told.

    Tensors count by name, dtype, shape and bits; how they are spread over files and workers of a distributed checkpoint
    does not. Everything else in a checkpoint (times, paths, arguments) is left out where tensors can be told. A file of
    torch.save that holds other classes is not unpickled: what counts is the raw storages in it.

    Raises:
        OSError: it cannot be read.
    """
    if (path / DCP_MARK).is_file() and find_spec("torch") is not None:
        return Weights(_digest(_dcp_tensors(path)), "all tensors")
    files = sorted(_files(path)) if path.is_dir() else [path]
    names = {file: file.relative_to(path).as_posix() if file != path else "" for file in files}
    tensors = {names[file]: digest for file in files if (digest := _file_tensors(file)) is not None}
    found = tensors or {names[file]: sha256_file(file) for file in files}
    state = hashlib.sha256()
    for name, digest in sorted(found.items()):
        state.update(f"{name}\n{digest}\n".encode())
    return Weights(state.hexdigest(), "all tensors" if tensors else "all bytes")


class CheckpointWatch:
    """Looks at a folder of checkpoints every 20 ms while a program runs: how long saving takes.

    Args:
        folder: the folder of checkpoints; it may not be there yet.
        on_look: called at each look, in the watch's thread.
    """

    def __init__(self, folder: Path, on_look: Callable[[], None] | None = None) -> None:
        self._folder = folder
        self._on_look = on_look
        self._spans: dict[str, tuple[float, float]] = {}
        self._states: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="checkpoint-watch", daemon=True)

    @property
    def longest_seconds(self) -> float:
        """Return the longest time from a checkpoint's first byte to its last, to 20 ms; 0.0 where none was seen."""
        return max((last - first for first, last in self._spans.values()), default=0.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self._look()
            if self._on_look is not None:
                self._on_look()

    def _look(self) -> None:
        now = time.monotonic()
        for path in _listed(self._folder):
            statuses = _statuses(path)
            state = (sum(status.st_size for status in statuses), max((s.st_mtime_ns for s in statuses), default=0))
            if self._states.get(path.name) != state:
                first, _ = self._spans.get(path.name, (now, now))
                self._spans[path.name] = (first, now)
                self._states[path.name] = state


def step_in(relative: Path) -> tuple[int, int]:
    """Return how surely a name says a step, and which: "step-10" above "model-10", both above "model"."""
    for part in (relative, *relative.parents):
        if step := _STEP.search(part.name):
            return 2, int(step[1])
        if numbers := _NUMBER.findall(_SUFFIX.sub("", part.name)):
            return 1, int(numbers[-1])
    return _NO_STEP


def is_finished(path: Path) -> bool:
    """Return whether a name is one that a program gives to what it has finished: not hidden, and not temporary."""
    return not path.name.startswith(".") and not path.name.endswith(_UNFINISHED)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield regular files; folders with temporary names, and links, are not entered."""
    for path in _listed(folder):
        if path.is_symlink():
            continue
        if path.is_dir():
            if depth < _MAX_DEPTH and is_finished(path):
                yield from _files(path, depth + 1)
        elif path.is_file():
            yield path


def _statuses(path: Path) -> list[Any]:
    statuses: list[Any] = []
    # A program removes old checkpoints while they are looked at.
    for file in _files(path) if path.is_dir() else [path]:
        try:
            status = file.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            statuses.append(status)
    return statuses


def _digest(tensors: Iterator[tuple[str, Tensor]]) -> str:
    import torch

    state = hashlib.sha256()
    for name, tensor in tensors:
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        state.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        # Through uint8: numpy knows no bfloat16, and equal means equal bits (NaN included).
        state.update(flat.view(torch.uint8).numpy().data)
    return state.hexdigest()


def _dcp_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a checkpoint by name, a bounded number of bytes at a time."""
    import torch
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    # .metadata is a pickle: it is opened where the program that wrote it has just run, and nowhere else.
    entries: dict[str, Any] = FileSystemReader(path).read_metadata().state_dict_metadata
    batch: dict[str, Any] = {}
    batch_bytes = 0
    names = sorted(name for name, entry in entries.items() if isinstance(entry, TensorStorageMetadata))
    for name in names:
        tensor = torch.empty(entries[name].size, dtype=entries[name].properties.dtype)
        batch[name] = tensor
        batch_bytes += tensor.nbytes
        if batch_bytes >= _TENSORS_AT_ONCE_BYTES or name == names[-1]:
            with warnings.catch_warnings():
                # It says that it takes this for a single process, which it is.
                warnings.simplefilter("ignore", UserWarning)
                load(batch, storage_reader=FileSystemReader(path), no_dist=True)
            yield from batch.items()
            batch, batch_bytes = {}, 0


def _file_tensors(path: Path) -> str | None:
    """Return the digest of the tensors in a file of safetensors or torch.save, or None where it holds none."""
    if path.suffix == ".safetensors":
        # Nothing else is in it, and equal tensors are written as equal bytes.
        return sha256_file(path)
    if path.suffix not in _SAVED_BY_TORCH or not zipfile.is_zipfile(path):
        return None
    return _loaded_tensors(path) or _raw_storages(path)


def _raw_storages(path: Path) -> str | None:
    """Return the digest of the storages in a file of torch.save: its members NAME/data/NUMBER, by number."""
    state, num_storages = hashlib.sha256(), 0
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.namelist()):
            if _STORAGE.fullmatch(member) is None:
                continue
            num_storages += 1
            state.update(f"{member.partition('/')[2]}\0".encode())
            with archive.open(member) as stream:
                while piece := stream.read(_PIECE_BYTES):
                    state.update(piece)
    return state.hexdigest() if num_storages else None


def _loaded_tensors(path: Path) -> str | None:
    if find_spec("torch") is None:
        return None
    import pickle

    import torch

    try:
        body: object = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        return None
    tensors = sorted(_walk(body, ""), key=lambda item: item[0])
    return _digest(iter(tensors)) if tensors else None


def _walk(body: object, name: str) -> Iterator[tuple[str, Tensor]]:
    import torch

    if isinstance(body, torch.Tensor):
        yield name, body
    elif isinstance(body, dict):
        for key, value in cast("dict[object, object]", body).items():
            yield from _walk(value, f"{name}.{key}")
    elif isinstance(body, list | tuple):
        for number, value in enumerate(cast("list[object]", body)):
            yield from _walk(value, f"{name}.{number}")
