"""What is shown of a prepared data set: its numbers are those of the tables, its choice a function of the data."""

import hashlib
import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from looked_parts import answer_of, drop, measure, mixed_voyage, sample_rows
from packtrain.dataset.looking.look import Look, Wanted
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import look

CROPPED = "image_crop_pixels = 16\nclip_frames = 4\nclip_size_pixels = 16"


@pytest.fixture(scope="module")
def kept_whole(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    return mixed_voyage(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    return mixed_voyage(tmp_path_factory.mktemp("cropped"), CROPPED)


def _copy(folder: VoyageFolder, into: Path) -> VoyageFolder:
    """Return a copy of a voyage with its sources, to be changed."""
    shutil.copytree(folder.root.parent, into)
    path = into / "voyage" / "voyage.toml"
    path.write_text(path.read_text().replace(str(folder.root.parent), str(into)))
    return VoyageFolder(into / "voyage")


def _errors(found: Look) -> list[str]:
    return [thumb.error for sheet in found.sheets for each in sheet.shown for thumb in each.thumbs]


def test_the_counts_are_those_of_the_tables(kept_whole: VoyageFolder) -> None:
    found = look(kept_whole, Wanted())
    assert [(*key, number) for key, number in found.splits.items()] == answer_of(
        kept_whole, "SELECT kind, split, count(*) FROM {index} GROUP BY ALL ORDER BY ALL"
    )
    assert [(each.kind, each.reason, each.rule, each.num_samples) for each in found.drops] == answer_of(
        kept_whole, "SELECT kind, reason, rule, count(*) FROM {drops} GROUP BY ALL ORDER BY ALL"
    )
    assert found.num_rejects == answer_of(kept_whole, "SELECT count(*) FROM {rejects}")[0][0] == 5
    assert sum(group.num_rejects for group in found.rejects) == found.num_rejects
    assert found.num_copied == 2
    assert found.notes == []


def test_samples_are_those_with_the_smallest_digest_under_the_seed(cropped: VoyageFolder) -> None:
    keys = [key for (key,) in answer_of(cropped, "SELECT key FROM {index} WHERE kind = 'image'")]
    for seed in (0, 5):
        found = look(cropped, Wanted(num_samples=7, seed=seed))
        by_lot = sorted(keys, key=lambda key: hashlib.sha256(f"{seed}/{key}".encode()).hexdigest())
        (sheet,) = [sheet for sheet in found.sheets if sheet.kind == "image"]
        assert [each.key for each in sheet.shown] == sorted(by_lot[:7])
        assert (sheet.num_samples, sheet.num_drawn) == (len(keys), 7)


def test_two_looks_are_equal(cropped: VoyageFolder) -> None:
    assert look(cropped, Wanted()) == look(cropped, Wanted())


def test_every_picture_is_small_and_is_that_of_its_sample(kept_whole: VoyageFolder) -> None:
    found = look(kept_whole, Wanted())
    sizes = {row["source"]: row["detail"] for row in sample_rows(kept_whole)}
    assert not any(_errors(found))
    (sheet,) = [sheet for sheet in found.sheets if sheet.kind == "image"]
    assert len(sheet.shown) == 16
    for each in sheet.shown:
        (thumb,) = each.thumbs
        image = Image.open(io.BytesIO(thumb.payload))
        assert image.size == (thumb.width, thumb.height)
        assert max(image.size) <= 160
        assert each.source in sizes
    by_source = {each.source: each for each in sheet.shown}
    # EXIF turn 6: what lies in the file is wide, what a person sees is high.
    assert (
        by_source["raw/images/turned.jpg"].thumbs[0].width,
        by_source["raw/images/turned.jpg"].thumbs[0].height,
    ) == (
        80,
        160,
    )
    assert dict(by_source["raw/images/deep.png"].facts)["pixels"] == "60 x 30"


def test_clips_are_strips_of_frames_with_rising_times(kept_whole: VoyageFolder, cropped: VoyageFolder) -> None:
    for folder, num_frames in ((kept_whole, 5), (cropped, 4)):
        (sheet,) = [sheet for sheet in look(folder, Wanted()).sheets if sheet.kind == "clip"]
        for each in sheet.shown:
            times = [thumb.at_seconds for thumb in each.thumbs]
            assert None not in times
            assert times == sorted(set(times))  # pyright: ignore[reportArgumentType]
            assert len(times) == num_frames


def test_a_cropped_sample_stands_beside_its_source_and_a_whole_one_does_not(
    kept_whole: VoyageFolder, cropped: VoyageFolder
) -> None:
    assert look(kept_whole, Wanted()).makings == []
    found = look(cropped, Wanted()).makings
    assert {each.after.kind for each in found} == {"image", "clip"}
    assert len({each.before.source for each in found}) == len(found)
    for each in found:
        assert each.before.source == each.after.source
        assert not any(thumb.error for thumb in (*each.before.thumbs, *each.after.thumbs))


def test_a_filter_shows_what_lies_next_to_its_limit_and_what_lies_far(kept_whole: VoyageFolder, tmp_path: Path) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    images = [row for row in sample_rows(folder) if row["kind"] == "image" and "photo" in row["key"]][:10]
    values = [170, 20, 199, 100, 150, 60, 198, 30, 180, 120]
    measure(folder, "width", {row["key"]: float(value) for row, value in zip(images, values, strict=True)})
    rule = {"kind": "image", "reason": "filter", "rule": "width at least 200", "limit": 200.0}
    drop(folder, *({**rule, "key": row["key"], "value": float(v)} for row, v in zip(images, values, strict=True)))
    found = look(folder, Wanted())
    (shown,) = found.filters
    assert [dict(each.facts)["measured"] for each in shown.nearest] == ["199", "198", "180", "170", "150", "120"]
    assert [dict(each.facts)["measured"] for each in shown.farthest] == ["20", "30", "60", "100"]
    assert {dict(each.facts)["limit"] for each in shown.nearest} == {"200"}
    assert shown.count.num_samples == 10
    # What a filter drops is in "before" and not in "after".
    (drawn,) = [each for each in found.histograms if (each.kind, each.measure) == ("image", "width")]
    assert (sum(drawn.before), sum(drawn.after)) == (10, 0)


def test_pairs_in_doubt_come_first_and_show_both_pictures(cropped: VoyageFolder, tmp_path: Path) -> None:
    folder = _copy(cropped, tmp_path / "copy")
    copies = {key for (key,) in answer_of(folder, "SELECT key FROM {drops}")}
    rows = [row for row in sample_rows(folder) if row["kind"] == "image" and row["key"] not in copies][:5]
    rule = {"kind": "image", "reason": "near-duplicate", "rule": "pdq distance at most 31", "limit": 31.0}
    kept = {"kept_key": rows[0]["key"], "kept_source": rows[0]["source"]}
    drop(
        folder,
        *({**rule, **kept, "key": row["key"], "value": v} for row, v in zip(rows[1:], (3, 31, 0, 17), strict=True)),
    )
    found = look(folder, Wanted())
    assert [pair.value for pair in found.pairs] == [31, 17, 3, 0]
    assert {pair.kept.key for pair in found.pairs} == {rows[0]["key"]}
    assert found.num_pairs == 4
    for pair in found.pairs:
        for side in (pair.dropped, pair.kept):
            assert [(thumb.width, thumb.height, thumb.error) for thumb in side.thumbs] == [(16, 16, "")]


def test_of_copies_the_kept_one_and_the_sources_of_the_others_are_shown(kept_whole: VoyageFolder) -> None:
    (copies,) = look(kept_whole, Wanted()).copies
    assert copies.kept.source == "raw/images/copy-1.png"
    assert copies.first_sources == ("raw/images/copy-2.png", "raw/images/copy-3.png")
    assert (copies.num_dropped, copies.num_sources) == (2, 2)


def test_what_has_no_room_is_counted_and_not_shown(cropped: VoyageFolder) -> None:
    whole, small = look(cropped, Wanted()), look(cropped, Wanted(page_bytes=60_000))
    assert whole.num_left_out == 0

    def num_shown(found: Look) -> int:
        drawn = sum(len(sheet.shown) for sheet in found.sheets) + len(found.copies)
        return drawn + 2 * len(found.makings) + 2 * len(found.pairs)

    assert small.num_left_out > 0
    assert num_shown(small) < num_shown(whole)
    pictured = [each for sheet in small.sheets for each in sheet.shown]
    pictured += [side for each in small.makings for side in (each.before, each.after)]
    pictured += [each.kept for each in small.copies]
    assert sum(each.num_bytes for each in pictured) * 4 // 3 <= 60_000
    assert all(sheet.shown for sheet in small.sheets)


def test_without_the_sources_the_page_says_so_in_the_place_of_each_picture(
    kept_whole: VoyageFolder, tmp_path: Path
) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "raw")
    found = look(folder, Wanted())
    assert "A source path of voyage.toml is not there" in found.notes[0]
    assert not any(_errors(found))  # kept samples come out of the shards
    (copies,) = found.copies
    assert copies.kept.thumbs[0].error == "a source path of voyage.toml is not there"


def test_a_source_that_changed_is_not_shown_for_what_it_was(kept_whole: VoyageFolder, tmp_path: Path) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    with (tmp_path / "copy" / "raw" / "images" / "copy-1.png").open("ab") as stream:
        stream.write(b"more")
    (copies,) = look(folder, Wanted()).copies
    assert copies.kept.thumbs[0].error == "its source file has changed since it was read"


def test_a_shard_that_was_cut_short_leaves_reasons_in_the_place_of_pictures(
    kept_whole: VoyageFolder, tmp_path: Path
) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    for shard in (folder.work / "dataset" / "shards").glob("*.tar"):
        shard.write_bytes(shard.read_bytes()[:700])
    errors = _errors(look(folder, Wanted()))
    assert errors
    assert all(
        error.startswith("shard shards/") and error.endswith("has changed since it was read") for error in errors
    )


def test_without_what_the_units_read_the_rest_is_still_shown(kept_whole: VoyageFolder, tmp_path: Path) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    shutil.rmtree(folder.work / "prepare" / "units")
    found = look(folder, Wanted())
    assert "What the units read is not there any more" in found.notes[0]
    assert (found.histograms, found.copies) == ([], [])
    assert all(sheet.shown for sheet in found.sheets)


def test_a_data_set_that_was_read_further_since_is_said_to_be_so(kept_whole: VoyageFolder, tmp_path: Path) -> None:
    folder = _copy(kept_whole, tmp_path / "copy")
    row = next(row for row in sample_rows(folder) if row["kind"] == "image")
    drop(folder, {"kind": "image", "key": row["key"], "reason": "filter", "rule": "x", "value": 1.0, "limit": 2.0})
    assert "dataset.json" in look(folder, Wanted()).notes[-1]


def test_two_tables_that_look_alike_show_the_rows_in_which_they_differ(tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "tables"
    raw.mkdir(parents=True)
    rows = [f"{i},{i * 7 % 13},one{i}@example.org\n" for i in range(40)]
    for name, changed in (("a.csv", ""), ("b.csv", "999,1,other@example.org\n")):
        (raw / name).write_text("day,kelvin,contact\n" + "".join([*rows[:39], changed or rows[39]]))
    folder = mixed_voyage(
        tmp_path, "miniature_samples = 8\n[prepare.near_duplicates]\ndrop = true\ntable = 'minhash'\nimage = 'off'\n"
        "clip = 'off'\ntable_share = 0.5"
    )  # fmt: skip
    found = look(folder, Wanted())
    pairs = [pair for pair in found.pairs if pair.dropped.source.endswith("/b.csv")]
    assert found.num_pairs == answer_of(folder, "SELECT count(*) FROM {drops} WHERE reason = 'near-duplicate'")[0][0]
    (pair,) = pairs
    assert pair.kept.source == "raw/tables/a.csv"
    assert pair.differ is not None
    dropped, kept = pair.differ
    assert dropped.rows == (("999", "1", "not shown"),)
    assert kept.rows == (("39", "0", "not shown"),)
    assert dropped.names == ("day", "kelvin", "column 3")
    assert look(folder, Wanted(), with_values=False).pairs[0].differ is None


@pytest.mark.parametrize("crop", ["", "image_crop_pixels = 16\n"])
def test_what_was_scaled_stands_beside_its_source_and_tells_its_own_size(tmp_path: Path, crop: str) -> None:
    found = look(mixed_voyage(tmp_path, f"image_resize_pixels = 32\n{crop}"), Wanted()).makings
    images = [each for each in found if each.after.kind == "image"]
    assert images
    for each in images:
        assert not any(thumb.error for thumb in (*each.before.thumbs, *each.after.thumbs))
        width, height = (int(edge) for edge in dict(each.after.facts)["pixels"].split(" x "))
        assert max(width, height) == (16 if crop else 32)
