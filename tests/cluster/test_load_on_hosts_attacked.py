"""load over hosts, by one who wants it to lose data: bad journals, false claims and records, hosts that end late.

Hosts are processes of this machine; what one says is altered on its way, what it leaves is altered on disk.
"""

import dataclasses
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from host_processes import HostProcesses, InTurn, at
from load_on_hosts_parts import PAIRS, load_on, whole
from loading_parts import LABELS, Arrived, arrive, copy_arrived
from packtrain.documents.admission import Admission
from packtrain.documents.codec import decode, encode
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.plan import Plan
from packtrain.errors import AdmissionRefused, DriveFull, HostsLost, IntegrityError, MoreDrivesWanted, PacktrainError
from packtrain.stages.load.on_host import Seen, look_on_host, read_on_host
from packtrain.volume.far import Looked, Sighting
from voyage_papers import tree

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), groups=PAIRS)


@pytest.fixture
def site(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path / "site")


def files_of(site: Arrived) -> dict[Path, int]:
    """Return the inodes of what was published: what is placed twice has another."""
    store = site.consignee.root / "store"
    return {
        path: path.stat().st_ino
        for path in store.rglob("*")
        if path.is_file() and ".packtrain-staging" not in path.parts
    }


def assert_nothing_half(site: Arrived) -> None:
    source = site.folders["consignor"].work / "dataset"
    for path in files_of(site):
        original = source / path.relative_to(site.consignee.root / "store")
        if original.exists():
            assert path.read_bytes() == original.read_bytes()


class DriverDies(InTurn):
    """Loses power when its hosts have read, before their journals are taken back."""

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        yield from super().map_bound(run, jobs)
        if run is read_on_host:
            raise KeyboardInterrupt


# --- journals of hosts ---


