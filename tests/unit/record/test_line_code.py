"""The codes of a hand-over: the line rebuilt is the giver's, byte for byte; anything else is one clear refusal."""

import base64
import random
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.crypto.sshsig import raw_signature
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.heads import sign_own_head
from packtrain.documents.codec import json_object
from packtrain.documents.custody import CustodyEvent
from packtrain.errors import CodeUnreadable, PacktrainError, SignatureInvalid, UntrustedSigner
from packtrain.record.custody import CustodyLine, open_line, signed_line
from packtrain.record.line_code import (
    LINE_PREFIX,
    MAX_CODE_CHARACTERS,
    read_line_code,
    read_second_code,
    write_line_code,
    write_second_code,
)
from voyage_papers import Papers, arrived

_FOLDER = TemporaryDirectory(prefix="line-code-")  # goes with the process


@cache
def voyage() -> tuple[Papers, tuple[CustodyLine, ...]]:
    papers = arrived(Path(_FOLDER.name))
    return papers, custody_log(papers.consignor).read(papers.consignor.trust())


def code_of(number: int) -> str:
    papers, lines = voyage()
    return write_line_code(lines[number], papers.consignor.trust())


def read_raw(line: bytes) -> bytes:
    return raw_signature(str(json_object(line, "line")["signature"]))


def reseal(code: str, change) -> str:
    """Return a code whose bytes were changed and whose check sum fits again."""
    body = code.removeprefix(LINE_PREFIX)
    blob = bytearray(base64.b32decode(body + "=" * (-len(body) % 8))[:-4])
    change(blob)
    checked = bytes(blob) + zlib.crc32(bytes(blob)).to_bytes(4, "big")
    return LINE_PREFIX + base64.b32encode(checked).decode().rstrip("=")


@pytest.mark.parametrize("number", range(4))
def test_the_rebuilt_line_is_the_givers_byte_for_byte(number: int) -> None:
    papers, lines = voyage()
    for folder in papers.folders.values():
        assert read_line_code(code_of(number), folder.trust(), "code").line == lines[number]


def test_a_release_of_two_cases_fits_a_small_code() -> None:
    segno = pytest.importorskip("segno")
    code = code_of(2)
    assert segno.make_qr(code, error="m", boost_error=False).version <= 12
    assert segno.make_qr(code, error="m", boost_error=False).mode == "alphanumeric"


@settings(max_examples=60)
@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60), st.lists(st.text("AB9.", min_size=1), max_size=3)
)
def test_any_note_and_any_seals_come_back(note: str, seals: list[str]) -> None:
    papers, lines = voyage()
    event = CustodyEvent(
        sequence=9,
        previous=lines[-1].digest,
        shipment=lines[0].event.shipment,
        verb="released",
        by="operator",
        counterpart="consignee",
        answers=None,
        cases=("A",),
        drives=("00000000-0000-4000-8000-000000000001",),
        seals=tuple(seals),
        note=note,
        at="2026-11-21T08:09:10Z",
    )
    trust = papers.operator.trust()
    line = open_line(signed_line(event, papers.operator.signer()), trust, "line")
    assert read_line_code(write_line_code(line, trust), papers.consignee.trust(), "code").line == line


