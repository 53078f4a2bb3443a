"""A voyage with something of everything a page shows: a hurt drive, one that never came, a training that fell."""

from __future__ import annotations

import json
import math
from pathlib import Path

from command_parts import Site, copy_site, deliver, done, pack, packtrain, prepared
from packtrain.ports import ATTEMPTS_NAME, StepRecord
from packtrain.training.metrics import STEPS_NAME, StepLog

HOSTILE = '<script>document.title="hacked"</script>'


def watched_voyage(root: Path, only_prepared: Path) -> Site:
    """Make the folders: packed, delivered, loaded without B2 and with damage on A1, trained for a while.

    A copy of them as they were before that is left in `only_prepared`: it can be packed there.
    """
    site = prepared(root)
    copy_site(site, only_prepared)
    pack(site)
    hurt = next((site.drive("a1") / "data").glob("*"))
    done("check", *site.drives(), "--voyage", site.home)
    deliver(site)
    with hurt.open("r+b") as volume:
        volume.seek(hurt.stat().st_size // 2)
        volume.write(b"\0" * 64)
    packtrain("check", *site.drives(), "--voyage", site.hall)
    ran = site.load(*site.drives("a1", "a2", "b1"), options=["--without", "B2"])
    assert ran.exit_code == 0, ran.stderr
    train(site.guest, 400)
    return site


def train(folder: Path, until: int, since: int = 0) -> None:
    """Write step lines as a training does; at step 150 it falls back by thirty, for a reason that is markup."""
    log = StepLog(folder / "logs" / "train" / STEPS_NAME)
    attempts = folder / "logs" / "train" / ATTEMPTS_NAME
    for step in range(since, min(until, 150)):
        log.append(_step(1, step))
    if since < 150 <= until:
        attempts.write_text(json.dumps({"attempt": 1, "reason": f"worker 1 ended with exit code 9 {HOSTILE}"}) + "\n")
    for step in range(max(since, 120) if since < 150 else since, until):
        log.append(_step(2, step))


def _step(attempt: int, step: int) -> StepRecord:
    loss = 0.8 + 3.4 * math.exp(-step / 120) + 0.12 * math.sin(step * 1.7) * math.exp(-step / 300)
    return StepRecord(attempt, step, loss, 16, 4.0 + 0.5 * step + (30 if attempt > 1 else 0))
