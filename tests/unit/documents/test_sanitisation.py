"""A record never says more than what it lists as done and seen."""

from typing import Any

import pytest
from msgspec import structs

from packtrain.documents.sanitisation import (
    MOST_OF,
    FirstFault,
    ReadBack,
    Sanitisation,
    SanitisingStep,
    claims_too_much,
    shown_result,
)
from sample_documents import samples

AT, LATER = "2026-11-21T08:09:10Z", "2026-11-21T09:09:10Z"
STEP = SanitisingStep(
    argv=(), tool="packtrain", exit_status=None, detail="all", succeeded=True, started=AT, finished=LATER
)
EMPTY = ReadBack(
    how="sample",
    seed="0" * 32,
    num_blocks=4,
    block_bytes=1048576,
    read_bytes=4 << 20,
    past_cache="direct",
    pattern="00",
    num_headers=3,
    num_headers_left=0,
    num_faults=0,
    first_fault=None,
)


def record(**changes: Any) -> Sanitisation:
    sample = samples()[Sanitisation]
    assert isinstance(sample, Sanitisation)
    good = structs.replace(
        sample, method="overwrite", steps=(STEP,), read_back=EMPTY, result="Clear", why="", started=AT, finished=LATER
    )
    return structs.replace(good, **changes)


def test_what_ran_and_was_empty_is_clear() -> None:
    assert list(claims_too_much(record())) == []
    assert shown_result("overwrite", record().device, (STEP,), EMPTY) == ("Clear", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"result": "Purge"},
        {"steps": ()},
        {"steps": (STEP, structs.replace(STEP, succeeded=False, detail="EIO"))},
        {"read_back": None},
        {"read_back": structs.replace(EMPTY, num_faults=1, first_fault=FirstFault(offset=7, found="01"))},
        {"read_back": structs.replace(EMPTY, num_headers_left=1)},
        {"read_back": structs.replace(EMPTY, num_headers_left=4)},
        {"read_back": structs.replace(EMPTY, pattern="")},
        {"read_back": structs.replace(EMPTY, pattern="ff")},
        {"read_back": structs.replace(EMPTY, read_bytes=1 << 50)},
        {"read_back": structs.replace(EMPTY, read_bytes=0)},
        {"read_back": structs.replace(EMPTY, num_blocks=0, read_bytes=0)},
        {"read_back": structs.replace(EMPTY, how="full")},
        {"steps": (structs.replace(STEP, argv=("blkdiscard",), exit_status=1),)},
        {"method": "discard"},
        {"method": "files removed"},
        {"finished": "2026-11-20T08:09:10Z"},
    ],
)
def test_a_record_that_claims_more_is_told(changes: dict[str, Any]) -> None:
    assert list(claims_too_much(record(**changes)))


def test_a_record_may_say_less_than_was_reached() -> None:
    assert list(claims_too_much(record(result="not sanitised", why="by hand"))) == []


def test_a_discard_is_clear_only_where_the_device_says_that_it_gives_zeros() -> None:
    device = structs.replace(record().device, says_zeros="the drive")
    assert shown_result("discard", device, (STEP,), EMPTY) == ("Clear", "")


def test_no_method_of_packtrain_reaches_purge() -> None:
    assert set(MOST_OF.values()) == {"Clear", "not sanitised"}
