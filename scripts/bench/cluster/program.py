"""A training program under the contract whose steps have a known length, and which says when each of them ended.

    program.py --trace FILE --ckpt FOLDER --steps N --step-seconds S --checkpoint-every N

Every launcher runs this same file. Each step is an exchange between all workers and a sleep: as with accelerators, the
processor is nearly free while it trains. What it learns is a sum: after step n every weight is 1 + 2 + ... + n, with
any number of workers, and a checkpoint that says otherwise ends it with exit code 3.

Times are of the monotonic clock, which all hosts that are network namespaces of one machine share.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict_loader import load as load_checkpoint
from torch.distributed.checkpoint.state_dict_saver import save as save_checkpoint

SAVED_AND_STOPPED: Final = 75
_NUM_WEIGHTS: Final = 250_000
_CHECKPOINT: Final = re.compile(r"step-(\d{8})")


class Trace:
    """Adds lines to one file that all workers of all hosts share."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._run = secrets.token_hex(4)  # of this process: a worker that was started again has another

    def line(self, **said: Any) -> None:
        """Write one line."""
        about = {"run": self._run, "at": time.monotonic(), "rank": dist.get_rank(), "world": dist.get_world_size()}
        os.write(self._file, (json.dumps({**about, **said}) + "\n").encode())


def train(arguments: argparse.Namespace, trace: Trace, stop: list[int]) -> int:
    """Go on from the newest checkpoint to the last step; return the exit code."""
    is_first = dist.get_rank() == 0
    weights = torch.zeros(_NUM_WEIGHTS, dtype=torch.float64)
    done = newest(arguments.ckpt)
    if done:
        load_checkpoint({"weights": weights}, checkpoint_id=arguments.ckpt / f"step-{done:08d}")
    if not bool((weights == done * (done + 1) / 2).all()):
        return 3
    trace.line(resumed=done)
    for step in range(done + 1, arguments.steps + 1):
        gradient = torch.full_like(weights, float(step))
        dist.all_reduce(gradient)
        weights += gradient / dist.get_world_size()
        time.sleep(arguments.step_seconds)
        asked = torch.tensor(float(bool(stop)))
        dist.all_reduce(asked)
        if is_first:
            trace.line(step=step)
            print(json.dumps({"step": step, "loss": 1 / step, "samples": 1}), flush=True)
        if step % arguments.checkpoint_every == 0 or asked > 0:
            save(weights, step, arguments.ckpt)
        if asked > 0:
            return SAVED_AND_STOPPED
    dist.barrier()
    if is_first and (mark := os.environ.get("PACKTRAIN_DONE")):
        Path(mark).touch()
    return 0


def newest(folder: Path) -> int:
    """Return the step of the newest checkpoint; 0 without one."""
    found = [int(match[1]) for path in folder.iterdir() if (match := _CHECKPOINT.fullmatch(path.name))]
    steps = [max(found, default=0)] if dist.get_rank() == 0 else [0]
    # What rank 0 sees counts for all: a host may see it a moment later.
    dist.broadcast_object_list(steps)
    return steps[0]


def save(weights: torch.Tensor, step: int, folder: Path) -> None:
    """Write one checkpoint, whole or not at all."""
    final = folder / f"step-{step:08d}"
    temporary = folder / f".{final.name}.part"
    if dist.get_rank() == 0:
        shutil.rmtree(temporary, ignore_errors=True)
    dist.barrier()
    save_checkpoint({"weights": weights}, checkpoint_id=temporary)
    if dist.get_rank() == 0:
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
    dist.barrier()


def main() -> int:
    """Join the other workers and train; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--ckpt", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--step-seconds", type=float, default=0.25)
    parser.add_argument("--checkpoint-every", type=int, default=5)
    arguments = parser.parse_args()

    stop: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        stop.append(number)

    signal.signal(signal.SIGTERM, note)
    torch.set_num_threads(1)
    arguments.ckpt.mkdir(parents=True, exist_ok=True)
    dist.init_process_group("gloo")
    trace = Trace(arguments.trace)
    trace.line(pid=os.getpid())
    return train(arguments, trace, stop)


if __name__ == "__main__":
    # Not sys.exit: with gloo, the end of the process group can wait for ever.
    os._exit(main())
