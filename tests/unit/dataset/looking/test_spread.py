"""Histograms of measures: every sample is in one class, before and after."""

import math
import random
from pathlib import Path

import pytest

from looked_parts import drop, measure, mixed_voyage, sample_rows
from packtrain.dataset.looking.look import Histogram, Wanted
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import look


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[VoyageFolder, dict[str, float]]:
    folder = mixed_voyage(tmp_path_factory.mktemp("spread"))
    images = [row["key"] for row in sample_rows(folder) if row["kind"] == "image"]
    draw = random.Random(2)
    values = {key: 10 ** draw.uniform(-1, 3) for key in images}
    measure(folder, "seconds", values)
    measure(folder, "stars", {key: float(i % 5) for i, key in enumerate(images)})
    measure(folder, "constant", dict.fromkeys(images, 3.25))
    measure(folder, "odd", {images[0]: math.inf, images[1]: math.nan, images[2]: -4.0, images[3]: 4.0})
    drop(folder, *({"kind": "image", "key": key, "reason": "filter", "rule": "r", "value": 0.0, "limit": 1.0}
                   for key in images[-3:]))  # fmt: skip
    return folder, values


def _of(folder: VoyageFolder, name: str, kind: str = "image") -> Histogram:
    return next(each for each in look(folder, Wanted()).histograms if (each.kind, each.measure) == (kind, name))


def test_every_sample_is_in_the_class_of_its_value(measured: tuple[VoyageFolder, dict[str, float]]) -> None:
    folder, values = measured
    drawn = _of(folder, "seconds")
    assert drawn.is_logarithmic
    assert len(drawn.edges) == len(drawn.before) + 1 == len(drawn.after) + 1
    assert (drawn.least, drawn.most) == (min(values.values()), max(values.values()))
    assert drawn.edges[0] == pytest.approx(drawn.least)
    assert drawn.edges[-1] == pytest.approx(drawn.most)
    for i, (low, high) in enumerate(zip(drawn.edges, drawn.edges[1:], strict=False)):
        inside = [v for v in values.values() if low <= v < high or (i == len(drawn.before) - 1 and v == drawn.most)]
        assert abs(len(inside) - drawn.before[i]) <= 1  # a value on an edge may round into either class
    assert sum(drawn.before) == len(values)
    assert sum(drawn.before) - sum(drawn.after) == 3 + 2  # three by the filter, two exact copies


def test_few_whole_numbers_have_a_class_each(measured: tuple[VoyageFolder, dict[str, float]]) -> None:
    drawn = _of(measured[0], "stars")
    assert drawn.edges == (-0.5, 0.5, 1.5, 2.5, 3.5, 4.5)
    assert sum(drawn.before) == len(measured[1])


def test_one_value_is_one_class_and_what_is_no_number_is_left_out(
    measured: tuple[VoyageFolder, dict[str, float]],
) -> None:
    constant, odd = _of(measured[0], "constant"), _of(measured[0], "odd")
    assert constant.before == (len(measured[1]),)
    assert (odd.least, odd.most, sum(odd.before)) == (-4.0, 4.0, 2)


def test_numbers_of_the_detail_stand_in_for_measures_that_are_not_there(tmp_path: Path) -> None:
    folder = mixed_voyage(tmp_path)
    rows = [row for row in sample_rows(folder) if row["kind"] == "clip"]
    assert _of(folder, "width_pixels", "clip").least == 64
    found = {each.measure for each in look(folder, Wanted()).histograms}
    assert not found & {"width", "height", "num_frames"}  # one size, one histogram
    assert sum(_of(folder, "bytes", "table").before) == sum(row["kind"] == "table" for row in sample_rows(folder))
    measure(folder, "width", {rows[0]["key"]: 7.0})
    assert (_of(folder, "width", "clip").least, sum(_of(folder, "width", "clip").before)) == (7, 1)
