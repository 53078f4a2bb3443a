"""The least that is a training program: rank 0 says a step every so often; no worker waits for another.

    light_program.py --trace FILE --ckpt FOLDER --steps N --step-seconds S --checkpoint-every N

For many hosts on few cores, where the import of torch would be all that is measured. Nothing here fails when a host is
lost: that is for the engine to see.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import time


def main() -> None:
    """Step to the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--trace", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--step-seconds", type=float, default=0.25)
    given, _ = parser.parse_known_args()
    run, rank, world = secrets.token_hex(4), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    trace = os.open(given.trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def line(**said: int) -> None:
        about = {"run": run, "at": time.monotonic(), "rank": rank, "world": world}
        os.write(trace, (json.dumps({**about, **said}) + "\n").encode())

    line(pid=os.getpid())
    for step in range(1, given.steps + 1):
        time.sleep(given.step_seconds)
        if rank == 0:
            line(step=step)
            print(json.dumps({"step": step, "loss": 1 / step}), flush=True)


if __name__ == "__main__":
    main()
