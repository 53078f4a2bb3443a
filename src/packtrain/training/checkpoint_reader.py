"""Takes named tensors out of a distributed checkpoint into safetensors files, in a process of its own.

Run by path in the training environment: it imports torch and safetensors and nothing of packtrain. A checkpoint's
`.metadata` is a pickle, which could run anything; it is read here by an unpickler that knows a dozen names and no
other, and tensors are read with `weights_only`. The talk with the parent is JSON, one line each:

    child   {"tensors": [{"name", "dtype", "shape", "bytes"}...], "objects": [names of what is no tensor]}
    parent  {"files": {"weights.safetensors": [names...]}}            (end of input: nothing is taken)
    child   {"taken": {name: {"finite": bool, "printable": share of bytes that are printable ASCII}}}
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from safetensors.torch import save_file
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load

MAX_METADATA_BYTES: Final = 1 << 30
_CHECKPOINT: Final = "torch.distributed.checkpoint"
_KNOWN: Final = {
    **dict.fromkeys(
        ("Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "TensorProperties", "ChunkStorageMetadata"),
        f"{_CHECKPOINT}.metadata",
    ),
    **dict.fromkeys(("MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING"), f"{_CHECKPOINT}.metadata"),
    "_StorageInfo": f"{_CHECKPOINT}.filesystem",
    "_get_layout": "torch.serialization",
    "Size": "torch",
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if _KNOWN.get(name) == module:
            return super().find_class(module, name)
        if module == "torch" and isinstance(found := getattr(torch, name, None), torch.dtype):
            return found
        if (module, name) in (("pathlib", "PosixPath"), ("pathlib", "PurePosixPath"), ("pathlib", "WindowsPath")):
            return _path_as_text
        raise pickle.UnpicklingError(f"checkpoint names {module}.{name}, which no list of tensors needs")


class _Reader(FileSystemReader):
    """Reads a checkpoint that nobody vouches for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return what the checkpoint says it holds.

        Raises:
            pickle.UnpicklingError: it is malformed, or would do more than describe tensors.
        """
        path = self.folder / ".metadata"
        if path.stat().st_size > MAX_METADATA_BYTES:
            raise pickle.UnpicklingError("checkpoint metadata is too long")
        with path.open("rb") as stream:
            metadata = _Unpickler(stream).load()
        if not isinstance(metadata, Metadata):
            raise pickle.UnpicklingError("checkpoint metadata describes no checkpoint")
        for place in (metadata.storage_data or {}).values():
            name = place.relative_path
            if "/" in name or (self.folder / name).is_symlink() or not (self.folder / name).is_file():
                raise pickle.UnpicklingError(f"checkpoint keeps a tensor outside its folder: {name[:100]}")
        metadata.storage_meta = StorageMeta(load_id=self.load_id)
        return metadata


def serve(folder: Path, output: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """List the tensors of the checkpoint in `folder`; write those asked for into files below `output`."""
    reader = _Reader(folder)
    found: dict[str, TensorStorageMetadata] = {}
    objects: list[str] = []
    for name, entry in reader.read_metadata().state_dict_metadata.items():
        if isinstance(entry, TensorStorageMetadata):
            found[name] = entry
        else:
            objects.append(name)
    _say(
        answers,
        {"tensors": [_describe(name, entry) for name, entry in sorted(found.items())], "objects": sorted(objects)},
    )
    request = requests.readline()
    if not request:
        return
    taken: dict[str, Any] = {}
    for file_name, names in json.loads(request)["files"].items():
        # One file at a time: the memory needed is that of the largest file, not of the model.
        tensors = {name: torch.empty(found[name].size, dtype=found[name].properties.dtype) for name in names}
        load(tensors, storage_reader=_Reader(folder), no_dist=True)
        save_file(tensors, output / file_name)
        taken |= {name: _look_at(tensor) for name, tensor in tensors.items()}
    _say(answers, {"taken": taken})


def _describe(name: str, entry: TensorStorageMetadata) -> dict[str, Any]:
    dtype = entry.properties.dtype
    return {
        "name": name,
        "dtype": str(dtype).removeprefix("torch."),
        "shape": list(entry.size),
        "bytes": entry.size.numel() * dtype.itemsize,
    }


def _look_at(tensor: torch.Tensor) -> dict[str, Any]:
    content = tensor.contiguous().reshape(-1).view(torch.uint8)
    printable = int(((content >= 0x20) & (content < 0x7F)).sum())
    return {
        "finite": bool(torch.isfinite(tensor).all()) if tensor.is_floating_point() else True,
        "printable": round(printable / max(1, content.numel()), 4),
    }


def _path_as_text(*parts: str) -> str:
    return "/".join(parts)


def _say(answers: BinaryIO, body: dict[str, Any]) -> None:
    answers.write(json.dumps(body).encode("ascii") + b"\n")
    answers.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.buffer, sys.stdout.buffer)
