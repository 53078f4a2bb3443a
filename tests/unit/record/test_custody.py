import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import rfc8785

from packtrain.documents.codec import decode, encode
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.parties import Role
from packtrain.errors import CustodyBroken, DocumentError, PacktrainError, SignatureInvalid, UntrustedSigner
from packtrain.record import custody
from packtrain.record.custody import CustodyLine, CustodyLog, open_line, read_log, signed_line
from packtrain.record.folder import VoyageFolder
from packtrain.record.trust import Trust
from sample_documents import SHIPMENT
from three_parties import three_parties


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path_factory.mktemp("voyage"))


@pytest.fixture(scope="module")
def trust(folders: dict[Role, VoyageFolder]) -> Trust:
    return folders["consignor"].trust()


Add = Callable[..., CustodyLine]


@pytest.fixture
def log(tmp_path: Path) -> CustodyLog:
    return CustodyLog(tmp_path / "custody.jsonl")


@pytest.fixture
def add(folders: dict[Role, VoyageFolder], trust: Trust, log: CustodyLog) -> Add:
    def add(verb: str, by: Role = "consignor", to: CustodyLog | None = None, note: str = "") -> CustodyLine:
        return (to or log).append(
            cast("custody.CustodyVerb", verb),
            shipment=SHIPMENT,
            by=by,
            signer=folders[by].signer(),
            trust=trust,
            cases=("A",),
            note=note,
        )

    return add


@pytest.fixture
def three_lines(add: Add, log: CustodyLog) -> list[bytes]:
    for verb in ("closed", "sealed", "released"):
        add(verb)
    return log.path.read_bytes().splitlines(keepends=True)


def test_a_log_that_was_never_written_is_empty(log: CustodyLog, trust: Trust) -> None:
    assert log.read(trust) == ()


def test_entries_come_back_in_order_and_chained(add: Add, log: CustodyLog, trust: Trust) -> None:
    written = [add("closed"), add("sealed", note="Zürich, \U0001f434"), add("accepted", by="operator")]

    read = log.read(trust)

    assert list(read) == written
    assert [line.event.sequence for line in read] == [0, 1, 2]
    assert [line.event.previous for line in read] == [custody.GENESIS, read[0].digest, read[1].digest]


def test_every_altered_byte_is_noticed(three_lines: list[bytes], trust: Trust) -> None:
    payload = b"".join(three_lines)
    for position in range(0, len(payload), 3):
        changed = bytearray(payload)
        changed[position] ^= 1
        with pytest.raises(PacktrainError):
            read_log(bytes(changed), trust, "log")


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2), (0, 2), (0, 0, 1, 2), (0, 1, 2, 2)])
def test_moved_dropped_and_doubled_lines_break_the_chain(
    three_lines: list[bytes], trust: Trust, order: tuple[int, ...]
) -> None:
    with pytest.raises(CustodyBroken, match="removed, added, altered or moved"):
        read_log(b"".join(three_lines[i] for i in order), trust, "log")


def test_a_cut_tail_cannot_be_seen_in_the_log_alone(three_lines: list[bytes], trust: Trust) -> None:
    """The honest limit: a prefix is a valid log. `test_a_cut_tail_shows_against_the_counterpart` shows the remedy."""
    assert len(read_log(b"".join(three_lines[:2]), trust, "log")) == 2


def test_a_cut_tail_shows_against_the_counterpart(
    add: Add, log: CustodyLog, trust: Trust, three_lines: list[bytes], tmp_path: Path
) -> None:
    other = CustodyLog(tmp_path / "other.jsonl")
    other.path.write_bytes(b"".join(three_lines))
    answer = add("accepted", by="operator", to=other)
    log.path.write_bytes(b"".join(three_lines[:2]))

    with pytest.raises(CustodyBroken, match="forked") as caught:
        log.adopt(answer, trust)

    assert "entry 3" in (caught.value.found or "")


def test_the_counterparts_answer_is_adopted_and_both_logs_are_one(
    add: Add, log: CustodyLog, trust: Trust, three_lines: list[bytes], tmp_path: Path
) -> None:
    other = CustodyLog(tmp_path / "other.jsonl")
    other.path.write_bytes(b"".join(three_lines))
    answer = add("accepted", by="operator", to=other)

    log.adopt(open_line(answer.payload, trust, "answer"), trust)

    assert log.path.read_bytes() == other.path.read_bytes()
    assert log.read(trust)[-1].event.by == "operator"


def test_two_logs_that_went_different_ways_do_not_join(
    add: Add, log: CustodyLog, trust: Trust, three_lines: list[bytes], tmp_path: Path
) -> None:
    other = CustodyLog(tmp_path / "other.jsonl")
    other.path.write_bytes(b"".join(three_lines))
    answer = add("accepted", by="operator", to=other)
    add("lost")

    with pytest.raises(CustodyBroken, match="forked"):
        log.adopt(answer, trust)
    assert len(log.read(trust)) == 4


