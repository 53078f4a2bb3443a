"""Checkpoints seen from outside: the newest, and the digest of its weights."""

import os
import time
from pathlib import Path

import pytest

from packtrain.training.checkpoints import (
    CheckpointWatch,
    checkpoint_bytes,
    is_beyond,
    newest_checkpoint,
    weights_of,
)


def _put(path: Path, payload: bytes = b"w", at: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    os.utime(path, ns=(at, at))
    return path


def test_no_folder_or_an_empty_one_has_no_checkpoint(tmp_path: Path):
    assert newest_checkpoint(tmp_path / "none") is None
    assert newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize("file", ["weights", ".metadata"])
def test_the_highest_step_is_the_newest_whatever_the_times_say(tmp_path: Path, file: str):
    for at, step in enumerate((10, 9, 8), start=1):
        _put(tmp_path / f"step-{step}" / file, at=at)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-10"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("epoch=9-step=100.ckpt", "epoch=10-step=90000.ckpt"),
        ("global_step9_of_500", "global_step10_of_500"),
        ("model-9.h5", "model-10.h5"),
        ("model.ckpt-9", "model.ckpt-10"),
        ("checkpoint.9", "checkpoint.10"),
        ("events.1800000000", "step-3"),
        ("last.pt", "model-1.pt"),
        ("step-9/model", "step-10/model"),
    ],
)
def test_the_step_is_read_from_the_name(tmp_path: Path, older: str, newer: str):
    file = ".metadata" if "/" in newer else "weights"
    for at, name in enumerate((newer, older), start=1):
        _put(tmp_path / name / file, at=at)
    assert newest_checkpoint(tmp_path) == tmp_path / newer


def test_without_numbers_in_names_the_one_written_last_is_the_newest(tmp_path: Path):
    _put(tmp_path / "b.pt", at=1)
    _put(tmp_path / "a.pt", at=2)
    assert newest_checkpoint(tmp_path) == tmp_path / "a.pt"


def test_the_number_of_the_folder_itself_is_no_step(tmp_path: Path):
    root = tmp_path / "step-99"
    _put(root / ".metadata", at=2)
    _put(root / "step-1" / ".metadata", at=1)
    assert newest_checkpoint(root) == root / "step-1"


@pytest.mark.parametrize("name", [".step-9.part", "step-9.tmp", "step-9.part"])
def test_temporary_names_do_not_count(tmp_path: Path, name: str):
    _put(tmp_path / "step-1" / "weights", at=1)
    _put(tmp_path / name / "weights", at=9)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_links_do_not_count(tmp_path: Path):
    _put(tmp_path / "step-1" / "weights", at=1)
    (tmp_path / "latest").symlink_to(tmp_path / "step-1")
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_a_marked_checkpoint_is_found_below_other_folders_and_an_unmarked_one_is_incomplete(tmp_path: Path):
    _put(tmp_path / "run" / "step-4" / ".metadata", at=1)
    _put(tmp_path / "run" / "step-8" / "__0_0.distcp", at=9)
    assert newest_checkpoint(tmp_path) == tmp_path / "run" / "step-4"


def test_of_the_trainers_checkpoints_one_without_its_state_is_half_and_the_model_beside_them_is_none(tmp_path: Path):
    _put(tmp_path / "checkpoint-4" / "trainer_state.json", at=1)
    _put(tmp_path / "checkpoint-8" / "model.safetensors", at=8)
    _put(tmp_path / "model.safetensors", at=9)
    _put(tmp_path / "trainer_state.json", at=9)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-4"


def test_of_a_folder_with_tensors_the_arguments_and_paths_beside_them_do_not_count(tmp_path: Path):
    for name in ("a", "b"):
        _put(tmp_path / name / "model.safetensors", b"tensors")
        _put(tmp_path / name / "training_args.bin", name.encode())
    assert weights_of(tmp_path / "a") == weights_of(tmp_path / "b")
    _put(tmp_path / "b" / "model.safetensors", b"tensorz")
    assert weights_of(tmp_path / "a").sha256 != weights_of(tmp_path / "b").sha256


def test_size_counts_all_files(tmp_path: Path):
    _put(tmp_path / "step-1" / "a", b"12345")
    _put(tmp_path / "step-1" / "b" / "c", b"123")
    assert checkpoint_bytes(tmp_path / "step-1") == 8


