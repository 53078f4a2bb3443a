"""A training program without a model: steps of a known amount of work, and a line for each.

    stepper.py STEPS HASHES      under torchrun's environment; each step is HASHES times SHA-256 of a megabyte

It works instead of sleeping: what a supervisor takes from the processor is then missing here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys


def main() -> None:
    """Do the steps."""
    num_steps, num_hashes = int(sys.argv[1]), int(sys.argv[2])
    block = bytes(1 << 20)
    is_first = os.environ.get("RANK", "0") == "0"
    for step in range(1, num_steps + 1):
        for _ in range(num_hashes):
            hashlib.sha256(block).digest()
        if is_first:
            print(json.dumps({"step": step, "loss": 1 / step, "samples": 32}), flush=True)


if __name__ == "__main__":
    main()
