"""What is kept, what is dropped and why, and on which side: on tables of samples alone."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from packtrain.dataset.index import DROP_SCHEMA, SAMPLE_SCHEMA
from packtrain.dataset.recipe import check_recipe
from packtrain.dataset.rows import row_writer
from packtrain.dataset.selection import Selection
from packtrain.documents.recipe import FilterSection, NearDuplicatesSection, RecipeSection, SplitsSection
from packtrain.errors import VoyageFileError


def _row(key: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "kind": "image",
        "source": f"raw/{key}.png",
        "source_sha256": "s" * 64,
        "sha256": key,
        "suffix": "png",
        "table": "",
        "num_rows": 0,
        "unit": "u" * 64,
        "blob_offset": 0,
        "blob_bytes": 1,
        "part_bytes": 0,
        "part_sha256": "",
        "part_blocks": 0,
        "row_group": 0,
        "detail": "{}",
        "measures": [],
        "fingerprint": b"",
        "withdrawn": False,
        **more,
    }


class _Settled:
    def __init__(self, folder: Path, rows: list[dict[str, Any]], recipe: RecipeSection) -> None:
        path = folder / "samples.parquet"
        with row_writer(path, SAMPLE_SCHEMA) as writer:
            for row in rows:
                writer.add(row)
        with Selection([path], folder / "spill", recipe) as selection:
            selection.settle()
            self.kept = {row["key"]: row for row in selection.kept()}
            self.dropped = {row["key"]: row for row in selection.dropped()}
            self.drops = {(count.kind, count.name): count.num_samples for count in selection.drops()}
            self.groups = selection.groups()
            self.num_unnamed = selection.num_unnamed
            self.splits = {(count.kind, count.name): count.num_samples for count in selection.splits()}


def test_a_filter_drops_by_measure_and_says_rule_value_and_limit(tmp_path: Path) -> None:
    rows = [
        _row("low", measures=[("width", 10.0)]),
        _row("fits", measures=[("width", 64.0)]),
        _row("high", measures=[("width", 65.0)]),
        _row("unmeasured"),
        _row("other", kind="clip", measures=[("width", 1.0)]),
    ]
    recipe = RecipeSection(filter=(FilterSection(kind="image", measure="width", min=64, max=64),))
    settled = _Settled(tmp_path, rows, recipe)
    assert set(settled.kept) == {"fits", "unmeasured", "other"}
    told = {key: (row["reason"], row["rule"], row["value"], row["limit"]) for key, row in settled.dropped.items()}
    assert told == {
        "low": ("filter", "width at least 64", 10.0, 64.0),
        "high": ("filter", "width at most 64", 65.0, 64.0),
    }
    assert all(set(row) == set(DROP_SCHEMA.names) for row in settled.dropped.values())
    assert settled.drops == {("image", "filter"): 2}


def test_a_large_limit_is_told_in_all_its_digits(tmp_path: Path) -> None:
    rule = FilterSection(kind="image", measure="bytes", max=1_048_576)
    settled = _Settled(tmp_path, [_row("large", measures=[("bytes", 2e6)])], RecipeSection(filter=(rule,)))
    assert settled.dropped["large"]["rule"] == "bytes at most 1048576"


def test_the_first_rule_that_drops_a_sample_is_the_one_that_is_told(tmp_path: Path) -> None:
    rules = tuple(FilterSection(kind="image", measure=name, min=5) for name in ("height", "width"))
    settled = _Settled(tmp_path, [_row("a", measures=[("height", 1.0), ("width", 1.0)])], RecipeSection(filter=rules))
    assert [row["rule"] for row in settled.dropped.values()] == ["height at least 5"]


def test_a_duplicate_of_what_a_filter_dropped_is_judged_by_itself(tmp_path: Path) -> None:
    rows = [_row("a", sha256="same", measures=[("width", 1.0)]), _row("b", sha256="same", measures=[("width", 9.0)])]
    recipe = RecipeSection(filter=(FilterSection(kind="image", measure="width", min=5),))
    settled = _Settled(tmp_path, rows, recipe)
    assert set(settled.kept) == {"b"}
    assert settled.dropped["a"]["kept_key"] == ""


def test_what_equals_a_withdrawn_sample_goes_and_stays_out_and_the_first_of_them_holds_the_place(
    tmp_path: Path,
) -> None:
    rows = [
        _row("a", sha256="same"),
        _row("b", sha256="same", withdrawn=True),
        _row("c"),
        _row("d", sha256="other", withdrawn=True),
        _row("e", sha256="other"),
    ]
    settled = _Settled(tmp_path, rows, RecipeSection())
    assert {key: row["withdrawn"] for key, row in settled.kept.items()} == {"a": True, "c": False, "d": True}
    assert {key: (row["reason"], row["rule"]) for key, row in settled.dropped.items()} == {
        "a": ("withdrawn", "same bytes as a withdrawn sample"),
        "b": ("withdrawn", "its source was withdrawn"),
        "d": ("withdrawn", "its source was withdrawn"),
        "e": ("withdrawn", "same bytes as a withdrawn sample"),
    }
    assert settled.splits == {("image", "train"): 1}
    assert settled.drops == {("image", "withdrawn"): 4}
    assert settled.groups == (1, 1.0)


def test_a_withdrawn_sample_that_a_filter_had_left_out_holds_no_place_and_is_told_once(tmp_path: Path) -> None:
    rows = [_row("a", measures=[("width", 1.0)], withdrawn=True), _row("b", measures=[("width", 9.0)])]
    recipe = RecipeSection(filter=(FilterSection(kind="image", measure="width", min=5),))
    settled = _Settled(tmp_path, rows, recipe)
    assert set(settled.kept) == {"b"}
    assert (settled.dropped["a"]["reason"], settled.dropped["a"]["value"]) == ("withdrawn", None)
    assert settled.drops == {("image", "withdrawn"): 1}


def test_a_source_is_on_one_side_and_the_shares_are_about_those_asked_for(tmp_path: Path) -> None:
    rows = [_row(f"{source:04d}-{i}", source=f"raw/{source:04d}.mp4") for source in range(1000) for i in range(3)]
    settled = _Settled(tmp_path, rows, RecipeSection(splits=SplitsSection(validation=0.2, test=0.1)))
    sides: dict[str, set[str]] = {}
    for row in settled.kept.values():
        sides.setdefault(row["source"], set()).add(row["split"])
    assert all(len(names) == 1 for names in sides.values())
    held = [next(iter(names)) for names in sides.values()]
    assert 150 < held.count("validation") < 250
    assert 70 < held.count("test") < 130


def test_groups_by_pattern_folder_and_sample(tmp_path: Path) -> None:
    rows = [
        _row(f"p{p}-{d}-{i}", source=f"raw/day{d}/patient-{p}/{i}.png")
        for p in range(60)
        for d in (1, 2)
        for i in (1, 2)
    ]
    (tmp_path / "pattern").mkdir()
    splits = SplitsSection(validation=0.5, group_pattern="patient-([0-9]+)")
    settled = _Settled(tmp_path / "pattern", rows, RecipeSection(splits=splits))
    of_patient: dict[str, set[str]] = {}
    for row in settled.kept.values():
        of_patient.setdefault(row["source"].split("/")[2], set()).add(row["split"])
    assert {len(names) for names in of_patient.values()} == {1}

    (tmp_path / "folder").mkdir()
    by_folder = _Settled(
        tmp_path / "folder", rows, RecipeSection(splits=SplitsSection(validation=0.5, group_by="folder"))
    )
    of_folder: dict[str, set[str]] = {}
    for row in by_folder.kept.values():
        of_folder.setdefault(row["source"].rpartition("/")[0], set()).add(row["split"])
    assert {len(names) for names in of_folder.values()} == {1}
    # Of 60 patients with two folders each, not all have both on one side.
    assert any(of_folder[f"raw/day1/patient-{p}"] != of_folder[f"raw/day2/patient-{p}"] for p in range(60))


def test_another_group_moves_nobody_to_the_other_side(tmp_path: Path) -> None:
    recipe = RecipeSection(splits=SplitsSection(validation=0.5))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    few = _Settled(tmp_path / "one", [_row(f"{i:03d}") for i in range(0, 100, 2)], recipe)
    many = _Settled(tmp_path / "two", [_row(f"{i:03d}") for i in range(100)], recipe)
    assert {key: row["split"] for key, row in few.kept.items()}.items() <= {
        key: row["split"] for key, row in many.kept.items()
    }.items()


def test_names_with_signs_of_patterns_and_quotes_are_read_as_they_are(tmp_path: Path) -> None:
    odd = tmp_path / "it's [a] *folder?"
    odd.mkdir()
    assert set(_Settled(odd, [_row("a")], RecipeSection()).kept) == {"a"}


def _print(*bits: int) -> bytes:
    """Return 256 bits that are 0 but for these."""
    return sum(1 << bit for bit in bits).to_bytes(32, "big")


DROP = RecipeSection(near_duplicates=NearDuplicatesSection(drop=True, clip="off", table="off"))
SIZE = (("height_pixels", 10.0), ("width_pixels", 10.0))
LARGE = (("height_pixels", 10.0), ("width_pixels", 20.0))


def test_of_samples_that_look_alike_the_largest_is_kept_and_the_distance_is_told(tmp_path: Path) -> None:
    rows = [
        _row("a", fingerprint=_print(*range(100, 131)), measures=SIZE),
        _row("b", fingerprint=_print(), measures=LARGE),
        _row("c", fingerprint=_print(*range(100, 132)), measures=SIZE),
        _row("blank", fingerprint=b"", measures=SIZE),
    ]
    settled = _Settled(tmp_path, rows, DROP)
    # c is 32 bits from b and 1 from a; a is dropped, so that it drops nobody.
    assert set(settled.kept) == {"b", "c", "blank"}
    (row,) = settled.dropped.values()
    assert (row["key"], row["reason"], row["kept_key"], row["kept_source"]) == (
        "a",
        "near-duplicate",
        "b",
        "raw/b.png",
    )
    assert (row["rule"], row["value"], row["limit"]) == ("pdq at most 31 bits apart", 31.0, 31.0)
    assert settled.drops == {("image", "near-duplicate"): 1}


def test_what_looks_like_a_withdrawn_sample_stays_out_and_what_had_been_kept_in_its_stead_stays(tmp_path: Path) -> None:
    rows = [
        _row("a", fingerprint=_print(), measures=SIZE, withdrawn=True),
        _row("b", fingerprint=_print(1), measures=SIZE),
        _row("c", fingerprint=_print(1), measures=SIZE, withdrawn=True),
    ]
    (tmp_path / "one").mkdir()
    settled = _Settled(tmp_path / "one", rows, DROP)
    # "a" was the one that was kept: it holds the place.
    assert {key: row["withdrawn"] for key, row in settled.kept.items()} == {"a": True}
    assert settled.dropped["b"]["rule"] == "looks like a withdrawn sample"
    assert {settled.dropped[key]["rule"] for key in ("a", "c")} == {"its source was withdrawn"}
    assert settled.drops == {("image", "withdrawn"): 3}

    rows[1] = _row("b", fingerprint=_print(1), measures=LARGE)
    (tmp_path / "two").mkdir()
    settled = _Settled(tmp_path / "two", rows, DROP)
    assert {key: row["withdrawn"] for key, row in settled.kept.items()} == {"b": False}
    assert settled.drops == {("image", "withdrawn"): 2}


def test_samples_that_look_alike_are_on_one_side_by_any_chain_and_none_is_dropped(tmp_path: Path) -> None:
    chains = 120
    rows = [
        _row(f"{chain:03d}-{link}", fingerprint=_chain(chain, link), measures=SIZE)
        for chain in range(chains)
        for link in range(3)
    ]
    recipe = RecipeSection(splits=SplitsSection(validation=0.5, group_by="sample"))
    settled = _Settled(tmp_path, rows, recipe)
    assert len(settled.kept) == 3 * chains
    sides: dict[str, set[str]] = {}
    for key, row in settled.kept.items():
        sides.setdefault(key[:3], set()).add(row["split"])
    assert {len(names) for names in sides.values()} == {1}
    assert {name for names in sides.values() for name in names} == {"train", "validation"}
    (tmp_path / "off").mkdir()
    off = RecipeSection(
        splits=SplitsSection(validation=0.5, group_by="sample"), near_duplicates=NearDuplicatesSection(image="off")
    )
    apart = {key: row["split"] for key, row in _Settled(tmp_path / "off", rows, off).kept.items()}
    assert any(apart[f"{chain:03d}-0"] != apart[f"{chain:03d}-1"] for chain in range(chains))


def test_groups_with_copies_of_one_sample_are_on_one_side_though_the_copies_are_dropped(tmp_path: Path) -> None:
    pairs = 120
    rows = [
        _row(f"{pair:03d}-{name}", source=f"raw/{pair:03d}-{folder}/{name}.png", **more)
        for pair in range(pairs)
        for folder, name, more in (
            ("x", "a", {"sha256": f"{pair:064x}"}),
            ("y", "b", {"sha256": f"{pair:064x}"}),
            ("y", "c", {}),
        )
    ]
    settled = _Settled(tmp_path, rows, RecipeSection(splits=SplitsSection(validation=0.5, group_by="folder")))
    assert settled.drops == {("image", "duplicate"): pairs}
    sides = [{settled.kept[f"{pair:03d}-{name}"]["split"] for name in "ac"} for pair in range(pairs)]
    assert {len(names) for names in sides} == {1}
    assert set.union(*sides) == {"train", "validation"}


def _chain(chain: int, link: int) -> bytes:
    """Return a fingerprint 20 bits from that of the next link, and far from every other chain's."""
    word = hashlib.sha256(str(chain).encode()).digest()
    return bytes(a ^ b for a, b in zip(word, _print(*range(20 * link)), strict=True))


