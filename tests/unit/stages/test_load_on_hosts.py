"""load over hosts: the same store and receipt as on one, and a host that is lost costs what it had not finished."""

import contextlib
import dataclasses
import fcntl
import os
from pathlib import Path

import pytest

from host_processes import HostProcesses, InTurn, at
from load_on_hosts_parts import PAIRS, load_on, whole
from load_parts import flip
from loading_parts import Arrived, arrive, copy_arrived
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.errors import DriveMissing, GroupSplit, HostsLost, MoreDrivesWanted, StoreInUse
from packtrain.events import Progress
from packtrain.ports import LostHost
from packtrain.record.custody import CustodyLog
from packtrain.stages import load
from packtrain.volume import layout
from packtrain.volume.load_journal import LoadJournal
from voyage_papers import tree


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), with_kit=True, groups=PAIRS)


@pytest.fixture
def site(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path / "site")


def facts_of(receipt: Receipt) -> dict[str, object]:
    """Return what a receipt says, but for times and hosts, and where the store is."""
    facts = {name: value for name, value in receipt.facts.items() if name not in ("hosts", "store")}
    return {"counts": dict(receipt.counts), "facts": facts}


def times(root: Path) -> dict[str, tuple[int, int]]:
    """Return times and modes; a folder that is no entry of the cargo has the time at which it was made, left out."""
    return {
        str(path.relative_to(root)): (0 if path.is_dir() else path.lstat().st_mtime_ns, path.lstat().st_mode)
        for path in root.rglob("*")
    }


def test_two_hosts_leave_what_one_leaves(site: Arrived, template: Arrived, tmp_path: Path) -> None:
    alone = copy_arrived(template, tmp_path / "alone")
    for each in (site, alone):
        # A block that is made good, on the one host as on the other.
        flip(next((each.drive("A1") / "data").glob("*.tar.age")), 1000)
    expected = alone.load()
    found = load_on(site, InTurn("h1", "h2"), whole(site))
    assert facts_of(found) == facts_of(expected)
    assert found.counts["blocks_repaired"] == 1
    groups = [group.group for group in site.consignee.read_signed(Plan).groups]
    assert found.facts["hosts"] == f"h1: group {groups[0]}; h2: group {groups[1]}"
    assert tree(site.consignee.root / "store") == tree(alone.consignee.root / "store")
    assert times(site.consignee.root / "store") == times(alone.consignee.root / "store")
    assert tree(site.consignee.root / load.KIT_NAME) == tree(alone.consignee.root / load.KIT_NAME)
    assert load.is_settled(site.consignee, site.store)
    logs = [
        [
            (line.event.verb, line.event.drives, line.event.note)
            for line in CustodyLog(each.consignee.documents / "custody.jsonl").read(each.consignee.trust())
        ]
        for each in (site, alone)
    ]
    assert logs[0] == logs[1]
    assert not (site.consignee.work / "load" / "hosts").exists()
    told = [event for event in site.events if isinstance(event, Progress)]
    assert told[-1].done_bytes == told[-1].total_bytes > 0
    # One that its group did not need may not be told of.
    labels = {drive.label for drive in told[-1].drives}
    assert labels <= {"h1 A1", "h1 B1", "h2 A2", "h2 B2"}
    assert {label.split()[0] for label in labels} == {"h1", "h2"}
    assert "h1: " in site.notices()


def test_a_split_group_is_refused_with_its_moves_before_anything_is_read(site: Arrived) -> None:
    places = at(h1=[site.drive("A1"), site.drive("B2")], h2=[site.drive("B1"), site.drive("A2")])
    with pytest.raises(GroupSplit) as caught:
        load_on(site, InTurn("h1", "h2"), places)
    moves = [(move["drive"], move["from"], move["to"]) for move in caught.value.moves]
    assert len(moves) == 2
    assert {drive[1] for drive, _, _ in moves} == {"1", "2"}
    assert "from h2 to h1" in (caught.value.hint or "")
    assert not list((site.consignee.root / "store").glob("[!.]*"))
    # As the moves say, it loads.
    where = {"A1": "h1", "B2": "h1", "B1": "h2", "A2": "h2"} | {drive: to for drive, _, to in moves}
    load_on(site, InTurn("h1", "h2"), [f"{host}:{site.drive(label)}" for label, host in where.items()])
    site.assert_loaded()


