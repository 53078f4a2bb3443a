"""What `inspect` finds on a host with one NVIDIA accelerator: its driver, its card, its rate, and sums by NCCL.

It needs torch with CUDA and nvidia-ml-py; of packtrain's own dependencies click, msgspec, rfc8785 and xxhash, which it
and tests/conftest.py import; of the tests pytest 9, pytest-timeout (pyproject.toml sets it) and hypothesis; no network.
pytest-randomly and pytest-xdist may be there and need not. What was found is printed (`pytest -s`), so that a run on
another card can be read.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.documents.inspection import Finding
from packtrain.documents.promised_section import PromisedSection
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.ports import TrainingJob
from packtrain.training.site.accelerators import Cards, look_at_accelerators, read_cards
from packtrain.training.site.across import PROGRAMS
from packtrain.training.site.machine import HostTask, KitNeeds, ask_python
from packtrain.training.site.seen import Seen

pytestmark = [pytest.mark.gpu, pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    """Skip where there is no accelerator; asked when a test is run, as importing torch takes seconds."""
    if importlib.util.find_spec("pynvml") is None:
        pytest.skip("nvidia-ml-py is not installed (the extra gpu)")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no accelerator of NVIDIA's")


def looked(seconds: float = 2.0, **promised: object) -> dict[str, Finding]:
    seen = Seen("here")
    said = ask_python(sys.executable)
    task = HostTask(
        python=sys.executable,
        folders=(),
        kit=KitNeeds(torch=said["torch"], cuda=said["cuda"]),
        promised=PromisedSection(**promised),  # type: ignore[arg-type]
        seconds=seconds,
    )
    look_at_accelerators(seen, task)
    for one in seen.findings:
        figures = {figure.name: (figure.value, figure.unit) for figure in one.figures}
        print(f"{one.verdict:9}  {one.what}: {one.found}  {one.asked}  {figures}")
    return {one.what: one for one in seen.findings}


def test_the_card_is_told_as_torch_knows_it() -> None:
    import torch

    found = read_cards()
    assert isinstance(found, Cards)
    print(found)
    visible = torch.cuda.device_count()
    assert len(found.cards) >= visible
    assert torch.cuda.get_device_name(0) in {card.name for card in found.cards}
    properties = torch.cuda.get_device_properties(0)
    # The driver keeps a part of what it tells.
    assert all(0.9 <= properties.total_memory / card.memory_bytes <= 1.0 for card in found.cards[:1])
    assert all(10 <= card.celsius <= 110 for card in found.cards if card.celsius is not None)


def test_a_healthy_host_is_good_and_computes_the_same_each_time() -> None:
    found = looked()

    assert found["accelerators"].verdict == "good"
    assert found["NVIDIA driver"].verdict == "good"
    assert found["matrix products"].verdict == "good"
    assert found["matrix products"].figures[0].value > 1.0
    assert {"accelerator memory errors", "accelerator clocks", "accelerator links"} <= set(found)


def test_more_than_there_is_was_promised() -> None:
    found = looked(0.2, accelerators=1000, accelerator="no such card", driver="9999.1")

    assert {what: (found[what].verdict, found[what].is_promised) for what in ("accelerators", "NVIDIA driver")} == {
        "accelerators": ("bad", True),
        "NVIDIA driver": ("bad", True),
    }


def test_a_kit_for_a_cuda_that_the_driver_does_not_know_is_bad() -> None:
    from packtrain.training.site.accelerators import judge_cards

    cards = read_cards()
    assert isinstance(cards, Cards)
    seen = Seen("here")
    judge_cards(seen, cards, PromisedSection(), KitNeeds(cuda="99.0"))
    assert {one.what: one.verdict for one in seen.findings}["NVIDIA driver"] == "bad"


def test_the_program_of_sums_runs_on_every_accelerator_of_this_host(tmp_path: Path) -> None:
    import torch

    report = tmp_path / "report.json"
    LocalEngine().run(
        TrainingJob(
            python=Path(sys.executable),
            command=("reduce.py", "--report", str(report), "--device", "cuda", "--each-rank"),
            program_folder=PROGRAMS,
            environment={},
            checkpoints=tmp_path / "checkpoints",
            log_folder=tmp_path / "logs",
            num_workers=torch.cuda.device_count(),
            max_restarts=0,
        ),
        discard,
    )
    found = json.loads(report.read_text())
    print(found)
    assert found["backend"] == "nccl"
    assert len(found["names"]) == torch.cuda.device_count()


def test_a_burn_of_a_device_that_is_not_there_says_so() -> None:
    argv = [sys.executable, str(PROGRAMS / "burn.py"), "--device", "cuda:63", "--seconds", "0.1", "--size", "64"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    record = json.loads(done.stdout.strip().splitlines()[-1])
    assert record["devices"] == [] and "cuda:63" in record["why"]
