"""The jobs on whole runs: what supervision costs, and what a killed worker costs."""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.prepare import voyage
from bench.prepare.pictures import make_pictures
from bench.prepare.work import Figures, Work, fresh
from bench.train.runs import PROGRAM, WORLD_SIZE, KillOnce, by_engine, by_hand, by_torchrun
from packtrain.training.checkpoints import newest_checkpoint, weights_of

_STEPPER: Final = Path(__file__).with_name("stepper.py")
_STEPS_A_SECOND: Final = 20
_SECONDS_OF_A_RUN: Final = 8
_NUM_PAIRS: Final = 5
_NUM_PICTURES: Final = 192
_SIDE_PIXELS: Final = 96
_NUM_STEPS: Final = 16
_KILLED_AT: Final = 8
_CHECKPOINT_EVERY: Final = 5
_FIRST_PORT: Final = 29800


def overhead(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Run the same steps under the engine and started by hand, in pairs; 20 step lines a second, both cores busy."""
    num_steps = work.scaled(_STEPS_A_SECOND * _SECONDS_OF_A_RUN, 20)
    command = [str(_STEPPER), str(num_steps), str(_hashes_a_step())]
    walls: dict[str, list[float]] = {"by hand": [], "engine": [], "torchrun": []}
    supervisor: list[float] = []
    with fresh(work.folder / "overhead") as root:
        for number in range(_NUM_PAIRS if work.repeats > 1 else 1):
            # Who goes first takes turns: a machine that grows slower or faster meets both alike.
            for name in ("by hand", "engine") if number % 2 else ("engine", "by hand"):
                with fresh(root / "run") as folder:
                    if name == "engine":
                        wall, cpu = by_engine(command, folder)
                        supervisor.append(cpu)
                    else:
                        wall = by_hand(command, folder, _FIRST_PORT)
                    walls[name].append(wall)
                    print(f"{time.strftime('%H:%M:%S')} overhead, {name}: {wall:.3f} s", file=sys.stderr)
        if work.repeats > 1:
            with fresh(root / "run") as folder:
                walls["torchrun"].append(by_torchrun(command, folder))
    pairs = [engine / hand - 1 for engine, hand in zip(walls["engine"], walls["by hand"], strict=True)]
    middle = {name: round(statistics.median(each), 3) for name, each in walls.items() if each}
    return {
        "overhead_fraction": round(statistics.median(pairs), 4),
        "overhead_cpu_fraction": round(
            statistics.median(supervisor) / (middle["by hand"] * min(WORLD_SIZE, voyage.CORES)), 5
        ),
    }, {
        "steps": num_steps,
        "wall_seconds": middle,
        "fraction_of_each_pair": [round(each, 4) for each in pairs],
        "supervisor_cpu_seconds": round(statistics.median(supervisor), 4),
    }


def _hashes_a_step() -> int:
    """Return how many of the stepper's hashes take a twentieth of a second here."""
    block = bytes(1 << 20)
    hashlib.sha256(block).digest()
    started = time.process_time()
    for _ in range(50):
        hashlib.sha256(block).digest()
    return max(1, round(50 / (time.process_time() - started) / _STEPS_A_SECOND))


def resume(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Train the reference program with two workers: without a fault, and with one killed, by engine and torchrun."""
    seconds: dict[str, list[float]] = {"engine": [], "torchrun": []}
    weights: dict[str, list[str]] = {"whole": [], "engine": [], "torchrun": []}
    with fresh(work.folder / "resume") as root:
        made = make_pictures(root, work.demo_data, _NUM_PICTURES, seed=work.seed, side_pixels=_SIDE_PIXELS)
        ours = voyage.make_voyage(root / "voyage", [made.folder], {})
        work.measure(voyage.prepare_step(ours))
        arguments = ["--data", str(ours / "work" / "dataset"), "--batch", "8", "--steps", str(_NUM_STEPS)]
        arguments += ["--checkpoint-every", str(_CHECKPOINT_EVERY)]
        for _ in range(work.repeats):
            for name in ("whole", "engine", "torchrun") if not weights["whole"] else ("engine", "torchrun"):
                with fresh(root / "run") as folder:
                    command = [str(PROGRAM), *arguments, "--ckpt", str(folder / "checkpoints")]
                    kill = KillOnce(0 if name == "whole" else _KILLED_AT)
                    if name == "torchrun":
                        by_torchrun(command, folder, kill)
                    else:
                        by_engine(command, folder, kill)
                    newest = newest_checkpoint(folder / "checkpoints")
                    weights[name].append("none" if newest is None else weights_of(newest).sha256)
                if kill.seconds is not None:
                    seconds[name].append(kill.seconds)
                    print(f"{time.strftime('%H:%M:%S')} resume, {name}: {kill.seconds:.2f} s", file=sys.stderr)
    middle = {name: round(statistics.median(each), 2) for name, each in seconds.items() if each}
    is_killed = len(seconds["engine"]) == work.repeats
    return {
        "weights_identical_after_resume": is_killed and set(weights["engine"]) == set(weights["whole"]) != {"none"},
        "worker_kill_seconds": middle.get("engine"),
        "worker_kill_seconds_of_torchrun": middle.get("torchrun"),
    }, {
        "seconds": {name: [round(each, 2) for each in of] for name, of in seconds.items()},
        "weights": weights,
        "world_size": WORLD_SIZE,
        "steps": _NUM_STEPS,
        "killed_at": _KILLED_AT,
    }
