"""Killed while it takes back the journals of hosts: the next run has every note, once, and reads nothing again."""

import shutil
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from host_processes import InTurn, at
from loading_parts import Arrived, arrive, copy_arrived
from packtrain.documents.placement import PlacedGroup
from packtrain.documents.plan import Plan
from packtrain.drives import open_watched
from packtrain.stages import load
from packtrain.stages.load.on_host import read_on_host
from packtrain.stores.folder import FolderStore
from packtrain.volume.load_journal import LoadJournal
from packtrain.volume.shares import take_back

pytestmark = pytest.mark.slow

PAIRS = (PlacedGroup(k=1, m=1, drives=("A1", "B1")), PlacedGroup(k=1, m=1, drives=("A2", "B2")))
Journals = dict[str, bytes]


class DriverDies(InTurn):
    """Loses power when its hosts have read, before their journals are taken back."""

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        yield from super().map_bound(run, jobs)
        if run is read_on_host:
            raise KeyboardInterrupt


def load_on(site: Arrived, mapper: InTurn) -> None:
    path = site.consignee.root / "store"
    places = at(h1=[site.drive("A1"), site.drive("B1")], h2=[site.drive("A2"), site.drive("B2")])
    load.load_on_hosts(
        site.consignee, mapper, places, open_watched, FolderStore(path), lambda: FolderStore(path), site.events.append,
        load.Options(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """A site whose hosts have noted all of it, and whose driver is gone."""
    site = arrive(tmp_path_factory.mktemp("voyage"), groups=PAIRS)
    with pytest.raises(KeyboardInterrupt):
        load_on(site, DriverDies("h1", "h2"))
    assert len(list((site.consignee.work / "load" / "hosts").glob("*/journal.jsonl"))) == 2
    return site


def taken(folder: Path, plan: Plan, digest: str, store: str) -> LoadJournal:
    path = folder / "journal.jsonl"
    journal = LoadJournal(path, digest, store)
    take_back(journal, path, plan, digest, store)
    return journal


def test_a_taking_back_that_is_killed_at_any_step_is_done_by_the_next(left: Arrived, tmp_path: Path) -> None:
    plan, digest = left.consignee.read_signed(Plan), left.consignee.digest(Plan)
    store = str(left.consignee.root / "store")
    shutil.copytree(left.consignee.work / "load", tmp_path / "whole")
    expected = taken(tmp_path / "whole", plan, digest, store)
    assert {key[0] for key in expected.volumes} == {group.group for group in plan.groups}
    said = sorted((tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines())
    assert len(set(said)) == len(said), "nothing is noted twice"
    step = 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        shutil.copytree(left.consignee.work / "load", folder)
        code, _ = run_in_child(lambda folder=folder: taken(folder, plan, digest, store), step)
        assert code in (0, KILLED)
        found = taken(folder, plan, digest, store)
        assert sorted((folder / "journal.jsonl").read_bytes().splitlines()) == said, step
        assert found.volumes == expected.volumes
        assert found.seen == expected.seen
        assert not (folder / "hosts").exists()
        if code == 0:
            break
    assert step > 8, "the steps are no longer reported"


@pytest.mark.parametrize("step", [5])
def test_the_next_load_ends_with_nothing_read_or_placed_twice(left: Arrived, tmp_path: Path, step: int) -> None:
    site = copy_arrived(left, tmp_path / "site")
    folder, root = site.consignee.work / "load", site.consignee.root / "store"
    plan, digest = site.consignee.read_signed(Plan), site.consignee.digest(Plan)
    # Of this copy of the store, as the journal names its place.
    for path in folder.rglob("journal.jsonl"):
        path.write_bytes(path.read_bytes().replace(str(left.root).encode(), str(site.root).encode()))
    code, _ = run_in_child(lambda: taken(folder, plan, digest, str(root)), step)
    assert code == KILLED
    before = {path: path.stat().st_ino for path in root.rglob("*.tar")}
    assert before
    load_on(site, InTurn("h1", "h2"))
    site.assert_loaded()
    assert {path: path.stat().st_ino for path in before} == before
