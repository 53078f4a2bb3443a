"""Filters and forms of images in a real voyage: what is dropped has a row, and another limit reads nothing again."""

import io
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from packtrain.engines.processes import ProcessMapper
from packtrain.errors import VoyageFileError
from packtrain.events import Event, Notice
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import prepare
from source_parts import clip, ignore, jpeg, png, voyage_folder


def _sources(root: Path) -> Path:
    root.mkdir()
    for number, width in enumerate((40, 80, 120, 160)):
        (root / f"{number}.png").write_bytes(png(width, 40, number))
    (root / "turned.jpg").write_bytes(jpeg(60, 90, 5, orientation=6))
    (root / "film.mp4").write_bytes(clip(10))
    return root


def _rule(least: int) -> str:
    return f'[[prepare.filter]]\nkind = "image"\nmeasure = "width_pixels"\nmin = {least}\n'


def _drops(folder: VoyageFolder) -> dict[str, tuple[object, ...]]:
    rows = pq.read_table(folder.work / "dataset" / "drops.parquet").to_pylist()
    return {row["source"]: (row["reason"], row["rule"], row["value"], row["limit"]) for row in rows}


def test_a_filter_drops_with_a_row_and_another_limit_reads_nothing_again(tmp_path: Path) -> None:
    raw = _sources(tmp_path / "raw")
    folder = voyage_folder(tmp_path / "voyage", raw, _rule(85))
    first = prepare(folder, ProcessMapper(0), ignore)
    assert _drops(folder) == {
        "raw/0.png": ("filter", "width_pixels at least 85", 40.0, 85.0),
        "raw/1.png": ("filter", "width_pixels at least 85", 80.0, 85.0),
    }
    # Of the photograph that lies on its side the upright width counts: 90.
    assert (first.counts["image_samples"], first.counts["filtered"], first.counts["units_reused"]) == (3, 2, 0)

    voyage_folder(tmp_path / "voyage", raw, _rule(100))
    again = prepare(folder, ProcessMapper(0), ignore)
    assert set(_drops(folder)) == {"raw/0.png", "raw/1.png", "raw/turned.jpg"}
    assert again.counts["units_reused"] == again.counts["units"] == first.counts["units"] > 0
    assert (again.counts["image_samples"], again.counts["clip_samples"]) == (2, 1)


def test_a_clip_is_filtered_by_its_motion_and_an_image_by_its_sharpness(tmp_path: Path) -> None:
    raw = _sources(tmp_path / "raw")
    (raw / "still.mp4").write_bytes(clip(10, moving=False))
    (raw / "flat.png").write_bytes(_flat())
    rules = (
        '[[prepare.filter]]\nkind = "clip"\nmeasure = "motion"\nmin = 0.005\n'
        '[[prepare.filter]]\nkind = "image"\nmeasure = "sharpness"\nmin = 1\n'
    )
    folder = voyage_folder(tmp_path / "voyage", raw, rules)
    prepare(folder, ProcessMapper(0), ignore)
    assert set(_drops(folder)) == {"raw/still.mp4", "raw/flat.png"}


def _flat() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 40), (90, 90, 90)).save(target, "PNG")
    return target.getvalue()


def test_a_measure_that_no_sample_of_the_kind_has_is_refused(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", _sources(tmp_path / "raw"), _rule(1).replace("width_pixels", "girth"))
    with pytest.raises(VoyageFileError) as caught:
        prepare(folder, ProcessMapper(0), ignore)
    assert "brightness" in str(caught.value.expected)


def test_images_made_anew_lie_in_the_shards_and_a_changed_form_reads_images_only(tmp_path: Path) -> None:
    raw = _sources(tmp_path / "raw")
    folder = voyage_folder(tmp_path / "voyage", raw, 'image_resize_pixels = 32\nimage_encode = "jpeg"\n')
    first = prepare(folder, ProcessMapper(0), ignore)
    (shard,) = (folder.work / "dataset" / "shards").glob("images-*.tar")
    with tarfile.open(shard) as tar:
        pictures = [member for member in tar if member.name.endswith(".jpg")]
        for member in pictures:
            stream = tar.extractfile(member)
            assert stream is not None
            with Image.open(stream) as image:
                assert (image.format, max(image.size)) == ("JPEG", 32)
    assert len(pictures) == first.counts["image_samples"] == 5

    voyage_folder(tmp_path / "voyage", raw, 'image_resize_pixels = 32\nimage_encode = "webp"\n')
    again = prepare(folder, ProcessMapper(0), ignore)
    assert again.counts["units_reused"] == 1  # that of the clip


def test_a_broken_tail_is_a_reject_and_what_came_before_it_is_kept(tmp_path: Path) -> None:
    raw = _sources(tmp_path / "raw")
    (raw / "film.mp4").unlink()
    whole = clip(60, container_name="matroska")
    (raw / "torn.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    recipe = "clip_frames = 4\nclip_size_pixels = 16\nclip_keep_until_damage = true\nmax_reject_rate = 0.5\n"
    folder = voyage_folder(tmp_path / "voyage", raw, recipe)
    counts = prepare(folder, ProcessMapper(0), ignore).counts
    assert 1 <= counts["clip_samples"] < 15
    (row,) = pq.read_table(folder.work / "dataset" / "rejects.parquet").to_pylist()
    assert (row["path"], row["stage"]) == ("raw/torn.mkv", "row")
    assert str(row["place"]).startswith("from ")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("patient-[0-9", "missing ]"), ("patient-[0-9]+", "no bracket"), ("(?:patient)", "no bracket")],
)
def test_a_pattern_that_names_no_group_is_refused(tmp_path: Path, pattern: str, told: str) -> None:
    rule = f"[prepare.splits]\nvalidation = 0.1\ngroup_pattern = '{pattern}'\n"
    folder = voyage_folder(tmp_path / "voyage", _sources(tmp_path / "raw"), rule)
    with pytest.raises(VoyageFileError, match="group_pattern names no group") as caught:
        prepare(folder, ProcessMapper(0), ignore)
    assert told in str(caught.value.found)
    assert "[prepare.splits]" in str(caught.value.where)


def _warnings(folder: VoyageFolder) -> str:
    told: list[Event] = []
    prepare(folder, ProcessMapper(0), told.append)
    return "\n".join(each.text for each in told if isinstance(each, Notice) and each.is_warning)


def test_a_pattern_that_matches_nothing_is_warned_of(tmp_path: Path) -> None:
    raw = _sources(tmp_path / "raw")
    rule = "[prepare.splits]\nvalidation = 0.5\ngroup_pattern = '{}'\n"
    folder = voyage_folder(tmp_path / "voyage", raw, rule.format("patinet-([0-9]+)"))
    assert "group_pattern matches no source" in _warnings(folder)
    voyage_folder(tmp_path / "voyage", raw, rule.format("([0-9]).png"))
    assert "group_pattern" not in _warnings(folder)


def test_a_filter_that_leaves_nothing_of_a_kind_is_warned_of(tmp_path: Path) -> None:
    folder = voyage_folder(tmp_path / "voyage", _sources(tmp_path / "raw"), _rule(5000))
    assert "no image is left: filters dropped 5" in _warnings(folder)