def test_half_a_last_line_is_named(three_lines: list[bytes], trust: Trust) -> None:
    with pytest.raises(CustodyBroken, match="cut short"):
        read_log(b"".join(three_lines)[:-5], trust, "log")


def test_an_entry_by_a_party_with_the_key_of_another_is_refused(
    folders: dict[Role, VoyageFolder], trust: Trust, three_lines: list[bytes]
) -> None:
    event = decode(CustodyEvent, json.loads(three_lines[0])["entry"].encode(), "entry")
    forged = signed_line(event, folders["operator"].signer())

    with pytest.raises(UntrustedSigner, match="another party than it names"):
        open_line(forged, trust, "log")


def test_a_strangers_entry_is_refused(trust: Trust, three_lines: list[bytes], tmp_path: Path) -> None:
    stranger = three_parties(tmp_path / "elsewhere")["consignor"].signer()
    event = decode(CustodyEvent, json.loads(three_lines[0])["entry"].encode(), "entry")

    with pytest.raises(UntrustedSigner, match="does not name"):
        open_line(signed_line(event, stranger), trust, "log")


def test_a_back_dated_entry_is_refused(
    folders: dict[Role, VoyageFolder], trust: Trust, three_lines: list[bytes], log: CustodyLog
) -> None:
    last = log.read(trust)[-1]
    event = msgspec.structs.replace(last.event, sequence=3, previous=last.digest, at="2001-01-01T00:00:00Z")
    payload = b"".join(three_lines) + signed_line(event, folders["consignor"].signer()) + b"\n"

    with pytest.raises(CustodyBroken, match="dated before"):
        read_log(payload, trust, "log")


def test_a_clock_that_was_set_back_does_not_stop_the_log(
    add: Add, log: CustodyLog, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add("closed")
    monkeypatch.setattr(custody, "instant", lambda: "2001-01-01T00:00:00Z")
    add("sealed")

    assert log.read(trust)[1].event.at == first.event.at


def _body(line: bytes) -> dict[str, Any]:
    return json.loads(line)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"",
        lambda line: b"null",
        lambda line: b"[]",
        lambda line: line[:-1],
        lambda line: line + b" ",
        lambda line: b" " + line,
        lambda line: rfc8785.dumps({**_body(line), "more": 1}),
        lambda line: rfc8785.dumps({"entry": _body(line)["entry"]}),
        lambda line: rfc8785.dumps({**_body(line), "entry": {}}),
        lambda line: rfc8785.dumps({**_body(line), "signature": None}),
        lambda line: json.dumps(_body(line)).encode(),
        lambda line: b'{"a":' * 50_000,
        lambda line: b"x" * (custody.MAX_LINE_BYTES + 1),
    ],
)
def test_a_line_of_another_form_is_refused(
    three_lines: list[bytes], trust: Trust, spoil: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(CustodyBroken):
        open_line(spoil(three_lines[0].rstrip()), trust, "log")


def test_a_line_with_another_signature_is_refused(three_lines: list[bytes], trust: Trust) -> None:
    body = {"entry": json.loads(three_lines[0])["entry"], "signature": json.loads(three_lines[1])["signature"]}

    with pytest.raises(SignatureInvalid):
        open_line(rfc8785.dumps(body), trust, "log")


def test_a_log_longer_than_any_is_refused_before_it_is_split(trust: Trust) -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return custody.MAX_LOG_BYTES + 1

    with pytest.raises(CustodyBroken, match="too long"):
        read_log(Huge(b""), trust, "log")


def test_a_broken_log_takes_no_more_entries(add: Add, log: CustodyLog, three_lines: list[bytes]) -> None:
    log.path.write_bytes(three_lines[0] + three_lines[2])

    with pytest.raises(CustodyBroken):
        add("lost")
    assert log.path.read_bytes() == three_lines[0] + three_lines[2]


@pytest.mark.parametrize("note", ["x" * 4097, "bytes from a command line: \udcff"])
def test_an_entry_that_nobody_could_read_is_not_written(add: Add, log: CustodyLog, trust: Trust, note: str) -> None:
    add("closed")

    with pytest.raises(DocumentError, match="cannot be written"):
        add("sealed", note=note)
    assert len(log.read(trust)) == 1


def test_a_line_keeps_the_bytes_that_were_signed(add: Add, trust: Trust) -> None:
    line = add("closed", note="first\nsecond")

    assert b"\n" not in line.payload
    assert open_line(line.payload, trust, "log") == line
    assert json.loads(line.payload)["entry"].encode() == encode(line.event)
