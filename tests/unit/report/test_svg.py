from xml.etree import ElementTree

import pytest

from packtrain.report.svg import DrawnDrive, DriveState, drives_in_cases, seconds_by_stage

HOSTILE = "<script>alert(1)</script>\"&'"


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


def _drive(label: str, case: str, state: DriveState = "read") -> DrawnDrive:
    return DrawnDrive(label, case, state, "read")


def test_nothing_to_draw_is_no_drawing() -> None:
    assert drives_in_cases([]) == seconds_by_stage({}) == ""


def test_drives_are_drawn_in_their_cases_with_their_state() -> None:
    svg = drives_in_cases([_drive("A1", "A"), _drive("A2", "A", "damaged"), _drive("B1", "B", "lost")])
    drawing = ElementTree.fromstring(svg)

    boxes = [box.get("class") for box in drawing.iter("rect")]
    assert boxes == ["case", "drive read", "drive damaged", "case", "drive lost"]
    assert drawing.get("aria-label") == "3 drives in 2 cases, 1 lost"
    assert {"case A", "case B", "A1", "A2", "B1"} <= set(_texts(svg))


@pytest.mark.parametrize("num_drives", [1, 4, 60])
def test_no_two_drives_overlap_and_all_are_inside(num_drives: int) -> None:
    svg = drives_in_cases([_drive(f"D{i}", "ABCDE"[i % 5]) for i in range(num_drives)])
    drawing = ElementTree.fromstring(svg)
    _, _, width, height = map(float, (drawing.get("viewBox") or "").split())
    places = [
        (float(box.get("x") or 0), float(box.get("y") or 0))
        for box in drawing.iter("rect")
        if (box.get("class") or "").startswith("drive")
    ]

    assert len(set(places)) == num_drives
    assert all(x + 76 <= width and y + 64 <= height for x, y in places)


def test_seconds_have_a_bar_a_stage_in_proportion() -> None:
    svg = seconds_by_stage({"pack": 10.0, "load": 5.0, "plan": 0.0})
    widths = [float(bar.get("width") or 0) for bar in ElementTree.fromstring(svg).iter("rect")]

    assert widths[0] == pytest.approx(2 * widths[1])
    assert widths[2] == 1.0
    assert "10.0 s" in _texts(svg)


@pytest.mark.parametrize(
    "svg",
    [
        drives_in_cases([DrawnDrive(HOSTILE, HOSTILE, "read", HOSTILE)]),
        seconds_by_stage({HOSTILE: 1.0}),
    ],
)
def test_hostile_words_are_shown_and_not_obeyed(svg: str) -> None:
    assert "<script" not in svg
    assert any(HOSTILE in text for text in _texts(svg))
