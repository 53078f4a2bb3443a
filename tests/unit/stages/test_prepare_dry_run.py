"""A dry run writes nothing into the voyage folder, and says what `prepare` then does."""

import tempfile
from pathlib import Path

import pytest

from packtrain.engines.processes import ProcessMapper
from packtrain.errors import NothingToCarry, WrongRole
from packtrain.stages.init import init
from packtrain.stages.prepare import prepare, trial
from packtrain.voyage import Voyage
from source_parts import csv_text, ignore, jpeg, png, tree, voyage_folder, write_sources

RECIPE = "image_crop_pixels = 16\nclip_frames = 4\nclip_size_pixels = 16\ntable_block_rows = 4\nmax_reject_rate = 0.9"


def _state(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in [root, *root.rglob("*")]}


def test_of_few_files_it_is_exact_and_the_voyage_folder_is_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_sources(tmp_path / "raw")
    (raw / "torn.jpg").write_bytes(jpeg()[:900])
    (raw / "copy.png").write_bytes((raw / "images" / "a.png").read_bytes())
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    before = _state(folder.root)
    found = trial.trial(folder, 200, ProcessMapper(0), 1, ignore)
    assert _state(folder.root) == before
    assert list((tmp_path / "tmp").iterdir()) == []
    counts = prepare(folder, ProcessMapper(0), ignore).counts
    assert found.is_exact
    assert found.samples.low == found.samples.high == counts["samples_prepared"]
    for each in found.kinds:
        assert each.samples.likely == counts[f"{each.kind}_samples"]
        assert round(each.bytes.likely) == counts[f"{each.kind}_bytes"]
    image = next(each for each in found.kinds if each.kind == "image")
    assert image.rejects.low == image.rejects.high == pytest.approx(1 / image.num_files)
    assert "torn.jpg" in found.first_rejects[0]


def test_of_many_files_the_ranges_hold_what_prepare_then_counts(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(60):
        (raw / f"{number:02d}.png").write_bytes(png(16 + 16 * (number % 4), 32, number))
        (raw / f"{number:02d}.csv").write_bytes(csv_text(4 + number % 9, number))
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE)
    found = trial.trial(folder, 40, ProcessMapper(0), 1, ignore)
    counts = prepare(folder, ProcessMapper(0), ignore).counts
    assert not found.is_exact
    assert 36 <= found.num_read <= 48
    assert found.samples.low <= counts["samples_prepared"] <= found.samples.high
    assert found.samples.high - found.samples.low < counts["samples_prepared"]
    assert found.bytes.low * 0.8 <= counts["image_bytes"] + counts["table_bytes"] <= found.bytes.high * 1.2
    assert 0 < found.hours.low <= found.hours.high


def test_the_same_files_are_read_again(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(30):
        (raw / f"{number:02d}.csv").write_bytes(csv_text(4 + number % 9, number))
    folder = voyage_folder(tmp_path / "voyage", raw, RECIPE)
    one, two = (trial.trial(folder, 10, ProcessMapper(0), 1, ignore) for _ in range(2))
    assert (one.kinds, one.read_bytes) == (two.kinds, two.read_bytes)


def test_sources_without_data_are_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(NothingToCarry):
        trial.trial(voyage_folder(tmp_path / "voyage", tmp_path / "raw"), 10, ProcessMapper(0), 1, ignore)


def test_it_belongs_to_the_consignor_and_takes_no_lock(tmp_path: Path) -> None:
    init(tmp_path / "guest", "a voyage", "consignee")
    with pytest.raises(WrongRole):
        Voyage(tmp_path / "guest", ignore).try_prepare(10)
    folder = voyage_folder(tmp_path / "home", write_sources(tmp_path / "raw"), RECIPE)
    before = tree(folder.root)
    Voyage(folder.root, ignore).try_prepare(10, 2)
    assert tree(folder.root) == before
