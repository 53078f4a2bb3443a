"""Checkpoints: tensors and the place in the data, whole or not at all, for any number of workers, DDP and FSDP2 alike.

They hold tensors and one small JSON file, and no pickled object but the list that torch.distributed.checkpoint writes
itself. A tensor is kept under its name in the model, however it was spread: what one way of running saved, the other
loads.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict_loader import load as load_checkpoint
from torch.distributed.checkpoint.state_dict_saver import save as save_checkpoint

from packtrain.training.loader import Position


@dataclass
class Training:
    """All that a checkpoint holds: weights, the optimizer's tensors, the step, and the place in the data.

    `model` is the bare one, not its wrapper: a wrapper puts a word before every name.
    """

    model: nn.Module
    optimizer: torch.optim.AdamW
    step: int
    position: Position

    def tensors(self) -> dict[str, Any]:
        """Return every tensor by name, as views: loading into them loads the training."""
        return {
            "model": dict(self.model.state_dict()),
            "optimizer": {
                name: dict(self.optimizer.state[parameter]) for name, parameter in self.model.named_parameters()
            },
        }


def make_optimizer(model: nn.Module) -> torch.optim.AdamW:
    """Return AdamW with its state already made, so that a checkpoint can be loaded into it in place."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.01)
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def save(training: Training, folder: Path, keep: int) -> None:
    """Write one checkpoint, whole or not at all, and remove all but the newest `keep`.

    The first worker of each host makes, names and removes folders on its host; where all hosts see the same folder,
    what one has done the others find done. Where each has its own, this one holds its own workers' tensors.
    """
    final = folder / f"step-{training.step:08d}"
    temporary = folder / f".{final.name}.part"
    is_first, is_first_here = dist.get_rank() == 0, int(os.environ.get("LOCAL_RANK", "0")) == 0
    if is_first_here:
        shutil.rmtree(temporary, ignore_errors=True)
    dist.barrier()
    if is_first_here:
        temporary.mkdir(parents=True, exist_ok=True)
    dist.barrier()
    # Writes `.metadata` last, after all workers have written and synced theirs; on the host of rank 0 alone.
    save_checkpoint(training.tensors(), checkpoint_id=temporary)
    if is_first_here:
        state = {"step": training.step, "position": training.position.to_dict()}
        own = temporary / f"position.json.{dist.get_rank()}"
        with own.open("w", encoding="utf-8") as stream:
            json.dump(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        own.rename(temporary / "position.json")
    dist.barrier()
    if is_first:
        give_name(temporary, final)
        for old in complete_checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    kept: list[Any] = [[path.name for path in complete_checkpoints(folder)] if is_first else None]
    # Only now the others: in a folder that all see there is nothing left for them to do.
    dist.broadcast_object_list(kept, src=0)
    if is_first_here and not is_first:
        if temporary.is_dir():
            give_name(temporary, final)
        for old in folder.glob("step-*"):
            if re.fullmatch(r"step-\d{8}", old.name) and old.name < min(kept[0]):
                shutil.rmtree(old, ignore_errors=True)
    dist.barrier()


def give_name(temporary: Path, final: Path) -> None:
    """Give a checkpoint its name, durably."""
    shutil.rmtree(final, ignore_errors=True)  # an incomplete one: a complete one would have been gone on from
    temporary.rename(final)
    descriptor = os.open(final.parent, os.O_RDONLY)
    os.fsync(descriptor)  # without it a power cut can lose the rename
    os.close(descriptor)


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first."""
    return sorted(
        path
        for path in folder.glob("step-*")
        if re.fullmatch(r"step-\d{8}", path.name)
        and (path / ".metadata").is_file()
        and (path / "position.json").is_file()
    )


def is_whole(path: Path) -> bool:
    """Return whether each file that a checkpoint's list names is here: other hosts may have written some."""
    places = FileSystemReader(path).read_metadata().storage_data or {}
    return all((path / name).is_file() for name in {place.relative_path for place in places.values()})


def resume(training: Training, folder: Path) -> None:
    """Load the newest checkpoint that all workers find whole, if there is one."""
    # Hosts may have a folder each, and one of them may not have the newest.
    mine = {path.name for path in complete_checkpoints(folder) if is_whole(path)}
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, mine)
    common = set.intersection(*found)
    if not common:
        return
    path = folder / max(common)
    load_checkpoint(training.tensors(), checkpoint_id=path)
    state = json.loads((path / "position.json").read_text(encoding="utf-8"))
    training.step = int(state["step"])
    training.position = Position.from_dict(state["position"], str(path / "position.json"))
