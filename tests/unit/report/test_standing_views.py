"""Where a voyage stands, from signed papers and logs: route, cases, drives, groups."""

from pathlib import Path

import msgspec
import pytest

from packtrain.documents.admission import Admission
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.parties import Role
from packtrain.record.checks import CHECKS_NAME, WHOLE_VOLUME, CheckedDrive, keep_checks, note_repairs, read_checks
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.report import load_view
from packtrain.report.headline import headline, health_sentence
from packtrain.report.summarize import summarize
from packtrain.report.summary import Summary
from packtrain.report.wave_view import left_seconds
from sample_documents import samples
from standing_parts import Shipped, planned, shipped
from three_parties import copy_of_parties, three_parties

AT = "2026-11-01T10:00:00Z"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "voyage"
    three_parties(root)
    return root


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> dict[Role, VoyageFolder]:
    return copy_of_parties(made, tmp_path / "voyage")


def _summary(folders: dict[Role, VoyageFolder]) -> Summary:
    return summarize([folders["consignor"]])


def _looked_at(
    label: str,
    hurt: dict[str, int] | None = None,
    at: str = AT,
    *,
    num_hurt: int = 0,
    num_findings: int = 0,
    uuid: str = "",
) -> CheckedDrive:
    found = hurt or {}
    return CheckedDrive(
        label=label,
        uuid=uuid,
        at=at,
        is_usable=True,
        num_volumes=3,
        volume_bytes=300,
        num_findings=num_findings,
        hurt=tuple(found.items()),
        num_hurt=max(len(found), num_hurt),
    )


def _states(summary: Summary) -> dict[str, str]:
    return {drive.label: drive.state for drive in summary.drives}


def test_a_new_voyage_stands_at_home_and_has_no_drives(folders: dict[Role, VoyageFolder]) -> None:
    summary = _summary(folders)

    assert [stop.state for stop in summary.route] == ["here", *["to come"] * 4]
    assert headline(summary) == "The voyage stands at home"
    assert (summary.drives, summary.cases, summary.groups, health_sentence(summary)) == ((), (), (), "")


def test_drives_of_a_plan_are_planned_until_the_log_says_more(folders: dict[Role, VoyageFolder]) -> None:
    found = planned(folders["consignor"], {"A": 2, "B": 1}, 2, 1)
    found.log("formatted", cases=("A",), drives=(found.uuid("A1"), found.uuid("A2")))
    found.log("closed", cases=("A",), drives=(found.uuid("A1"),))

    summary = _summary(folders)

    assert _states(summary) == {"A1": "closed", "A2": "begun", "B1": "planned"}
    assert [(group.num_stripes, group.margin) for group in summary.groups] == [(None, None)]
    assert "not closed yet" in summary.groups[0].sentence()


def test_the_pace_of_an_earlier_attempt_counts_for_nothing() -> None:
    sample = samples()[CustodyEvent]
    assert isinstance(sample, CustodyEvent)

    def line(verb: str, drive: str, hours: int) -> CustodyLine:
        event = msgspec.structs.replace(
            sample, verb=verb, drives=(drive,), at=f"2026-11-2{hours // 24}T{hours % 24:02}:00:00Z"
        )
        return CustodyLine(event, "", b"")

    log = [line("formatted", "old", 0), line("closed", "old", 1)]
    assert left_seconds(log, ["new"], 1, 4) is None
    log += [line("formatted", "new", 72), line("closed", "new", 74)]
    assert left_seconds(log, ["new"], 1, 4) == 3 * 7200


def test_what_nobody_checked_is_not_known(folders: dict[Role, VoyageFolder]) -> None:
    shipped(folders["consignor"], {"A": 1, "B": 1, "C": 1}, 2, 1)

    group = _summary(folders).groups[0]

    assert (group.num_stripes, group.margin, group.num_checked, group.stripes_by_columns_left) == (3, None, 0, ())
    assert "not known" in group.sentence()


def test_stripes_are_counted_by_the_columns_that_are_left(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 2, "B": 2}, 2, 2)
    hurt = {"data/0000001-00.tar.age": 2, "packtrain/group.json": 1}
    looks = [
        _looked_at("A1", hurt),
        _looked_at("A2", {"data/0000001-03.parity": WHOLE_VOLUME}),
        _looked_at("B1", at="2026-10-01T10:00:00Z"),
    ]
    keep_checks(folders["consignor"], found.digest, looks)

    summary = _summary(folders)
    group = summary.groups[0]

    assert _states(summary) == {"A1": "damaged", "B1": "checked", "A2": "damaged", "B2": "closed"}
    assert group.stripes_by_columns_left == ((4, 2), (2, 1))
    assert (group.margin, group.worst_stripe, group.num_checked, group.as_of) == (0, 1, 3, "2026-10-01T10:00:00Z")
    assert health_sentence(summary) == "4 drives in 2 cases: 2 damaged"