def test_a_drive_that_several_hosts_see_is_read_by_one(site: Arrived) -> None:
    receipt = load_on(site, InTurn("h1", "h2"), [str(site.root / "drives" / "*")])
    assert {told.partition(":")[0] for told in receipt.facts["hosts"].split("; ")} == {"h1", "h2"}
    site.assert_loaded()


@pytest.mark.cluster
def test_a_host_that_is_lost_costs_what_it_had_not_finished(site: Arrived) -> None:
    journal = site.consignee.work / "load" / "journal.jsonl"
    with pytest.raises(HostsLost, match=r"h2 \(group \d\): it lost power"):
        load_on(site, HostProcesses("h1", "h2", dies={"h2": ends_before_its_note}), whole(site))
    plan = site.consignee.digest(Plan)
    noted = LoadJournal(journal, plan, str(site.consignee.root / "store"))
    assert noted.volumes, "what the other host had to do is done"
    before = {path: path.stat().st_ino for path in (site.consignee.root / "store").rglob("*.tar")}
    # Its drives are with the other one now.
    receipt = load_on(site, InTurn("h1"), at(h1=[site.drive(label) for label in ("A1", "A2", "B1", "B2")]))
    site.assert_loaded()
    assert receipt.facts["proven"] == _all_of(receipt.facts["proven"])
    assert {path: path.stat().st_ino for path in before} == before


def _all_of(proven: str) -> str:
    total = proven.split()[2]
    return f"{total} of {total} stripes"


def ends_before_its_note() -> None:
    """End the process of a host when a first file is published, which is before its volume is noted."""
    from packtrain import durable

    def observe(name: str) -> None:
        if name == "published":
            os._exit(9)

    durable.observe_steps(observe)


def test_waves_are_asked_for_whatever_host_has_them(site: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted) as caught:
        load_on(site, InTurn("h1", "h2"), at(h1=[site.drive("A1")]))
    wanted = caught.value.wanted["drives"]
    assert isinstance(wanted, list)
    assert set(wanted) == {"A2", "B2"}
    # The next wave comes to the other host: what is known of the first group stays.
    load_on(site, InTurn("h1", "h2"), at(h2=[site.drive("B2")]))
    site.assert_loaded()


def test_a_lost_drive_is_made_good_on_its_host(site: Arrived) -> None:
    places = at(h1=[site.drive("A1"), site.drive("B1")], h2=[site.drive("A2")])
    receipt = load_on(site, InTurn("h1", "h2"), places, without=("B2",))
    site.assert_loaded()
    assert receipt.counts["drives_lost"] == 1


def test_a_fault_of_one_host_is_told_with_its_name_and_the_others_are_done(site: Arrived) -> None:
    path = site.drive("A2") / layout.DRIVE
    payload = path.read_bytes()
    path.write_bytes(payload.replace(b'"A2"', b'"A9"'))
    with pytest.raises(Exception, match="h2: ") as caught:
        load_on(site, InTurn("h1", "h2"), whole(site))
    assert "--without" in str(getattr(caught.value, "hint", ""))
    path.write_bytes(payload)
    assert not list((site.consignee.root / "store").glob("[!.]*"))


