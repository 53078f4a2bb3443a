"""The data scan inside `prepare`: what is in data-scan.json, and that no value is in it or elsewhere."""

import json
import logging
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrain.crypto import age
from packtrain.diligence.scan_findings import _said, findings_of, own_scan, scan_findings
from packtrain.documents.codec import digest
from packtrain.documents.data_scan import MAX_LISTED, DataScan, ScannedColumn
from packtrain.documents.dataset import Dataset
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import KeyMissing, SignatureInvalid
from packtrain.events import Event, Notice
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.stages.prepare import inputs, prepare
from source_parts import csv_text, ignore, png, voyage_folder, xlsx

PEOPLE = "id,e_mail,dob\n" + "".join(f"{i},u{i}@example.org,1990-01-01\n" for i in range(50))


def _sources(root: Path, files: dict[str, bytes]) -> Path:
    for name, payload in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return root


def _folder(root: Path, files: dict[str, bytes], recipe: str = "") -> VoyageFolder:
    folder = voyage_folder(root / "voyage", _sources(root / "raw", files), recipe)
    (folder.keys / "identity.txt").write_text(age.generate_identity() + "\n")
    sync_parties(folder)
    return folder


def test_findings_are_named_by_source_column_and_counts(tmp_path: Path) -> None:
    second: list[list[object]] = [["y", "z"], *[list[object](["q", "+49 30 1234567"]) for _ in range(4)]]
    lines = [json.dumps({"x": i, "who": {"mail": f"u{i}@example.org"}}) for i in range(9)]
    folder = _folder(
        tmp_path,
        {
            "people.csv": PEOPLE.encode(),
            "book.xlsx": xlsx({"a": [["x"], ["1"]], "b": second}),
            "lines.jsonl": "\n".join(lines).encode(),
            "plain.csv": csv_text(40),
            "a.png": png(),
            "LICENSE.txt": b"CC0",
            "film.xyz": b"?",
        },
    )
    events: list[Event] = []
    receipt = prepare(folder, ProcessMapper(0), events.append)
    assert findings_of(folder) == (
        "raw/book.xlsx, sheet 2, column 2: telephone numbers in 4 of 4 sampled rows",
        "raw/lines.jsonl, column 2: e-mail addresses in 9 of 9 sampled rows",
        "raw/people.csv, column 2: e-mail addresses in 50 of 50 sampled rows",
        "raw/people.csv, column 2: by its name an e-mail address, filled in 50 of 50 sampled rows",
        "raw/people.csv, column 3: by its name a day of birth, filled in 50 of 50 sampled rows",
    )
    scan = folder.read_signed(DataScan)
    assert receipt.counts["scan_findings"] == scan.num_findings == 5
    assert (scan.num_tables, scan.num_columns, scan.num_rows) == (5, 11, 104)
    assert scan.sources == folder.read(Dataset).sources
    left = scan.not_scanned
    assert (left.images, left.clips, left.papers, left.other_files, left.tables_set_aside) == (1, 0, 1, 1, 0)
    warnings = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert any("data scan" in text and "e-mail addresses (2)" in text for text in warnings)


def test_without_findings_the_scan_says_so_and_is_signed(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"plain.csv": csv_text(40)})
    prepare(folder, ProcessMapper(0), ignore)
    assert findings_of(folder) == ()
    assert is_fresh(folder, "prepare", inputs(folder))
    folder.document_path(DataScan).unlink()
    assert findings_of(folder) is None
    assert not is_fresh(folder, "prepare", inputs(folder))


def test_an_altered_scan_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"people.csv": PEOPLE.encode()})
    prepare(folder, ProcessMapper(0), ignore)
    path = folder.document_path(DataScan)
    path.write_bytes(path.read_bytes().replace(b'"is_finding":true', b'"is_finding":false'))
    with pytest.raises(SignatureInvalid):
        own_scan(folder)


def test_a_scan_of_other_sources_is_none_of_this_data_set(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"people.csv": PEOPLE.encode()})
    prepare(folder, ProcessMapper(0), ignore)
    scan = folder.read(DataScan)
    folder.write_signed(msgspec.structs.replace(scan, sources="0" * 64), folder.signer())
    assert own_scan(folder) is None


def test_a_folder_that_is_carried_as_it_is_is_not_scanned_and_that_is_said(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"people.csv": PEOPLE.encode()})
    prepare(folder, ProcessMapper(0), ignore)
    text = (folder.root / "voyage.toml").read_text()
    (folder.root / "voyage.toml").write_text(text.replace("[sources]\n", '[sources]\nform = "folder"\n'))
    events: list[Event] = []
    prepare(folder, ProcessMapper(0), events.append)
    assert not folder.has(DataScan) and not folder.signature_path(DataScan).exists()
    assert findings_of(folder) is None
    assert any(isinstance(event, Notice) and "not scanned" in event.text for event in events)