def test_a_telephone_may_break_lines_and_a_person_write_small_letters() -> None:
    papers, lines = voyage()
    code = code_of(2)
    typed = "\n ".join(code[at : at + 40] for at in range(0, len(code), 40)).lower() + "\n"
    assert read_line_code(typed, papers.operator.trust(), "code").line == lines[2]


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_character_is_refused(data: st.DataObject) -> None:
    papers, _ = voyage()
    code = code_of(2)
    at = data.draw(st.integers(0, len(code) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567:0189$").filter(lambda one: one != code[at]))
    with pytest.raises(CodeUnreadable):
        read_line_code(code[:at] + letter + code[at + 1 :], papers.operator.trust(), "code")


def test_a_code_cut_anywhere_is_refused() -> None:
    papers, _ = voyage()
    code = code_of(2)
    for end in range(len(code)):
        with pytest.raises(CodeUnreadable):
            read_line_code(code[:end], papers.operator.trust(), "code")


def test_bytes_changed_by_who_can_count_are_refused_by_the_signature() -> None:
    papers, _ = voyage()
    code, rng = code_of(2), random.Random(5)
    seen: set[str] = set()
    for _ in range(300):
        at, bit = rng.randrange(200), 1 << rng.randrange(8)

        def flip(blob: bytearray, at: int = at, bit: int = bit) -> None:
            blob[at % len(blob)] ^= bit

        with pytest.raises(PacktrainError) as caught:
            read_line_code(reseal(code, flip), papers.operator.trust(), "code")
        seen.add(type(caught.value).__name__)
    assert seen <= {"CodeUnreadable", "SignatureInvalid"}
    assert "SignatureInvalid" in seen


def test_a_line_signed_by_another_key_than_its_partys_is_refused() -> None:
    papers, lines = voyage()
    foreign = read_raw(signed_line(lines[2].event, papers.consignee.signer()))
    forged = reseal(code_of(2), lambda blob: blob.__setitem__(slice(2, 66), foreign))
    with pytest.raises(SignatureInvalid, match="not signed by the consignor"):
        read_line_code(forged, papers.operator.trust(), "code")


def test_a_party_that_is_not_named_is_refused() -> None:
    from packtrain.documents.parties import Parties
    from packtrain.record.trust import Trust

    papers, _ = voyage()
    parties = papers.operator.parties()
    alone = Parties(voyage=parties.voyage, parties=tuple(each for each in parties.parties if each.role == "operator"))
    with pytest.raises(UntrustedSigner, match="does not name"):
        read_line_code(code_of(2), Trust(alone), "code")


def test_a_code_that_unpacks_to_more_than_an_entry_is_refused_before_it_is_unpacked() -> None:
    papers, _ = voyage()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"[" + b" " * (300 << 10)) + packer.flush()

    def swap(blob: bytearray) -> None:
        del blob[114:]
        blob.extend(bomb)

    with pytest.raises(CodeUnreadable, match="holds too much"):
        read_line_code(reseal(code_of(2), swap), papers.operator.trust(), "code")


@given(st.binary(max_size=200))
def test_any_bytes_in_a_code_are_a_message(blob: bytes) -> None:
    papers, _ = voyage()
    checked = blob + zlib.crc32(blob).to_bytes(4, "big")
    text = base64.b32encode(checked).decode().rstrip("=")
    with pytest.raises(PacktrainError):
        read_line_code("PTC1:" + text, papers.operator.trust(), "code")
    with pytest.raises(CodeUnreadable):
        read_second_code("PTH1:" + text, "code")


def test_a_note_that_no_camera_would_read_is_refused_with_a_way_out() -> None:
    papers, lines = voyage()
    note = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz ", k=2000))
    event = msgspec.structs.replace(lines[2].event, note=note)
    line = open_line(signed_line(event, papers.consignor.signer()), papers.consignor.trust(), "line")
    with pytest.raises(CodeUnreadable, match="too long for a QR code") as caught:
        write_line_code(line, papers.consignor.trust())
    assert str(MAX_CODE_CHARACTERS) in str(caught.value)
    assert "--into" in (caught.value.hint or "")


def test_a_second_signature_has_a_code_of_its_own() -> None:
    papers, lines = voyage()
    found = sign_own_head(papers.operator, lines)
    code = write_second_code("ab" * 32, "operator", found.signatures["operator"])
    assert len(code) < 180
    read = read_second_code(code.lower(), "code")
    assert (read.head, read.role, len(read.signature)) == ("ab" * 32, "operator", 64)
    with pytest.raises(CodeUnreadable, match="not the code of this step") as caught:
        read_line_code(code, papers.operator.trust(), "code")
    assert "custody cosign" in (caught.value.hint or "")
