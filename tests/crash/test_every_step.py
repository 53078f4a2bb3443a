"""The process is killed at every durable step of pack and of load; the next run ends as if nothing had been.

How many steps there are is counted in a dry run. Of more than 100 about 100 are chosen, evenly, the first and the last
twenty among them; `-s` prints how many there were. PACKTRAIN_EVERY_STEP=1 leaves none out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_parts import KILLED, LABELS, Voyage, check_bags, make_voyage, run_in_child, sampled, scratch
from packtrain.volume.writer import ShipmentWritten

pytestmark = pytest.mark.long

MOST_STEPS = 10_000 if os.environ.get("PACKTRAIN_EVERY_STEP") else 100
# The sweep is cut into parts, so that several workers share it; each counts for itself.
PARTS = 4


@pytest.fixture(scope="module")
def packed() -> Iterator[tuple[Voyage, ShipmentWritten]]:
    with scratch() as root:
        voyage = make_voyage(root)
        yield voyage, voyage.pack()


def part_of(steps: int, part: int, at_most: int = MOST_STEPS) -> list[int]:
    return sampled(steps, at_most)[part::PARTS]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_pack_killed_at_any_step_ends_with_every_byte_equal(part: int) -> None:
    started = time.monotonic()
    with scratch() as root:
        voyage = make_voyage(root)
        code, steps = run_in_child(voyage.pack, None)
        assert code == 0
        assert steps > 100, "the steps are no longer reported"
        chosen = part_of(steps, part)
        for die_at in chosen:
            voyage.wipe()
            code, _ = run_in_child(voyage.pack, die_at)
            # Threads reach their steps in another order each time, so the last few may not be reached.
            assert code in (KILLED, 0), f"step {die_at}"
            written = voyage.pack()
            check_bags(voyage.packing)
            # The drive that is left out changes with the step: parity is proven as well as data.
            voyage.assert_carried(written, lost=LABELS[die_at % 4 : die_at % 4 + 1])
    print(f"\npack: killed at {len(chosen)} of {steps} steps in {time.monotonic() - started:.1f} s")


@pytest.mark.parametrize("lost", [(), ("A1",)], ids=["all drives", "one drive lost"])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_load_killed_at_any_step_is_finished_by_the_next(
    packed: tuple[Voyage, ShipmentWritten], lost: tuple[str, ...], part: int
) -> None:
    started = time.monotonic()
    voyage, written = packed
    code, steps = run_in_child(voyage.site(written, lost=lost).load, None)
    assert code == 0
    assert steps > 20, "the steps are no longer reported"
    chosen = part_of(steps, part)
    for die_at in chosen:
        site = voyage.site(written, lost=lost)
        code, _ = run_in_child(site.load, die_at)
        assert code in (KILLED, 0), f"step {die_at}"
        for entry in site.packing.entries:
            copy = site.root / "store" / entry.name.decode()
            if entry.kind == "file" and copy.exists():
                assert copy.read_bytes() == Path(os.fsdecode(entry.source)).read_bytes(), (
                    f"half a file after step {die_at}"
                )
        assert site.load().bytes == written.plaintext_bytes, f"after step {die_at}"
        site.assert_loaded()
    print(f"\nload {lost}: killed at {len(chosen)} of {steps} steps in {time.monotonic() - started:.1f} s")


def test_a_voyage_whose_every_run_is_killed_still_arrives() -> None:
    """Each run dies a little later than the one before, pack and then load, until one does not die."""
    with scratch() as root:
        voyage = make_voyage(root)
        kills = 0
        while run_in_child(voyage.pack, 30 + 7 * kills)[0] == KILLED:
            kills += 1
        assert kills > 3
        site = voyage.site(voyage.pack(), lost=("C1",))
        kills = 0
        while run_in_child(site.load, 6 + 3 * kills)[0] == KILLED:
            kills += 1
        assert kills > 3
        site.load()
        site.assert_loaded()