def test_a_look_at_a_drive_that_failed_says_nothing_of_the_one_in_its_place(
    folders: dict[Role, VoyageFolder],
) -> None:
    found = shipped(folders["consignor"], {"A": 2, "B": 2}, 2, 2)
    replaced = "5d0d9a58-0f0f-4b8f-a6b5-7d5d1d5f9c01"
    looks = [_looked_at("A1", uuid=found.uuid("A1")), _looked_at("A2", uuid=replaced)]
    keep_checks(folders["consignor"], found.digest, [*looks, _looked_at("B1", {"x": WHOLE_VOLUME}, uuid=replaced)])

    assert _states(_summary(folders)) == {"A1": "checked", "B1": "closed", "A2": "closed", "B2": "closed"}


def test_a_lost_drive_takes_a_column_of_every_stripe(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 2, "B": 2}, 2, 2)
    keep_checks(folders["consignor"], found.digest, [_looked_at(label) for label in ("A1", "A2", "B1", "B2")])
    for label in ("A1", "B1", "B2"):
        found.log("lost", cases=(label[0],), drives=(found.uuid(label),))

    group = _summary(folders).groups[0]

    assert (group.gone, group.stripes_by_columns_left, group.margin) == (("A1", "B1", "B2"), ((1, 3),), -1)
    assert "3 of 3 stripes cannot be rebuilt" in group.sentence()