def test_of_tables_the_share_in_common_is_told_beside_the_share_asked_for(tmp_path: Path) -> None:
    print_of = [number.to_bytes(4, "little") for number in range(128)]
    other = [b"\xff\xff\xff\x7f"] * 16 + print_of[16:]
    rows = [
        _row("a", kind="table", fingerprint=b"".join(print_of)),
        _row("b", kind="table", fingerprint=b"".join(other)),
    ]
    recipe = RecipeSection(near_duplicates=NearDuplicatesSection(drop=True, image="off", clip="off"))
    (row,) = _Settled(tmp_path, rows, recipe).dropped.values()
    assert (row["key"], row["value"], row["limit"]) == ("b", 0.875, 0.8)


def test_a_copy_of_what_looks_like_another_names_the_one_that_is_kept(tmp_path: Path) -> None:
    small: dict[str, Any] = {
        "sha256": "small",
        "fingerprint": _print(1),
        "measures": [("width_pixels", 8.0), ("height_pixels", 8.0)],
    }
    large = _row("large", fingerprint=_print(), measures=[("width_pixels", 9.0), ("height_pixels", 9.0)])
    recipe = RecipeSection(near_duplicates=NearDuplicatesSection(drop=True))
    settled = _Settled(tmp_path, [large, _row("small", **small), _row("small-again", **small)], recipe)
    assert set(settled.kept) == {"large"}
    for key in ("small", "small-again"):
        row = settled.dropped[key]
        assert (row["reason"], row["kept_key"], row["value"]) == ("near-duplicate", "large", 1.0)


