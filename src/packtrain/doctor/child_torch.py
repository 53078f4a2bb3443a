"""Run by itself: imports torch, and prints one JSON line of what it can see."""

import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    """Print the version of torch, what it was built for, and the accelerators that it can use."""
    json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch: Any = importlib.import_module("torch")
    found: dict[str, Any] = {"version": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip}
    accelerator: Any = torch.accelerator
    found["accelerator"] = str(accelerator.current_accelerator()) if accelerator.is_available() else None
    found["count"] = accelerator.device_count() if accelerator.is_available() else 0
    if torch.cuda.is_available():
        found["names"] = sorted({torch.cuda.get_device_name(number) for number in range(found["count"])})
    answers.write(json.dumps(found) + "\n")
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