def test_what_was_repaired_counts_as_whole_again(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    found = shipped(home, {"A": 1, "B": 1}, 1, 1)
    keep_checks(home, found.digest, [_looked_at("A1", {"data/0000001-00.tar.age": 2}), _looked_at("B1")])
    note_repairs(home, found.digest, [("A1", "data/0000001-00.tar.age"), ("A9", "data/0000001-00.tar.age")])

    summary = _summary(folders)

    assert _states(summary) == {"A1": "repaired", "B1": "checked"}
    assert (summary.groups[0].margin, summary.drives[0].num_bad_volumes) == (1, 0)


def test_looks_of_another_plan_and_spoiled_ones_count_for_nothing(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    found = shipped(home, {"A": 1, "B": 1}, 1, 1)
    keep_checks(home, "0" * 64, [_looked_at("A1")])
    assert read_checks(home, found.digest) == {}
    for spoiled in (b"", b"[", b"[" * 100_000, b'{"plan": 1}', b"\xff"):
        (home.logs / CHECKS_NAME).write_bytes(spoiled)
        assert _states(_summary(folders)) == {"A1": "closed", "B1": "closed"}


def test_a_group_document_that_the_shipment_does_not_name_is_named(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    shipped(home, {"A": 1, "B": 1}, 1, 1)
    path = home.documents / "groups" / "0.json"
    path.write_bytes(path.read_bytes().replace(b'"num_stripes":3', b'"num_stripes":9'))

    summary = _summary(folders)

    assert summary.groups[0].num_stripes is None
    assert any("0.json" in text for text in summary.unread)


def _handed_over(found: Shipped, operator: VoyageFolder) -> list[Summary]:
    seen = [summarize([found.folder])]
    found.log("sealed", cases=("A",), seals=("S-1",), drives=(found.uuid("A1"),))
    found.log("sealed", cases=("B",), seals=("S-2",), drives=(found.uuid("B1"),))
    seen.append(summarize([found.folder]))
    digest = found.log("released", counterpart="operator", cases=("A",), seals=("S-1",))
    seen.append(summarize([found.folder]))
    found.log(
        "accepted",
        by="operator",
        signer=operator,
        counterpart="consignor",
        answers=digest,
        cases=("A",),
        seals=("S-1",),
    )
    seen.append(summarize([found.folder]))
    digest = found.log("released", counterpart="operator", cases=("B",), seals=("S-2",))
    found.log(
        "accepted",
        by="operator",
        signer=operator,
        counterpart="consignor",
        answers=digest,
        cases=("B",),
        seals=("S-2",),
    )
    return [*seen, summarize([found.folder])]


def test_the_route_and_each_case_follow_the_hand_overs(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 1, "B": 1}, 1, 1)

    seen = _handed_over(found, folders["operator"])

    here = [next(stop.stop for stop in summary.route if stop.state == "here") for summary in seen]
    assert here == ["home", "home", "out", "out", "site"]
    assert [[case.where for case in summary.cases] for summary in seen] == [
        ["at home, not sealed", "at home, not sealed"],
        ["at home, sealed", "at home, sealed"],
        ["on the way to the operator", "at home, sealed"],
        ["with the operator", "at home, sealed"],
        ["with the operator", "with the operator"],
    ]
    assert headline(seen[3]).endswith("1 of 2 cases signed for by the other side")


def test_a_verdict_on_the_papers_moves_no_case(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 1}, 1, 0)
    found.log("sealed", cases=("A",), seals=("S-1",), drives=(found.uuid("A1"),))

    def here(**inputs: str) -> str:
        StageClock(folders["operator"], "admit", inputs).finish(counts={})
        return next(stop.stop for stop in summarize(list(folders.values())).route if stop.state == "here")

    assert here() == "home"
    assert here(drives="0" * 64) == "site"


def test_an_admission_of_another_shipment_admits_nothing(folders: dict[Role, VoyageFolder]) -> None:
    shipped(folders["consignor"], {"A": 1}, 1, 0)
    folders["operator"].write_signed(samples()[Admission], folders["operator"].signer())

    summary = summarize(list(folders.values()))

    assert summary.admission is None
    assert any("another shipment" in text for text in summary.unread)


def test_drives_are_lost_with_a_case_that_is_named_alone(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 2, "B": 2}, 2, 2)
    keep_checks(folders["consignor"], found.digest, [_looked_at(label) for label in ("A1", "A2", "B1", "B2")])
    found.log("sealed", cases=("A",), seals=("S-1",), drives=(found.uuid("A1"), found.uuid("A2")))
    found.log("lost", cases=("A",))

    summary = _summary(folders)

    assert _states(summary) == {"A1": "lost", "B1": "checked", "A2": "lost", "B2": "checked"}
    assert [case.where for case in summary.cases] == ["lost, as the consignor noted", "at home, not sealed"]
    assert (summary.groups[0].margin, health_sentence(summary)) == (0, "4 drives in 2 cases: 2 lost")

    guest = folders["consignee"]
    found.log("loaded", by="consignee", signer=guest, cases=("A",), drives=(found.uuid("A1"),))
    summary = _summary(folders)
    assert _states(summary) == {"A1": "checked", "B1": "checked", "A2": "lost", "B2": "checked"}
    assert summary.cases[0].where == "at home, sealed"


