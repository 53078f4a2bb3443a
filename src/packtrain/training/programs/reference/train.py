"""The reference program: one small transformer learns to predict the next token of tables, images and clips.

A plain PyTorch script under the contract that packtrain asks of every program (docs/reference/program.md):

1. started as `python train.py ARGS`, once a worker, with torchrun's variables in the environment;
2. saves whole checkpoints and goes on from the newest by itself;
3. exit 0 is done; any other end is tried again;
4. one JSON line a step on stdout; on SIGTERM it saves and exits 75;
5. reads through packtrain's loader, so that its place in the data is part of the checkpoint.

At equal world size, on the same kind of processor, a run that was killed and went on ends with the same bits as one
that was not. What that takes is marked "bits:" below.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
import torch.distributed as dist
import torch.nn.functional as functional
from PIL import Image
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict_loader import load as load_checkpoint
from torch.distributed.checkpoint.state_dict_saver import save as save_checkpoint
from torch.nn.parallel import DistributedDataParallel

from packtrain.training.loader import Position, Sample, SampleStore, open_loader

SAVED_AND_STOPPED: Final = 75

# --- tokens --------------------------------------------------------------------------------------------------------
# One vocabulary for all kinds: 256 bytes of text, 32 levels of brightness, and five marks.
SEQUENCE: Final = 128
NUM_LEVELS: Final = 32
TABLE, IMAGE, CLIP, FRAME, PADDING = range(256 + NUM_LEVELS, 256 + NUM_LEVELS + 5)
VOCABULARY: Final = 256 + NUM_LEVELS + 5
IMAGE_SIDE: Final = 11  # 121 tokens of an image
FRAME_SIDE: Final = 6  # 3 frames of 36 tokens, a mark between them
NUM_FRAMES: Final = 3


def tokenize(sample: Sample, seed: int, step: int) -> list[int]:
    """Return at most SEQUENCE + 1 tokens of a sample: a mark of its kind, then its content.

    A table gives a stretch of its CSV text, another one at each step; an image its brightness in a coarse grid; a clip
    the same of three frames in the order of time.
    """
    if sample.kind == "table":
        text = sample.payload
        room = max(1, len(text) - SEQUENCE + 1)
        # A function of step and key and not of a generator: nothing to keep in the checkpoint, equal on any worker.
        draw = hashlib.sha256(f"{seed}/{step}/{sample.key}".encode()).digest()
        start = int.from_bytes(draw[:8], "big") % room
        return [TABLE, *text[start : start + SEQUENCE]]
    with Image.open(io.BytesIO(sample.payload)) as image:
        if sample.kind == "image":
            return [IMAGE, *_levels(image, IMAGE_SIDE)]
        tokens = [CLIP]
        num_frames = int(getattr(image, "n_frames", 1))
        for number in range(NUM_FRAMES):
            image.seek(number * (num_frames - 1) // (NUM_FRAMES - 1))
            tokens += [*_levels(image, FRAME_SIDE), FRAME]
        return tokens


def _levels(image: Image.Image, side: int) -> list[int]:
    grid = image.convert("L").resize((side, side), Image.Resampling.BOX)
    return [256 + value * NUM_LEVELS // 256 for value in grid.tobytes()]


def to_tensor(samples: Sequence[Sample], seed: int, step: int) -> Tensor:
    """Return tokens as int64, one row a sample, SEQUENCE + 1 long, padded at the end."""
    rows: list[list[int]] = []
    for sample in samples:
        try:
            tokens = tokenize(sample, seed, step)[: SEQUENCE + 1]
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's ways of saying that it cannot read something
            raise SystemExit(
                f"{sample.kind} {sample.key}: this program reads images and clips with Pillow, which says: {error} "
                "(for clips, set clip_frames in [prepare])"
            ) from error
        rows.append(tokens + [PADDING] * (SEQUENCE + 1 - len(tokens)))
    return torch.tensor(rows, dtype=torch.int64)


# --- model ---------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """One layer: causal attention, then a two-layer network, each added to its input (pre-norm)."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(width)
        self.attention_in = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.norm_network = nn.LayerNorm(width)
        self.network_in = nn.Linear(width, 4 * width)
        self.network_out = nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return hidden states of the shape that came in: (batch, sequence, width)."""
        batch, length, width = hidden.shape
        query, key, value = (
            part.view(batch, length, self.num_heads, -1).transpose(1, 2)
            for part in self.attention_in(self.norm_attention(hidden)).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return hidden + self.network_out(functional.gelu(self.network_in(self.norm_network(hidden))))


class Transformer(nn.Module):
    """Next-token prediction over one vocabulary; no dropout, so that no generator's state matters."""

    def __init__(self, width: int = 64, num_layers: int = 2, num_heads: int = 4) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.place = nn.Embedding(SEQUENCE, width)
        self.blocks = nn.ModuleList(Block(width, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)
        for weights in (self.token.weight, self.place.weight, self.head.weight):
            nn.init.normal_(weights, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mean loss of each row of tokens (batch, SEQUENCE + 1), padding left out."""
        given, wanted = tokens[:, :-1], tokens[:, 1:]
        hidden = self.token(given) + self.place.weight
        for block in self.blocks:
            hidden = block(hidden)
        logits = self.head(self.norm(hidden))
        losses = functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=PADDING, reduction="none")
        return losses.sum(dim=1) / (wanted != PADDING).sum(dim=1).clamp(min=1)


# --- checkpoints -----------------------------------------------------------------------------------------------------


@dataclass
class Training:
    """All that a checkpoint holds: weights, the optimizer's tensors, the step, and the place in the data."""

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
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
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


# --- the run ---------------------------------------------------------------------------------------------------------


def train(arguments: argparse.Namespace, is_stop_asked: Callable[[], bool]) -> int:
    """Train to the last step, or to the step after a stop was asked for; return the exit code."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(arguments.seed)
    store = SampleStore(arguments.data, split="train")
    model = Transformer()
    training = Training(model, make_optimizer(model), 0, Position.start(arguments.seed, store.index_digest))
    resume(training, arguments.ckpt)
    # bits: DDP rearranges its buckets after its first step, and from three workers on gloo's sums depend on the
    # arrangement; a run that goes on would take that first step again. With find_unused_parameters it never rearranges.
    parallel = DistributedDataParallel(model, find_unused_parameters=True)
    loader = open_loader(
        store,
        training.position,
        global_batch=arguments.batch,
        rank=rank,
        world_size=world_size,
        num_batches=max(0, arguments.steps - training.step),
    )
    is_saved = True
    for samples in loader:
        # No schedule that depends on the number of steps: a longer run is then a continuation of a shorter one.
        for group in training.optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (training.step + 1) / 10)
        losses = parallel(to_tensor(samples, arguments.seed, training.step))
        # DDP takes the mean over workers; times world_size / batch that is the mean over the global batch, whatever the
        # shares are.
        (losses.sum() * world_size / arguments.batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        training.optimizer.step()
        training.optimizer.zero_grad()
        training.step += 1
        training.position = loader.position
        # One exchange a step for both: the loss of the whole batch, and whether any worker was asked to stop.
        shared = torch.tensor([losses.detach().sum().item(), float(is_stop_asked())], dtype=torch.float64)
        dist.all_reduce(shared)
        if rank == 0:
            line = {"step": training.step, "loss": shared[0].item() / arguments.batch, "samples": arguments.batch}
            print(json.dumps(line), flush=True)
        is_saved = training.step % arguments.checkpoint_every == 0
        if is_saved:
            save(training, arguments.ckpt, arguments.keep)
        if shared[1].item() > 0 and training.step < arguments.steps:
            if not is_saved:
                save(training, arguments.ckpt, arguments.keep)
            return SAVED_AND_STOPPED
    if not is_saved:
        save(training, arguments.ckpt, arguments.keep)
    dist.barrier()
    if rank == 0 and (mark := os.environ.get("PACKTRAIN_DONE")):
        Path(mark).touch()
    return 0


def main() -> int:
    """Join the other workers and train; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.parquet and the shards")
    parser.add_argument("--ckpt", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, help="folder of results; this program writes none but its checkpoints")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16, help="samples of one step, over all workers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-every", type=int, default=20, metavar="STEPS")
    parser.add_argument("--keep", type=int, default=2, metavar="CHECKPOINTS")
    arguments = parser.parse_args()

    stop: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        stop.append(number)

    signal.signal(signal.SIGTERM, note)
    # bits: one thread a worker, and no kernel whose sums depend on timing.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arguments.ckpt.mkdir(parents=True, exist_ok=True)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    else:
        dist.init_process_group("gloo", init_method="tcp://127.0.0.1:0", rank=0, world_size=1)
    return train(arguments, lambda: bool(stop))


if __name__ == "__main__":
    try:
        exit_code = main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        exit_code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last line of a worker: told in full, then it must end
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: with gloo, the ends of DDP and of the process group can wait for each other for ever.
    os._exit(exit_code)
