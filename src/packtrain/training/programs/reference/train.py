"""The reference program: one small transformer learns to predict the next token of tables, images and clips.

A plain PyTorch script under the contract that packtrain asks of every program (docs/reference/program.md):

1. started as `python train.py ARGS`, once a worker, with torchrun's variables in the environment;
2. saves whole checkpoints and goes on from the newest by itself;
3. exit 0 is done; any other end is tried again;
4. one JSON line a step on stdout; on SIGTERM it saves and exits 75;
5. reads through packtrain's loader, so that its place in the data is part of the checkpoint.

At equal world size, on the same kind of processor, a run that was killed and went on ends with the same bits as one
that was not, under DDP and under FSDP2. What that takes is marked "bits:" here and in model.py.

Beside it: tokens.py (what a sample is to the model), model.py, saving.py (checkpoints), evaluation.py (held-out data).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

# bits: without it cuBLAS may add in another order; it is read when CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch
import torch.distributed as dist
from evaluation import choose_sides, evaluate, in_words, write
from model import Transformer, replicate, shard
from saving import Training, make_optimizer, resume, save
from tokens import PADDING, to_tensor
from torch import Tensor, nn

from packtrain.training.loader import Position, Sample, open_loader

SAVED_AND_STOPPED: Final = 75
LEARNING_RATE: Final = 6e-3
WARM_UP_STEPS: Final = 10


def train(arguments: argparse.Namespace, device: torch.device, is_stop_asked: Callable[[], bool]) -> int:
    """Train to the last step, or to the step after a stop was asked for; return the exit code."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(arguments.seed)
    sides = choose_sides(arguments.data)
    model = Transformer().to(device)
    if arguments.parallel == "fsdp":
        shard(model, device)
    training = Training(model, make_optimizer(model), 0, Position.start(arguments.seed, sides.train.index_digest))
    resume(training, arguments.ckpt)
    parallel = model if arguments.parallel == "fsdp" else replicate(model, device)

    def losses_of(tokens: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=arguments.bf16):
            return parallel(tokens.to(device)).cpu()

    loader = open_loader(
        sides.train,
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
            group["lr"] = LEARNING_RATE * min(1.0, (training.step + 1) / WARM_UP_STEPS)
        tokens = to_tensor(samples, arguments.seed, training.step)
        is_trained_on = torch.tensor([(sample.kind, sample.key) not in sides.held_out for sample in samples])
        losses = losses_of(tokens) / (tokens[:, 1:] != PADDING).sum(dim=1).clamp(min=1)
        weights = torch.tensor([sides.weights[sample.kind] for sample in samples]) * is_trained_on
        # DDP and FSDP take the mean over workers; times world_size / batch that is the mean over the global batch,
        # whatever the shares are.
        ((losses * weights).sum() * world_size / arguments.batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        training.optimizer.step()
        training.optimizer.zero_grad()
        training.step += 1
        training.position = loader.position
        if arguments.log_samples:
            log_samples(arguments.log_samples, training.step, samples)
        # One exchange a step for all: the loss of the whole batch, and whether any worker was asked to stop.
        numbers = [(losses.detach() * is_trained_on).sum().item(), is_trained_on.sum().item(), float(is_stop_asked())]
        shared = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(shared)
        loss, num_trained, num_asked = shared.tolist()
        if rank == 0:
            line = {"step": training.step, "loss": loss / max(1.0, num_trained), "samples": arguments.batch}
            print(json.dumps(line), flush=True)
        is_saved = training.step % arguments.checkpoint_every == 0
        if is_saved:
            save(training, arguments.ckpt, arguments.keep)
        if num_asked > 0 and training.step < arguments.steps:
            if not is_saved:
                save(training, arguments.ckpt, arguments.keep)
            return SAVED_AND_STOPPED
    if not is_saved:
        save(training, arguments.ckpt, arguments.keep)
    with torch.no_grad():
        found = evaluate(losses_of, sides, arguments.seed)
    if rank == 0:
        print(in_words(found), file=sys.stderr, flush=True)  # stdout has step lines alone
        if arguments.out:
            write(found, arguments.out)
    dist.barrier()
    if rank == 0 and (mark := os.environ.get("PACKTRAIN_DONE")):
        Path(mark).touch()
    return 0


def log_samples(folder: Path, step: int, samples: Sequence[Sample]) -> None:
    """Add a line to this worker's list of what each step was handed; after a crash, the later line of a step counts."""
    folder.mkdir(parents=True, exist_ok=True)
    line = {"step": step, "workers": dist.get_world_size(), "keys": [sample.key for sample in samples]}
    with (folder / f"rank-{dist.get_rank()}.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def choose_device(wanted: str) -> torch.device:
    """Return this worker's device: an accelerator of its own, or the processor where there are not enough for all."""
    local_rank, num_local = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    num_accelerators = torch.cuda.device_count()
    if wanted == "cuda" and num_accelerators < num_local:
        raise SystemExit(f"--device cuda: {num_local} workers here, and CUDA sees {num_accelerators} accelerators")
    if wanted == "cpu" or num_accelerators < num_local:
        return torch.device("cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def join(device: torch.device) -> None:
    """Join the other workers, as the environment says; without torchrun's variables this is the only worker."""
    # Small exchanges and checkpoints go over gloo in any case: they are tensors of the processor.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, init_method="tcp://127.0.0.1:0", rank=0, world_size=1)


def main() -> int:
    """Join the other workers and train; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.parquet and the shards")
    parser.add_argument("--ckpt", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, help="folder of results: evaluation.json")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=16, help="samples of one step, over all workers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", choices=("ddp", "fsdp"), default="ddp", help="a whole model a worker, or a share")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16 where that is safe (autocast)")
    parser.add_argument("--checkpoint-every", type=int, default=20, metavar="STEPS")
    parser.add_argument("--keep", type=int, default=2, metavar="CHECKPOINTS")
    parser.add_argument("--log-samples", type=Path, metavar="FOLDER", help="write down the keys of every step")
    arguments = parser.parse_args()

    stop: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        stop.append(number)

    signal.signal(signal.SIGTERM, note)
    # bits: one thread a worker, and no kernel whose sums depend on timing.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arguments.ckpt.mkdir(parents=True, exist_ok=True)
    device = choose_device(arguments.device)
    join(device)
    return train(arguments, device, lambda: bool(stop))


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
