"""Run by itself: multiplies matrices on every accelerator at once for some seconds, and prints a JSON line of rates."""

from __future__ import annotations

import argparse
import json
import threading
import time
from typing import Any

_PRODUCTS = 16


def burn(torch: Any, device: str, size: int, seconds: float) -> dict[str, Any]:
    """Return the rate of one device, and whether the same product came out the same each time it was looked at."""
    generator = torch.Generator(device="cpu").manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator).to(device, torch.bfloat16) for _ in range(2))
    expected = left @ right
    found = expected

    def multiply(times: int) -> None:
        nonlocal found
        for _ in range(times):
            found = left @ right
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    multiply(3)
    num_done, is_repeated, started = 0, True, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not num_done:
        multiply(_PRODUCTS)
        num_done += _PRODUCTS
        is_repeated = is_repeated and bool(torch.equal(found, expected))
    rate = 2 * size**3 * num_done / max(elapsed, 1e-9) / 1e12
    return {"device": device, "tflops": rate, "is_repeated": is_repeated, "products": num_done}


def main() -> None:
    """Burn all accelerators at once, or the processor where it is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--device", default="")
    given = parser.parse_args()
    import torch

    devices = [given.device] if given.device else [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if not devices:
        print(json.dumps({"devices": [], "why": f"torch {torch.__version__} sees no accelerator"}), flush=True)
        return
    found: dict[str, dict[str, Any]] = {}
    faults: list[str] = []

    def one(device: str) -> None:
        try:
            found[device] = burn(torch, device, given.size, given.seconds)
        except (RuntimeError, torch.cuda.CudaError) as error:
            faults.append(f"{device}: {str(error).splitlines()[0][:200]}")

    threads = [threading.Thread(target=one, args=(device,)) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [] if faults else [found[device] for device in devices]
    print(json.dumps({"devices": told, "why": "; ".join(faults)}), flush=True)


if __name__ == "__main__":
    main()