def test_equal_files_give_equal_weights_whenever_they_were_written(tmp_path: Path):
    one, other = _put(tmp_path / "a" / "w", b"same", at=1), _put(tmp_path / "b" / "w", b"same", at=2)
    assert weights_of(one.parent) == weights_of(other.parent)


def test_one_other_byte_gives_other_weights(tmp_path: Path):
    one, other = _put(tmp_path / "a" / "w", b"same"), _put(tmp_path / "b" / "w", b"sama")
    assert weights_of(one.parent).sha256 != weights_of(other.parent).sha256


def test_watch_measures_how_long_a_checkpoint_grows(tmp_path: Path):
    with CheckpointWatch(tmp_path) as watch:
        for size in range(6):
            _put(tmp_path / "step-1" / "w", b"x" * size)
            time.sleep(0.1)
    assert 0.3 <= watch.longest_seconds < 2


@pytest.mark.needs_torch
class TestTorch:
    """Tensors count, not the bytes around them."""

    def _save(self, folder: Path, **state: object) -> Path:
        from torch.distributed.checkpoint.state_dict_saver import save

        save(state, checkpoint_id=folder, no_dist=True)
        return folder

    def _state(self) -> dict[str, object]:
        import torch

        return {
            "model": {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(4, dtype=torch.bfloat16)},
            "count": torch.tensor(7),
        }

    def test_distributed_checkpoints_with_equal_tensors_are_equal_whatever_else_they_hold(self, tmp_path: Path):
        one = self._save(tmp_path / "a", **self._state(), saved_at="noon")
        other = self._save(tmp_path / "b", **self._state(), saved_at="midnight")
        assert weights_of(one) == weights_of(other)
        assert weights_of(one).taken_of == "all tensors"

    @pytest.mark.parametrize("name", ["weight", "half"])
    def test_one_flipped_bit_of_a_tensor_shows(self, tmp_path: Path, name: str):
        import torch

        changed = self._state()
        tensor: torch.Tensor = changed["model"][name]  # type: ignore[index]
        tensor.view(torch.uint8).view(-1)[0] ^= 1
        one, other = self._save(tmp_path / "a", **self._state()), self._save(tmp_path / "b", **changed)
        assert weights_of(one).sha256 != weights_of(other).sha256

    def test_name_and_shape_count(self, tmp_path: Path):
        import torch

        found = {
            weights_of(self._save(tmp_path / name, **{name: torch.zeros(shape)})).sha256
            for name, shape in (("a", (2, 3)), ("b", (2, 3)))
        } | {weights_of(self._save(tmp_path / "c", a=torch.zeros(3, 2))).sha256}
        assert len(found) == 3

    def test_files_of_torch_save_are_compared_by_their_tensors(self, tmp_path: Path):
        import torch

        for name in ("a", "b"):
            torch.save({**self._state(), "path": name}, tmp_path / f"{name}.pt")
        assert weights_of(tmp_path / "a.pt") == weights_of(tmp_path / "b.pt")

    def test_tensors_among_other_classes_are_compared_without_running_the_pickle(self, tmp_path: Path):
        import torch

        for name, place in (("a", "x"), ("b", "y"), ("c", "x")):
            weight = torch.arange(6.0) + (name == "c")
            torch.save({"path": Path(place), "weight": weight}, tmp_path / f"{name}.ckpt")
        found = [weights_of(tmp_path / f"{name}.ckpt") for name in "abc"]
        assert found[0] == found[1]
        assert found[0].taken_of == "all tensors"
        assert found[0].sha256 != found[2].sha256

    def test_a_file_with_other_classes_than_tensors_is_never_run_but_compared_by_its_bytes(self, tmp_path: Path):
        import torch

        torch.save({"path": Path("x")}, tmp_path / "a.pt")
        assert weights_of(tmp_path / "a.pt").taken_of == "all bytes"


@pytest.mark.parametrize(
    ("name", "step", "found"),
    [("step-0000.json", 1, False), ("step-0001.json", 1, False), ("step-0002.json", 1, True), ("step-3", None, True)]
    + [(name, 1, True) for name in ("last.pt", "epoch=0.ckpt", "epoch=0-step=4.ckpt", "checkpoint-1")],
)
def test_a_checkpoint_of_the_first_step_is_told_by_its_name_alone(
    tmp_path: Path, name: str, step: int | None, found: bool
):
    assert is_beyond(tmp_path / name, tmp_path, step) is found