def test_a_group_that_a_host_still_reads_is_not_begun_by_another(site: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted):
        load_on(site, InTurn("h1", "h2"), at(h1=[site.drive("A1")]))
    [staging] = (site.consignee.root / "store" / ".packtrain-staging").glob("load-*")
    [lock] = staging.glob("group-*.lock")
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreInUse, match=r"h2: .*another process loads group"):
            load_on(site, InTurn("h1", "h2"), at(h2=[site.drive("B1"), site.drive("A1")], h1=[site.drive("A2")]))
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()


def test_a_load_on_one_host_leaves_a_group_alone_that_a_host_still_reads(site: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted):
        load_on(site, InTurn("h1", "h2"), at(h1=[site.drive("A1")]))
    [staging] = (site.consignee.root / "store" / ".packtrain-staging").glob("load-*")
    [lock] = staging.glob("group-*.lock")
    mine = staging / f"volume-{lock.stem[6:]}-0000000-000-other"
    mine.mkdir()
    with lock.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreInUse, match="another process loads group"):
            site.load()
        with pytest.raises(StoreInUse):
            load_on(site, InTurn("h1", "h2"), whole(site))
        assert mine.is_dir(), "what the host is at is not cleared under its hands"
    site.load()
    site.assert_loaded()


def test_places_where_nothing_is_and_hosts_that_are_not_there_are_named(site: Arrived) -> None:
    with pytest.raises(DriveMissing, match="h9"):
        load_on(site, InTurn("h1"), at(h9=[site.drive("A1")]))
    with pytest.raises(DriveMissing, match="nowhere"):
        load_on(site, InTurn("h1"), [str(site.root / "nowhere"), *at(h1=[site.drive("A1")])])


def test_a_journal_of_a_host_that_was_not_taken_back_is_by_the_next_run(site: Arrived) -> None:
    """The driver dies while the hosts read: what they noted counts."""
    mapper = DriverDies("h1", "h2")
    with pytest.raises(KeyboardInterrupt):
        load_on(site, mapper, whole(site))
    store = site.consignee.root / "store"
    before = {path: path.stat().st_ino for path in store.rglob("*.tar")}
    assert before
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()
    assert {path: path.stat().st_ino for path in before} == before


class DriverDies(InTurn):
    """Is interrupted after the hosts have read, before their journals are taken back."""

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        yield from super().map_bound(run, jobs)
        if run is load.on_hosts.read_on_host:  # pyright: ignore
            raise KeyboardInterrupt


def test_hosts_that_begin_at_once_do_not_write_the_same_documents(site: Arrived) -> None:
    load_on(site, WritersElsewhere(site.consignee.work / "load"), whole(site))
    site.assert_loaded()


class WritersElsewhere(InTurn):
    """While its hosts read, another one is writing every group document."""

    def __init__(self, folder: Path) -> None:
        super().__init__("h1", "h2")
        self.folder = folder

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        with contextlib.ExitStack() as held:
            documents = list(self.folder.glob("group-*.json"))
            assert documents or run is not load.on_hosts.read_on_host  # pyright: ignore
            for path in documents:
                part = held.enter_context(path.with_name(f"{path.name}.part").open("wb"))
                fcntl.flock(part, fcntl.LOCK_EX)
            yield from super().map_bound(run, jobs)


class SaysAnotherName(InTurn):
    """A host that says it is another one, by a name that leads out of the folder of journals."""

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        for host, job, seen in super().map_bound(run, jobs):
            if run is load.on_hosts.look_on_host and host == "h2":  # pyright: ignore
                assert not isinstance(seen, LostHost)
                said = tuple(dataclasses.replace(each, host="../../../x") for each in seen.looked.sightings)
                seen = dataclasses.replace(seen, looked=dataclasses.replace(seen.looked, sightings=said))
            yield host, job, seen


def test_a_host_is_called_as_it_was_asked_whatever_it_says(site: Arrived) -> None:
    receipt = load_on(site, SaysAnotherName("h1", "h2"), whole(site))
    assert receipt.facts["hosts"] == "h1: group 0; h2: group 1"
    site.assert_loaded()
