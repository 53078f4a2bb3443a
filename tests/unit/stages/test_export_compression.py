"""How weights are sealed is what [results] says: compressed, as a difference to a base, or as they are."""

import shutil
from pathlib import Path

import pytest

from outbox_parts import contents
from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import Role
from packtrain.errors import WeightsUnopenable
from packtrain.events import Event, Notice, discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import homecoming
from three_parties import copy_of_parties
from trained_parts import site_with_large_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    homecoming.export(site_with_large_weights(root)["consignee"], discard)
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path) -> dict[Role, VoyageFolder]:
    return copy_of_parties(made, tmp_path / "site")


def say(folder: VoyageFolder, *lines: str) -> None:
    path = folder.root / VOYAGE_FILE
    path.write_text(f"{path.read_text()}\n[results]\n" + "\n".join(lines) + "\n")


def sealed(folder: VoyageFolder) -> set[str]:
    return {path.name for path in (folder.root / "outbox").iterdir() if path.suffix == ".age"}


def test_weights_are_compressed_unless_voyage_toml_says_otherwise(site: dict[Role, VoyageFolder]) -> None:
    guest = site["consignee"]
    (file,) = guest.read_signed(ExportList).files
    assert sealed(guest) == {f"{WEIGHTS}.ptw.age"}
    assert file.packed is not None
    assert file.packed.bytes < 0.85 * file.bytes
    assert sorted(path.name for path in (guest.work / "export").iterdir()) == [WEIGHTS]
    say(guest, 'compress = "none"')
    assert not is_fresh(guest, "return", homecoming.inputs(guest))
    homecoming.export(guest, discard)
    assert sealed(guest) == {f"{WEIGHTS}.age"}
    assert guest.read_signed(ExportList).files[0].packed is None
    assert is_fresh(guest, "return", homecoming.inputs(guest))


def test_a_second_return_is_sealed_as_its_difference_to_the_first(site: dict[Role, VoyageFolder]) -> None:
    guest, home = site["consignee"], site["consignor"]
    first = guest.root / "first"
    first.mkdir()
    shutil.copy(guest.work / "export" / WEIGHTS, first)
    say(guest, 'base = "first"')
    assert not is_fresh(guest, "return", homecoming.inputs(guest))
    events: list[Event] = []
    homecoming.export(guest, events.append)
    (file,) = guest.read_signed(ExportList).files
    assert file.packed is not None
    assert file.packed.base == sha256_file(first / WEIGHTS)
    assert file.packed.bytes < 0.01 * file.bytes  # the very same weights
    assert any(isinstance(event, Notice) and "difference to base" in event.text for event in events)
    homecoming.release(site["operator"], guest.root / "outbox", discard)
    # Home has the first return where `accept` put it.
    (home.root / "results").mkdir()
    shutil.copy(first / WEIGHTS, home.root / "results")
    homecoming.accept(home, guest.root / "outbox", discard)
    assert (home.root / "results" / WEIGHTS).read_bytes() == (guest.work / "export" / WEIGHTS).read_bytes()


def test_an_export_whose_base_is_missing_leaves_the_outbox_as_it_was(site: dict[Role, VoyageFolder]) -> None:
    guest = site["consignee"]
    before = contents(guest.root / "outbox")
    say(guest, 'base = "nowhere"')
    assert not is_fresh(guest, "return", homecoming.inputs(guest))
    with pytest.raises(WeightsUnopenable, match="not there"):
        homecoming.export(guest, discard)
    assert contents(guest.root / "outbox") == before


@pytest.mark.long
def test_killed_after_the_base_gave_way_to_its_own_difference_a_second_run_finishes(
    site: dict[Role, VoyageFolder],
) -> None:
    guest, home = site["consignee"], site["consignor"]
    results, first = home.root / "results", guest.root / "first"
    for folder in (results, first):
        folder.mkdir()
        content = bytearray((guest.work / "export" / WEIGHTS).read_bytes())
        content[-1] ^= 1
        (folder / WEIGHTS).write_bytes(content)
    say(guest, 'base = "first"')
    homecoming.export(guest, discard)
    homecoming.release(site["operator"], guest.root / "outbox", discard)

    def killed(step: str) -> None:
        if step == "put aside":
            raise KeyboardInterrupt

    durable.observe_steps(killed)
    try:
        with pytest.raises(KeyboardInterrupt):
            homecoming.accept(home, guest.root / "outbox", discard)
    finally:
        durable.observe_steps(None)
    homecoming.accept(home, guest.root / "outbox", discard)
    assert (results / WEIGHTS).read_bytes() == (guest.work / "export" / WEIGHTS).read_bytes()
    assert (home.root / "results-before" / WEIGHTS).read_bytes() == (first / WEIGHTS).read_bytes()
