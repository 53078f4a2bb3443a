"""The Ray engine on a Ray of this machine: workers that die, errors, jobs taken as there is room."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.mapper_suite import MapperContract
from packtrain.engines.ray import RayMapper, open_ray
from packtrain.engines.ray_cluster import warn_of_no_token
from packtrain.engines.shared_folders import shared_folders
from packtrain.errors import ClusterUnreachable, MissingDependency, VoyageFileError
from packtrain.events import Event, Notice
from source_parts import ignore

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = [pytest.mark.cluster, pytest.mark.skipif(not HAS_RAY, reason="ray is not installed (the extra cluster)")]


@pytest.fixture(scope="module")
def mapper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayMapper]:
    """Return a mapper over a Ray of this machine with two CPUs."""
    folder = tmp_path_factory.mktemp("ray")
    tests = str(Path(__file__).parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    with shared_folders(folder / "hosts", [], ["msgspec"]) as shared, open_ray("", 2, shared, ignore) as found:
        yield found


class TestARayOfThisMachine(MapperContract):
    pytestmark = needs_ray


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    if HAS_RAY:
        pytest.skip("ray is installed")
    with (
        shared_folders(tmp_path / "hosts", [], []) as shared,
        pytest.raises(MissingDependency) as caught,
        open_ray("", None, shared, ignore),
    ):
        pass
    assert "packtrain[cluster]" in str(caught.value.hint)


@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed (the extra cluster)")
@pytest.mark.parametrize(
    ("address", "error"), [("ray://127.0.0.1:10001", VoyageFileError), ("127.0.0.1:1", ClusterUnreachable)]
)
@pytest.mark.cluster
def test_an_address_that_is_no_head_is_an_error_in_words(tmp_path: Path, address: str, error: type[Exception]) -> None:
    with (
        shared_folders(tmp_path / "hosts", [], []) as shared,
        pytest.raises(error),
        open_ray(address, 1, shared, ignore),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "mode", "is_warned"),
    [("10.0.0.1:6379", "", True), ("auto", "disabled", True), ("10.0.0.1:6379", "token", False), ("", "", False)],
)
def test_who_joins_a_cluster_that_wants_no_token_is_warned(
    monkeypatch: pytest.MonkeyPatch, address: str, mode: str, is_warned: bool
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    events: list[Event] = []
    warn_of_no_token(address, events.append, "train")
    told = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert ["without a token" in text and "prepare-on-many-machines" in text for text in told] == [True] * is_warned
