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
    """Write one checkpoint, whole or not at all, and remove all but the newest `keep`."""
    final = folder / f"step-{training.step:08d}"
    temporary = folder / f".{final.name}.part"
    is_first = dist.get_rank() == 0
    if is_first:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    dist.barrier()
    # Writes `.metadata` last, after all workers have written and synced theirs.
    save_checkpoint(training.tensors(), checkpoint_id=temporary)
    if is_first:
        state = {"step": training.step, "position": training.position.to_dict()}
        with (temporary / "position.json").open("w", encoding="utf-8") as stream:
            json.dump(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.rmtree(final, ignore_errors=True)  # an incomplete one: a complete one would have been gone on from
        temporary.rename(final)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)  # without it a power cut can lose the rename
        os.close(descriptor)
        for old in complete_checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    dist.barrier()


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first."""
    return sorted(
        path
        for path in folder.glob("step-*")
        if re.fullmatch(r"step-\d{8}", path.name)
        and (path / ".metadata").is_file()
        and (path / "position.json").is_file()
    )


def resume(training: Training, folder: Path) -> None:
    """Load the newest complete checkpoint, if there is one."""
    # Rank 0 decides for all: workers that look for themselves could see different folders.
    newest = complete_checkpoints(folder)[-1:] if dist.get_rank() == 0 else []
    chosen: list[Any] = [str(newest[0]) if newest else None]
    dist.broadcast_object_list(chosen, src=0)
    if chosen[0] is None:
        return
    path = Path(chosen[0])
    load_checkpoint(training.tensors(), checkpoint_id=path)
    state = json.loads((path / "position.json").read_text(encoding="utf-8"))
    training.step = int(state["step"])
    training.position = Position.from_dict(state["position"], str(path / "position.json"))
