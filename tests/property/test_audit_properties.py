"""Any flipped byte of any signed file is reported where it is; no bytes make an audit fail."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit_parts
from packtrain.diligence.audit.keyring import NOBODY
from packtrain.diligence.audit.log import read_log
from packtrain.diligence.audit.opening import audit_folder
from packtrain.report.audit_page import audit_page
from packtrain.report.audit_text import audit_text


@pytest.fixture(scope="module")
def record() -> Iterator[Path]:
    with TemporaryDirectory(prefix="audit-property-") as folder:
        yield audit_parts.voyage(Path(folder)).consignor.root


def signed_files(record: Path) -> list[Path]:
    unsigned = ("parties.json", "allowed_signers", "placement.json", "dataset.json")
    documents = record / "documents"
    return sorted(
        path
        for path in documents.rglob("*")
        if path.is_file() and path.name not in unsigned and "dossiers" not in path.parts
    )


@given(data=st.data())
def test_any_flipped_byte_of_any_signed_file_is_reported_where_it_is(record: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(signed_files(record)))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    flip = data.draw(st.integers(1, 255))
    name = path.relative_to(record / "documents").as_posix()
    # A counterpart's signature, of a receipt or of a head, is told at the document that it signs.
    document = re.sub(r"\.json\.(consignor|operator)$", ".json", name.removesuffix(".sig"))
    try:
        path.write_bytes(before[:at] + bytes([before[at] ^ flip]) + before[at + 1 :])
        audit = audit_folder(record)
    finally:
        path.write_bytes(before)

    assert audit.verdict.exit_code == 118
    assert any(fault.where == document or fault.where.startswith(f"{document}, line") for fault in audit.faults)


@given(data=st.data())
def test_any_bytes_in_any_place_are_told_and_never_raised(record: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(signed_files(record)))
    before = path.read_bytes()
    try:
        path.write_bytes(data.draw(st.binary(max_size=200) | st.just(before[: len(before) // 2])))
        audit = audit_folder(record)
    finally:
        path.write_bytes(before)

    assert audit.faults
    msgspec.json.encode(audit)
    assert audit_text(audit) and audit_page(audit)


@given(st.binary(max_size=300))
def test_no_bytes_of_a_custody_log_are_raised(payload: bytes) -> None:
    log = read_log(payload, NOBODY, "log")

    assert not payload or log.faults
