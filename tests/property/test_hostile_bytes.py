"""Bytes of strangers, mutated from valid ones: no crash, no write outside of the folder, no memory beyond a bound.

`make fuzz` feeds the same targets for longer, guided by coverage.
"""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_targets import Target, targets
from packtrain.units import MIB

pytestmark = pytest.mark.slow

NAMES = (
    "document",
    "signature",
    "envelope of a statement",
    "public key",
    "custody log",
    "hand-over code",
    "head file",
    "manifest",
    "block list",
    "age header",
    "age file",
    "tar",
    "volume",
    "catalog",
    "envelope",
    "shipment key",
    "drive",
    "rescue",
    "adopted shard",
    "croissant",
    "uv.lock",
    "base image",
    "compressed weights",
    "kit update",
    "request",
)
# Twice the largest buffer of a reader and a catalog's pages; a length that was believed asks for gigabytes.
MOST_BYTES = 48 * MIB
# A whole check and load each.
FEWER = {"drive": 4, "rescue": 4, "shipment key": 4, "envelope": 2, "volume": 2, "catalog": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    found = targets(tmp_path_factory.mktemp("hostile"))
    assert set(found) == set(NAMES)
    return found


@st.composite
def mutations(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Draw a valid input with a few of its bytes changed, cut, doubled, moved, or taken from another."""
    payload = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(payload) - 1, 0)))
        stop = min(len(payload), at + draw(st.sampled_from((1, 2, 8, 16, 512, 4096))))
        match draw(st.sampled_from(("flip", "set", "put", "cut", "drop", "double", "splice", "digits"))):
            case "flip" if payload:
                payload[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                payload[at:stop] = draw(st.sampled_from((b"\0", b"\xff", b"7"))) * (stop - at)
            case "put":
                payload[at:at] = draw(st.binary(max_size=40))
            case "cut":
                del payload[at:]
            case "drop":
                del payload[at:stop]
            case "double":
                payload[at:at] = payload[at:stop]
            case "splice":
                other = draw(st.sampled_from(seeds))
                payload[at:stop] = other[at : at + draw(st.integers(0, 4096))]
            case _:
                # Numbers are where lengths are believed.
                payload[at:stop] = draw(
                    st.sampled_from((b"99999999999", b"-1", b"18446744073709551616", b"77777777777"))
                )
    return bytes(payload)


@pytest.mark.parametrize("name", NAMES)
def test_valid_inputs_are_taken(name: str, built: dict[str, Target], tmp_path: Path) -> None:
    refused = [number for number, seed in enumerate(built[name].seeds) if not built[name].takes(seed, tmp_path)]
    cut_short = {"age file": {0, 2}, "manifest": set[int](), "block list": set(range(1, 99))}
    assert set(refused) <= cut_short.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_mutated_bytes_end_in_a_clean_refusal_or_are_taken(name: str, built: dict[str, Target], tmp_path: Path) -> None:
    target = built[name]
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside").write_bytes(b"untouched")
    (tmp_path / "outside").chmod(0o400)

    @settings(
        max_examples=max(20, settings().max_examples * 2 // FEWER.get(name, 1)),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(mutations(target.seeds) | st.binary(max_size=300))
    def check(payload: bytes) -> None:
        target.takes(payload, inside)

    tracemalloc.start()
    try:
        check()
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < MOST_BYTES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "outside"]
    assert (tmp_path / "outside").read_bytes() == b"untouched"