def test_without_a_signing_key_nothing_is_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"people.csv": PEOPLE.encode()})
    (folder.keys / "signer").unlink()
    with pytest.raises(KeyMissing):
        prepare(folder, ProcessMapper(0), ignore)
    assert not folder.work.exists()


def test_the_same_sources_give_the_same_scan_whatever_workers_slices_and_what_was_done_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{name}.csv": (PEOPLE.replace("u", name) * 9).encode() for name in "abcd"} | {"p.csv": csv_text(5000)}
    one = _folder(tmp_path / "one", files)
    prepare(one, ProcessMapper(0), ignore)
    monkeypatch.setattr("packtrain.dataset.work_units._SMALLEST_SLICE_BYTES", 1)
    other = _folder(tmp_path / "other", files)
    shutil.rmtree(other.root.parent / "raw")
    shutil.copytree(tmp_path / "one" / "raw", other.root.parent / "raw")
    prepare(other, ProcessMapper(2), ignore)
    assert digest(other.read(DataScan)) == digest(one.read(DataScan))
    receipts = sorted((other.work / "prepare" / "units").rglob("*.receipt.json"))
    for receipt in receipts[::2]:
        receipt.unlink()
    other.drop_receipt("prepare")
    prepare(other, ProcessMapper(0), ignore)
    assert digest(other.read(DataScan)) == digest(one.read(DataScan))


def test_a_table_that_turns_out_damaged_leaves_no_counts(tmp_path: Path) -> None:
    files = {"people.parquet": b"PAR1 not really PAR1", "plain.csv": csv_text(40)}
    folder = _folder(tmp_path, files, "max_reject_rate = 1.0")
    prepare(folder, ProcessMapper(0), ignore)
    scan = folder.read_signed(DataScan)
    assert (scan.num_tables, scan.not_scanned.tables_set_aside, scan.num_findings) == (1, 1, 0)


_cells = st.sampled_from(
    [
        "{0}@example.org",
        "{0}",
        "+49 30 {0}",
        "call {0} or write {0}@example.org please",
        '{{"mail":"{0}@a.org","{0}":1}}',
    ]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(_cells, min_size=1, max_size=4),
    num_rows=st.integers(1, 90),
    has_header=st.booleans(),
    seed=st.integers(10**6, 10**7 - 1),
)
def test_no_value_of_a_cell_and_no_header_is_in_any_document_event_or_log(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    shapes: list[str],
    num_rows: int,
    has_header: bool,
    seed: int,
) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tokens = [[f"Zq{seed}x{row}x{column}" for column in range(len(shapes))] for row in range(num_rows + 1)]
    cells = [[shape.format(token) for shape, token in zip(shapes, row, strict=True)] for row in tokens]
    if has_header:
        cells[0] = [f"surname Zq{seed} {i}" for i in range(len(shapes))]
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in cells]
    records = [json.dumps(dict(zip(cells[0], row, strict=True))) for row in cells[1:]]
    folder = _folder(
        tmp_path,
        {
            "t.csv": "\n".join(lines).encode(),
            "t.jsonl": "\n".join(records).encode(),
            "t.xlsx": xlsx({f"Zq{seed}": [list(row) for row in cells]}),
        },
    )
    events: list[Event] = []
    with caplog.at_level(logging.DEBUG):
        receipt = prepare(folder, ProcessMapper(0), events.append)
    said = [str(event) for event in events] + [caplog.text, str(receipt), *(findings_of(folder) or ())]
    said += [path.read_text() for place in ("documents", "receipts") for path in (folder.root / place).iterdir()]
    said += [path.read_text() for path in (folder.work / "prepare").rglob("*.receipt.json")]
    assert not [text for text in said if f"Zq{seed}" in text or f"zq{seed}" in text]


def test_many_findings_are_told_by_their_first_few_and_a_number(tmp_path: Path) -> None:
    wide = ",".join(f"mail_{i}" for i in range(300)) + "\n" + ",".join(["a@example.org"] * 300) + "\n"
    folder = _folder(tmp_path, {f"{name}.csv": wide.encode() for name in "abcdefgh"})
    prepare(folder, ProcessMapper(0), ignore)
    scan = folder.read_signed(DataScan)
    assert (len(scan.columns), scan.num_left_out, scan.num_findings) == (MAX_LISTED, 1400, 2400)
    assert scan_findings(scan)[-1] == "e-mail addresses: 2395 columns more"
    assert len(scan_findings(scan)) == 6


def test_words_of_a_column_do_not_grow_with_the_name_of_its_source() -> None:
    column = ScannedColumn(
        source="a/" * 2000,
        sheet=0,
        column=1,
        detector="e-mail",
        word="",
        num_sampled=2,
        num_filled=2,
        num_formed=2,
        num_hits=2,
        num_distinct=2,
        num_distinct_hits=2,
        is_finding=True,
    )
    assert len(_said(column, "e-mail addresses")) < 300
