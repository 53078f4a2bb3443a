"""The custody log against everything that can be done to its bytes."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.diligence.hand_over import custody_log, lines_beyond, read_exchanged_log
from packtrain.errors import PacktrainError
from packtrain.events import discard
from packtrain.record.custody import CustodyLine
from packtrain.stages import carry
from voyage_papers import CASES, Papers, packed

_FOLDER = TemporaryDirectory(prefix="custody-")  # goes with the process


@cache
def voyage() -> tuple[Papers, bytes, tuple[CustodyLine, ...]]:
    """A log of five entries that two parties hold; made once, read only."""
    papers = packed(Path(_FOLDER.name))
    papers.hand_over()
    carry.observe(papers.operator, "seal-checked", discard, cases=CASES, note="unbroken")
    path = custody_log(papers.operator).path
    return papers, path.read_bytes(), custody_log(papers.operator).read(papers.operator.trust())


def is_detected(altered: bytes) -> bool:
    """Return whether a log from elsewhere is refused, or differs from the own one and so is reported."""
    papers, _, own = voyage()
    path = papers.root / "altered.jsonl"
    path.write_bytes(altered)
    try:
        theirs = read_exchanged_log(path, papers.operator.trust())
        return lines_beyond(own, theirs, "altered") != ()
    except PacktrainError:
        return True


def test_the_untouched_log_is_accepted() -> None:
    assert not is_detected(voyage()[1])


@settings(max_examples=150)
@given(st.data())
def test_any_changed_byte_is_detected(data: st.DataObject) -> None:
    whole = voyage()[1]
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    assert is_detected(whole[:at] + bytes([byte]) + whole[at + 1 :])


@settings(max_examples=60)
@given(st.data())
def test_a_cut_at_any_byte_is_detected(data: st.DataObject) -> None:
    whole = voyage()[1]
    assert is_detected(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.permutations(range(5)).filter(lambda order: order != list(range(5))))
def test_any_other_order_of_lines_is_detected(order: list[int]) -> None:
    lines = voyage()[1].split(b"\n")[:-1]
    assert is_detected(b"".join(lines[number] + b"\n" for number in order))


@given(st.sets(st.integers(0, 4), min_size=1))
def test_any_removed_lines_are_detected(removed: set[int]) -> None:
    lines = voyage()[1].split(b"\n")[:-1]
    assert is_detected(b"".join(line + b"\n" for number, line in enumerate(lines) if number not in removed))


@given(st.integers(0, 4), st.integers(0, 5))
def test_a_line_given_twice_is_detected(which: int, where: int) -> None:
    lines = voyage()[1].split(b"\n")[:-1]
    lines.insert(where, lines[which])
    assert is_detected(b"".join(line + b"\n" for line in lines))


@given(st.binary(max_size=300))
def test_bytes_after_the_end_are_detected(tail: bytes) -> None:
    if tail:
        assert is_detected(voyage()[1] + tail)
