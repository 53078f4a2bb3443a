"""The reference program on one CUDA accelerator: it trains there, goes on to the same bits, and agrees with the CPU."""

import shutil
from pathlib import Path

import pytest

from packtrain.training.checkpoints import weights_of
from reference_runs import Workers, losses, steps
from tiny_dataset import make_tiny_dataset

pytestmark = [pytest.mark.gpu, pytest.mark.needs_torch, pytest.mark.slow]
STEPS = 12
LAST = f"step-{STEPS:08d}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "data"
    make_tiny_dataset(folder, num_tables=12, num_images=12, num_clips=4)
    return folder


@pytest.fixture(scope="module")
def on_cpu(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, float]:
    workers = Workers(1, data, tmp_path_factory.mktemp("cpu"), STEPS, "--device", "cpu")
    assert workers.wait() == [0], workers.words()
    return losses(workers.output)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_killed_on_the_accelerator_it_goes_on_to_the_same_bits_and_to_the_losses_of_the_cpu(
    data: Path, on_cpu: dict[int, float], parallel: str, tmp_path: Path
) -> None:
    options = ("--device", "cuda", "--parallel", parallel, "--checkpoint-every", "4")
    whole = Workers(1, data, tmp_path / "whole", STEPS, *options)
    assert whole.wait() == [0], whole.words()
    assert losses(whole.output) == pytest.approx(on_cpu, rel=1e-2)

    killed = Workers(1, data, tmp_path / "killed", STEPS, *options)
    while killed.next_step() < 6:
        pass
    killed.kill()
    # Wherever it was when the signal came, the rest is taken up from a checkpoint before the end.
    shutil.rmtree(tmp_path / "killed" / LAST, ignore_errors=True)
    rest = Workers(1, data, tmp_path / "killed", STEPS, *options)
    assert rest.wait() == [0], rest.words()
    assert steps(rest.output)[-1] == STEPS
    assert weights_of(tmp_path / "killed" / LAST) == weights_of(tmp_path / "whole" / LAST)


def test_a_checkpoint_of_the_accelerator_is_gone_on_from_on_the_cpu_and_back(data: Path, tmp_path: Path) -> None:
    for last, options in ((2, ("cuda", "fsdp")), (4, ("cpu", "ddp")), (6, ("cuda", "ddp"))):
        workers = Workers(1, data, tmp_path / "ck", last, "--device", options[0], "--parallel", options[1])
        assert workers.wait() == [0], workers.words()
        assert steps(workers.output) == [last - 1, last]


def test_in_bfloat16_the_losses_are_near(data: Path, on_cpu: dict[int, float], tmp_path: Path) -> None:
    workers = Workers(1, data, tmp_path / "ck", STEPS, "--device", "cuda", "--bf16")
    assert workers.wait() == [0], workers.words()
    assert losses(workers.output) == pytest.approx(on_cpu, rel=0.1)