def _half(payload: bytes) -> bytes:
    return payload[: len(payload) // 2]


def _torn_in_the_middle(payload: bytes) -> bytes:
    lines = payload.split(b"\n")
    lines[len(lines) // 2] = lines[len(lines) // 2][:9] + b"\0" * 40
    return b"\n".join(lines)


def _of_another_plan(payload: bytes) -> bytes:
    head, _, rest = payload.partition(b"\n")
    return head.replace(b'"plan":"', b'"plan":"0') + b"\n" + rest


def _of_no_volume(payload: bytes) -> bytes:
    """Add volumes that no group has; which one a journal names first is left to the threads that read."""
    record = json.loads(next(line for line in payload.split(b"\n") if b'"line":"volume"' in line))
    for group in (1, 2, 99):
        more = record | {"group": group, "stripe": 1_000_000, "files": record["files"] + 1}
        payload += json.dumps(more, separators=(",", ":")).encode() + b"\n"
    return payload


def _deep(payload: bytes) -> bytes:
    return payload + b"[" * 100_000 + b"\n"


@pytest.mark.parametrize(
    "alter", [_half, _torn_in_the_middle, _of_another_plan, _of_no_volume, _deep, lambda payload: b""],
    ids=["half", "torn", "another plan", "no volume", "deep", "empty"],
)  # fmt: skip
def test_a_journal_that_is_no_good_costs_reading_once_more(site: Arrived, alter: Callable[[bytes], bytes]) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_on(site, DriverDies("h1", "h2"), whole(site))
    path = site.consignee.work / "load" / "hosts" / "h2" / "journal.jsonl"
    path.write_bytes(alter(path.read_bytes()))
    if alter is _of_no_volume:
        with pytest.raises(IntegrityError, match="counts other files") as caught:
            load_on(site, InTurn("h1", "h2"), whole(site))
        assert "run the same command again" in (caught.value.hint or "")
        assert_nothing_half(site)
    receipt = load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()
    assert receipt.counts["drives_lost"] == 0


def test_a_journal_that_says_more_than_is_true_is_held_against_the_store(site: Arrived) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_on(site, DriverDies("h1", "h2"), whole(site))
    for path in files_of(site):
        path.unlink()
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()


def test_groups_that_a_host_claims_beyond_its_own_are_not_taken_from_the_others(site: Arrived) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_on(site, DriverDies("h1", "h2"), whole(site))
    before = files_of(site)
    groups = [group.group for group in site.consignee.read_signed(Plan).groups]
    (site.consignee.work / "load" / "hosts" / "h2" / "groups.json").write_text(str([*groups, 7, 10**9]))
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()
    assert before.items() <= files_of(site).items() or files_of(site).keys() == before.keys()


# --- what hosts claim ---


class Liar(InTurn):
    """Alters what the hosts say they see."""

    def __init__(self, *names: str, alter: Callable[[str, Looked], Looked]) -> None:
        super().__init__(*names)
        self.alter = alter

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        for host, job, end in super().map_bound(run, jobs):
            if run is look_on_host:
                assert isinstance(end, Seen)
                end = Seen(self.alter(host, end.looked), end.matched)
            yield host, job, end


def _record(sighting: Sighting, **changes: object) -> Sighting:
    record = decode(DriveRecord, sighting.payload, "test")
    return dataclasses.replace(sighting, payload=encode(structs.replace(record, **changes)))


FORGED: dict[str, Callable[[Sighting], Sighting]] = {
    "garbage": lambda one: dataclasses.replace(one, payload=b"\xff" * 5000),
    "nothing": lambda one: dataclasses.replace(one, payload=b""),
    "huge": lambda one: dataclasses.replace(one, payload=one.payload + b" " * 50_000_000),
    "deep": lambda one: dataclasses.replace(one, payload=b"[" * 1_000_000),
    "another label": lambda one: _record(one, label="A9"),
    "another group document": lambda one: _record(one, group_document="0" * 64),
    "another attempt": lambda one: _record(one, attempt=9),
    "another bag": lambda one: _record(one, closed="2020-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_record_is_refused_with_its_host_and_nothing_is_read(site: Arrived, forged: str) -> None:
    def alter(host: str, looked: Looked) -> Looked:
        if host != "h2":
            return looked
        first, *others = looked.sightings
        return dataclasses.replace(looked, sightings=(FORGED[forged](first), *others))

    with pytest.raises(PacktrainError) as caught:
        load_on(site, Liar("h1", "h2", alter=alter), whole(site))
    assert caught.value.exit_code > 1
    assert "h2:" in str(caught.value.where), caught.value.to_dict()
    assert len(str(caught.value.to_dict())) < 10_000
    assert files_of(site) == {}
    # Left out, as its message says, the others make up for it; or the host tells the truth.
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()


def test_a_forged_group_document_is_not_believed(site: Arrived) -> None:
    def alter(host: str, looked: Looked) -> Looked:
        return dataclasses.replace(looked, groups={number: b"{}" for number in (*looked.groups, 1, 2, 77)})

    try:
        load_on(site, Liar("h1", "h2", alter=alter), whole(site))
    except PacktrainError as error:
        assert error.exit_code > 1
    assert_nothing_half(site)
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()


def test_two_hosts_that_claim_the_same_drives_lose_nothing(site: Arrived) -> None:
    """h2 has none of them; where it is given their group it fails, and the others are done."""

    def alter(host: str, looked: Looked) -> Looked:
        if host == "h1":
            claimed.extend(looked.sightings)
            return looked
        there = [
            dataclasses.replace(one, host="h2", location=one.location.replace("drives", "nowhere")) for one in claimed
        ]
        return dataclasses.replace(looked, sightings=(*looked.sightings, *there))

    claimed: list[Sighting] = []
    places = at(h1=[site.drive(label) for label in LABELS], h2=[site.drive("A1")])
    with pytest.raises(PacktrainError) as caught:
        load_on(site, Liar("h1", "h2", alter=alter), places)
    assert "h2" in str(caught.value.where) + str(caught.value.hint)
    assert_nothing_half(site)
    load_on(site, InTurn("h1"), at(h1=[site.drive(label) for label in LABELS]))
    site.assert_loaded()


# --- hosts that end, drives that move, rights that end ---


def test_drives_that_change_hosts_between_two_runs_are_not_read_again(site: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted):
        load_on(site, InTurn("h1", "h2"), at(h1=[site.drive("A1"), site.drive("B1")]))
    before = files_of(site)
    places = at(h2=[site.drive("A1"), site.drive("B1")], h1=[site.drive("A2"), site.drive("B2")])
    receipt = load_on(site, InTurn("h1", "h2"), places)
    site.assert_loaded()
    assert before.items() <= files_of(site).items()
    assert receipt.counts["drives_lost"] == 0


def ends_before_it_answers() -> None:
    """End the process of a host when its share is read and noted, before it says so."""
    from packtrain.stages.load import on_host
    from packtrain.volume import shares

    if os.environ.get("IS_READ"):
        return

    def read(loading: shares.Loading, groups: object) -> None:
        shares.read_share(loading, groups)  # type: ignore[arg-type]  # pyright: ignore
        os._exit(9)

    on_host.read_share = read  # type: ignore[assignment]  # pyright: ignore


def test_a_host_that_dies_after_its_last_volume_has_lost_nothing(site: Arrived) -> None:
    with pytest.raises(HostsLost, match=r"h2 \(group \d\): it lost power"):
        load_on(site, HostProcesses("h1", "h2", dies={"h2": ends_before_it_answers}), whole(site))
    before = files_of(site)
    receipt = load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()
    assert before.items() <= files_of(site).items(), "nothing is placed twice"
    assert receipt.counts["drives_lost"] == 0


def has_a_full_disk() -> None:
    """Let this host write no file beyond 100 kB: the kernel says so as it does of a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_host_with_a_full_disk_says_so_and_the_others_are_done(site: Arrived) -> None:
    # The large file is with one of the two: whichever has it fails.
    dies: dict[str, Callable[[], object]] = dict.fromkeys(("h1", "h2"), has_a_full_disk)
    with pytest.raises(DriveFull, match=r"h[12]: "):
        load_on(site, HostProcesses("h1", "h2", dies=dies), whole(site))
    assert_nothing_half(site)
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()


class Withdraws(InTurn):
    """The operator's verdict changes after the hosts have looked, before they read."""

    def __init__(self, site: Arrived, *names: str) -> None:
        super().__init__(*names)
        self.site = site

    def map_bound(self, run, jobs):  # type: ignore[no-untyped-def]  # pyright: ignore
        if run is read_on_host:
            found = self.site.consignee.read(Admission)
            self.site.consignee.write_signed(structs.replace(found, verdict="refuse"), self.site.operator.signer())
        yield from super().map_bound(run, jobs)


def test_an_admission_that_is_withdrawn_on_the_way_stops_every_host(site: Arrived) -> None:
    admission = site.consignee.read(Admission)
    with pytest.raises(AdmissionRefused, match="h1: "):
        load_on(site, Withdraws(site, "h1", "h2"), whole(site))
    assert files_of(site) == {}
    site.consignee.write_signed(admission, site.operator.signer())
    load_on(site, InTurn("h1", "h2"), whole(site))
    site.assert_loaded()
    alone = tree(site.consignee.root / "store")
    assert alone
