"""Reads and prints a JSON line a step: keys_read.py ROOT POSITION BATCH PROCESSES STEPS METHOD; 0 steps: for ever."""

import json
import multiprocessing
import sys
from pathlib import Path

from packtrain.training.loader import Position, SampleStore, open_loader


def main() -> None:
    """Read, and print the keys of each step with the position after it."""
    root, position, batch, num_processes, num_steps, method = sys.argv[1:]
    multiprocessing.set_start_method(method)
    loader = open_loader(
        SampleStore(Path(root)),
        Position.from_dict(json.loads(position), "argument"),
        global_batch=int(batch),
        rank=0,
        world_size=1,
        num_batches=int(num_steps) or None,
        num_processes=int(num_processes),
    )
    for samples in loader:
        readers = [process.pid for process in multiprocessing.active_children()]
        line = {"keys": [sample.key for sample in samples], "position": loader.position.to_dict(), "readers": readers}
        print(json.dumps(line), flush=True)
    print(json.dumps({"is_torch_there": "torch" in sys.modules}))


if __name__ == "__main__":
    main()