def test_a_look_at_what_a_drive_was_before_says_nothing_of_it(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    found = shipped(home, {"A": 1, "B": 1}, 1, 1)
    keep_checks(home, found.digest, [_looked_at("A1"), _looked_at("B1", at="2099-01-01T00:00:00Z")])
    found.log("closed", drives=(found.uuid("A1"), found.uuid("B1")))

    assert _states(_summary(folders)) == {"A1": "closed", "B1": "checked"}


def test_findings_and_damage_beyond_the_list_are_told(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    found = shipped(home, {"A": 1, "B": 1}, 1, 1)
    volume = {"data/0000001-00.tar.age": 2}
    keep_checks(home, found.digest, [_looked_at("A1", volume, num_hurt=25_000), _looked_at("B1", num_findings=3)])
    summary = _summary(folders)
    assert [drive.caption for drive in summary.drives] == ["25,000 volumes hurt", "checked;\n3 findings"]
    assert summary.groups[0].margin == 0

    note_repairs(home, found.digest, [("A1", next(iter(volume)))])
    assert _states(_summary(folders)) == {"A1": "damaged", "B1": "checked"}
    keep_checks(home, found.digest, [_looked_at("A1")])
    assert health_sentence(_summary(folders)).endswith("none known to be damaged or lost; 1 with other findings")


def test_a_load_that_is_done_stands_for_every_stripe(folders: dict[Role, VoyageFolder]) -> None:
    shipped(folders["consignor"], {"A": 1, "B": 1, "C": 1}, 1, 2)
    StageClock(folders["consignee"], "load", {}).finish(
        counts={"drives_lost": 1}, facts={"drives lost": "B1", "damaged drives": "A1: 6"}
    )

    summary = summarize(list(folders.values()))

    assert _states(summary) == {"A1": "repaired", "B1": "lost", "C1": "read"}
    assert summary.groups[0].is_proven
    assert "6 blocks" in summary.drives[0].caption


def test_what_a_check_finds_after_the_load_is_damage(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 1, "B": 1}, 1, 1)
    StageClock(folders["consignee"], "load", {}).finish(counts={})
    hurt = {"data/0000001-00.tar.age": WHOLE_VOLUME}
    keep_checks(folders["consignor"], found.digest, [_looked_at("A1", hurt, "2099-01-01T00:00:00Z"), _looked_at("B1")])

    summary = summarize(list(folders.values()))

    assert _states(summary) == {"A1": "damaged", "B1": "read"}
    assert health_sentence(summary) == "2 drives in 2 cases: 1 damaged"


def test_a_load_of_another_shipment_proves_nothing(folders: dict[Role, VoyageFolder]) -> None:
    shipped(folders["consignor"], {"A": 1, "B": 1}, 1, 1)
    StageClock(folders["consignee"], "load", {"shipment": "0" * 64}).finish(counts={})

    summary = summarize(list(folders.values()))

    assert (_states(summary), summary.groups[0].is_proven) == ({"A1": "closed", "B1": "closed"}, False)
    assert headline(summary) == "The voyage stands at home"


def test_a_long_journal_is_read_to_its_end_and_one_that_is_not_is_named(
    folders: dict[Role, VoyageFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shipped(folders["consignor"], {"A": 1, "B": 1}, 1, 1)
    work = folders["consignee"].work / "load"
    work.mkdir(parents=True)
    lost = f'{{"line":"drive","drive":"{found.uuid("B1")}","state":"lost"}}\n'
    (work / "journal.jsonl").write_text(("x" * 1000 + "\n") * 200 + lost)
    monkeypatch.setattr(load_view, "_MAX_BYTES", 100_000)
    summary = summarize(list(folders.values()))
    assert (_states(summary), summary.unread) == ({"A1": "closed", "B1": "lost"}, ())

    monkeypatch.setattr(load_view, "_MAX_JOURNAL_BYTES", 100_000)
    assert any("journal.jsonl: not read to its end" in text for text in summarize(list(folders.values())).unread)


def test_a_load_that_goes_on_is_read_from_what_it_leaves(folders: dict[Role, VoyageFolder]) -> None:
    found = shipped(folders["consignor"], {"A": 1, "B": 1, "C": 1}, 1, 2)
    work = folders["consignee"].work / "load"
    work.mkdir(parents=True)
    group = {"group": 0, "k": 1, "drives": 3, "drives_seen": 1, "drives_damaged": 1, "drives_lost": 1}
    group |= {"more_drives": 1, "stripes": 3, "stripes_proven": 1, "stripes_provable": 2, "volumes_open": 2}
    import json

    (work / "progress.json").write_text(json.dumps({"groups": [group], "pass": 1, "drives": ["C1"]}))
    lines = [
        '{"format":"x"}',
        f'{{"line":"drive","drive":"{found.uuid("A1")}","state":"seen"}}',
        f'{{"line":"drive","drive":"{found.uuid("B1")}","state":"lost"}}',
        '{"line":"damaged","damage":[["A1","data/0000002-01.parity",4,7,"x"],["A1",3],["A1","v",-1,0,""],7]}',
        '{"line":"drive","drive":[[[',
    ]
    (work / "journal.jsonl").write_text("\n".join(lines))

    summary = summarize([folders["consignor"], folders["consignee"]])

    assert summary.loading is not None
    assert (summary.loading.num_proven, summary.loading.num_stripes, summary.loading.drives) == (1, 3, ("C1",))
    assert _states(summary) == {"A1": "damaged", "B1": "lost", "C1": "closed"}
    assert summary.drives[0].num_bad_blocks == 4
    assert (summary.groups[0].num_proven, summary.groups[0].num_provable) == (1, 2)
    assert summary.groups[0].stripes_by_columns_left == ((2, 2), (1, 1))


def test_closed_is_the_end_of_the_route(folders: dict[Role, VoyageFolder]) -> None:
    StageClock(folders["operator"], "close", {}).finish(counts={})

    summary = summarize(list(folders.values()))

    assert {stop.state for stop in summary.route} == {"done"}
    assert headline(summary) == "The voyage is closed, as far as is known here by the operator"