def test_samples_that_the_pattern_does_not_name_are_counted(tmp_path: Path) -> None:
    rows = [_row(f"p{p}", source=f"raw/patient-{p}/1.png") for p in range(3)] + [_row("other", source="raw/other.png")]
    for pattern, num_unnamed in (("patient-([0-9]+)", 1), ("patinet-([0-9]+)", 4), (None, None)):
        recipe = RecipeSection(splits=SplitsSection(validation=0.5, group_pattern=pattern))
        assert _Settled(tmp_path, rows, recipe).num_unnamed == num_unnamed


def test_the_number_of_groups_and_the_largest_ones_share_are_known(tmp_path: Path) -> None:
    rows = [_row(f"{source}-{i}", source=f"raw/{source}.mp4") for source in "abc" for i in range(2)]
    rows += [_row(f"d-{i}", source="raw/d.mp4") for i in range(4)]
    path = tmp_path / "samples.parquet"
    with row_writer(path, SAMPLE_SCHEMA) as writer:
        for row in rows:
            writer.add(row)
    recipe = RecipeSection(splits=SplitsSection(validation=0.5), near_duplicates=NearDuplicatesSection(image="off"))
    with Selection([path], tmp_path / "spill", recipe) as selection:
        selection.settle()
        assert selection.groups() == (4, 0.4)


def test_groups_that_are_named_twice_are_refused() -> None:
    recipe = RecipeSection(splits=SplitsSection(validation=0.5, group_by="folder", group_pattern="(a)"))
    with pytest.raises(VoyageFileError, match="groups are named twice"):
        check_recipe(recipe, "voyage.toml")
