"""What is made of what the driver tells. On a machine with an accelerator: tests/gpu/test_inspect_accelerators.py."""

import sys

import pytest

from packtrain.documents.inspection import Finding
from packtrain.documents.promised_section import PromisedSection
from packtrain.training.site import accelerators
from packtrain.training.site.accelerators import Card, Cards, judge_burn, judge_cards
from packtrain.training.site.machine import HostTask, KitNeeds
from packtrain.training.site.seen import Seen

GOOD = Card(
    name="NVIDIA H200",
    memory_bytes=150_754_820_096,
    uncorrected=0,
    pending_rows=False,
    failed_rows=False,
    reasons=0x1,
    celsius=41,
    watts=120.0,
    most_watts=700.0,
    pcie_width=16,
    most_pcie_width=16,
    nvlinks=18,
)


def changed(**fields: object) -> Card:
    return Card(**{**{name: getattr(GOOD, name) for name in Card.__slots__}, **fields})  # type: ignore[arg-type]


def found(
    *cards: Card,
    promised: PromisedSection | None = None,
    cuda: str = "",
    driver: str = "580.105.08",
    knows: str = "13.0",
) -> dict[str, Finding]:
    seen = Seen("node-1")
    judge_cards(seen, Cards(driver, knows, cards), promised or PromisedSection(), KitNeeds(cuda=cuda))
    return {one.what: one for one in seen.findings}


def test_eight_good_ones_are_good_in_every_respect() -> None:
    judged = found(*[GOOD] * 8, promised=PromisedSection(accelerators=8, accelerator="h200", driver="580.65"))

    assert {one.verdict for one in judged.values()} == {"good"}
    assert judged["accelerators"].found == "8 x NVIDIA H200, 151 GB each"
    assert judged["accelerators"].is_promised


@pytest.mark.parametrize(
    ("promised", "cards"),
    [
        (PromisedSection(accelerators=8), [GOOD] * 7),
        (PromisedSection(accelerator="B200"), [GOOD] * 8),
        (PromisedSection(accelerator_memory_bytes=192 * 10**9), [GOOD] * 8),
        (PromisedSection(), [GOOD, changed(name="NVIDIA H100 80GB HBM3")]),
    ],
    ids=["one too few", "another kind", "too little memory", "two kinds"],
)
def test_other_accelerators_than_promised_are_bad(promised: PromisedSection, cards: list[Card]) -> None:
    finding = found(*cards, promised=promised)["accelerators"]

    assert finding.verdict == "bad"
    assert "ask the provider" in finding.remedy


@pytest.mark.parametrize(
    ("what", "card", "said"),
    [
        ("accelerator memory errors", changed(uncorrected=3), "1: 3 not corrected"),
        ("accelerator memory errors", changed(failed_rows=True), "1: rows of it could not be replaced"),
        ("accelerator memory errors", changed(pending_rows=True), "1: rows of it wait for a reset to be replaced"),
        ("accelerator clocks", changed(reasons=0x40), "1: slowed down by the hardware: too hot"),
        (
            "accelerator clocks",
            changed(reasons=0x8 | 0x80),
            "1: slowed down by the hardware; slowed down by the hardware",
        ),
        ("accelerator links", changed(pcie_width=8), "1: PCIe x8 of x16"),
        ("accelerator links", changed(nvlinks=17), "1: 17 NVLinks of 18"),
    ],
)
def test_the_one_with_a_fault_is_named_by_its_number(what: str, card: Card, said: str) -> None:
    finding = found(GOOD, card, GOOD)[what]

    assert finding.verdict == "bad"
    assert finding.found.startswith(said)


@pytest.mark.parametrize("reasons", [0x0, 0x1, 0x2, 0x4], ids=["none", "idle", "set clocks", "power cap"])
def test_a_clock_that_is_low_for_an_ordinary_reason_is_no_fault(reasons: int) -> None:
    assert found(changed(reasons=reasons))["accelerator clocks"].verdict == "good"


def test_what_the_driver_does_not_tell_is_not_shown() -> None:
    judged = found(Card(name="card", memory_bytes=10**9))

    told = {what: one.verdict for what, one in judged.items()}
    assert told.pop("accelerators") == told.pop("NVIDIA driver") == "good"
    assert set(told.values()) == {"not shown"}


@pytest.mark.parametrize(
    ("cuda", "driver", "knows", "verdict"),
    [
        ("13.0", "580.105.08", "13.0", "good"),
        ("13.0", "570.86.10", "12.8", "bad"),
        ("12.8", "525.60.13", "12.0", "good"),
        ("12.8", "525.60.12", "12.0", "bad"),
        ("12.8", "580.105.08", "13.0", "good"),
        ("14.1", "580.105.08", "13.0", "bad"),
        ("", "450.80.02", "11.0", "good"),
    ],
)
def test_the_driver_has_to_know_the_cuda_that_the_kit_s_torch_is_built_for(
    cuda: str, driver: str, knows: str, verdict: str
) -> None:
    assert found(GOOD, cuda=cuda, driver=driver, knows=knows)["NVIDIA driver"].verdict == verdict


def test_a_driver_older_than_promised_is_bad() -> None:
    finding = found(GOOD, promised=PromisedSection(driver="590.1"))["NVIDIA driver"]

    assert (finding.verdict, finding.is_promised) == ("bad", True)


def burnt(*rates: float, wrong: int | None = None) -> Finding:
    seen = Seen("node-1")
    records = [{"tflops": rate, "is_repeated": number != wrong} for number, rate in enumerate(rates)]
    judge_burn(seen, records, 1.0)
    return seen.findings[0]


def test_an_accelerator_a_tenth_below_the_median_is_named() -> None:
    assert burnt(700, 690, 705, 640).verdict == "good"
    slow = burnt(700, 690, 705, 610)
    assert slow.verdict == "bad"
    assert "slower: 3: 610.0" in slow.found


def test_an_accelerator_that_gives_another_result_the_second_time_is_named() -> None:
    finding = burnt(700, 700, wrong=1)

    assert finding.verdict == "bad"
    assert "other results the second time: 1" in finding.found


@pytest.mark.parametrize(("promised", "verdict"), [(None, "not shown"), (8, "not shown")])
def test_without_a_driver_accelerators_are_not_shown_promised_or_not(promised: int | None, verdict: str) -> None:
    if isinstance(accelerators.read_cards(), Cards):
        pytest.skip("this machine has accelerators")
    seen = Seen("node-1")
    task = HostTask(python=sys.executable, folders=(), promised=PromisedSection(accelerators=promised))
    accelerators.look_at_accelerators(seen, task)

    assert [(one.what, one.verdict, one.is_promised) for one in seen.findings] == [
        ("accelerators", verdict, promised is not None)
    ]


@pytest.mark.needs_torch
def test_the_burn_computes_on_a_processor_too_and_a_python_without_torch_says_so() -> None:
    import json
    import subprocess

    argv = [str(accelerators._BURN), "--device", "cpu", "--size", "64", "--seconds", "0.05"]
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=True)
    (record,) = json.loads(done.stdout)["devices"]
    assert record["is_repeated"] and record["tflops"] > 0
    none = subprocess.run([sys.executable, "-S", *argv], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in none.stderr
