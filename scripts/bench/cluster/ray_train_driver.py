"""Ray Train's own way with `program.py`: TorchTrainer, elastic, failures allowed. Started on a host of the cluster.

    ray_train_driver.py ADDRESS FEWEST MOST STORAGE ARGUMENTS_OF_THE_PROGRAM...

Ray Train has formed the process group already when it calls the function; a program that forms its own takes it down.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

_MOST_FAILURES = 20


def run_program(given: dict[str, Any]) -> None:
    """Run the program in this process, as if it had been started by itself."""
    import signal

    import torch.distributed as dist

    dist.destroy_process_group()
    sys.argv = [given["program"], *given["arguments"]]

    # Signals belong to the main thread, where this function is not: Ray Train stops workers in its own way.
    signal.signal = _no_signal  # pyright: ignore[reportAttributeAccessIssue]
    exits: list[int] = []
    os._exit = exits.append  # pyright: ignore[reportAttributeAccessIssue] # the process is Ray's
    runpy.run_path(given["program"], run_name="__main__")
    if exits != [0]:
        raise RuntimeError(f"the program ended with {exits}")


def _no_signal(*_: object) -> None:
    pass


def main() -> None:
    """Train to the end."""
    address, fewest, most, storage, *arguments = sys.argv[1:]
    ray.init(address=address)
    TorchTrainer(
        run_program,
        train_loop_config={"program": str(Path(__file__).with_name("program.py")), "arguments": arguments},
        scaling_config=ScalingConfig(num_workers=(int(fewest), int(most)), resources_per_worker={"CPU": 1}),
        run_config=RunConfig(
            name="bench", storage_path=storage, failure_config=FailureConfig(max_failures=_MOST_FAILURES)
        ),
    ).fit()


if __name__ == "__main__":
    main()
