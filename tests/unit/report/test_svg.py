from xml.etree import ElementTree

import pytest

from packtrain.report.svg import seconds_by_stage

HOSTILE = "<script>alert(1)</script>\"&'"


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def test_nothing_to_draw_is_no_drawing() -> None:
    assert seconds_by_stage({}) == ""


def test_seconds_have_a_bar_a_stage_in_proportion() -> None:
    svg = seconds_by_stage({"pack": 10.0, "load": 5.0, "plan": 0.0})
    widths = [float(bar.get("width") or 0) for bar in ElementTree.fromstring(svg).iter("rect")]

    assert widths[0] == pytest.approx(2 * widths[1])
    assert widths[2] == 1.0
    assert "10.0 s" in _texts(svg)


@pytest.mark.parametrize(
    "svg",
    [
        seconds_by_stage({HOSTILE: 1.0}),
    ],
)
def test_hostile_words_are_shown_and_not_obeyed(svg: str) -> None:
    assert "<script" not in svg
    assert any(HOSTILE in text for text in _texts(svg))
