import io
import json
import re
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import Role
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.report.page import page
from packtrain.report.summarize import summarize
from packtrain.report.training_facts import STEPS
from packtrain.report.write import write_page
from sample_documents import samples
from three_parties import three_parties

HOSTILE = "</td><script>alert('x')</script><img src=\"https://evil.example/x\" onerror=alert(1)>&"
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Collects tags and their attributes, and checks that every tag is closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def _hostile(document: Document) -> Document:
    """Return the document with hostile words in every place where its schema takes any text."""
    body: dict[str, Any] = msgspec.to_builtins(document)

    def spoil(holder: Any, keys: Iterable[Any]) -> None:
        for key in keys:
            value = holder[key]
            if isinstance(value, dict):
                spoil(value, list(value))
            elif isinstance(value, list):
                spoil(value, range(len(value)))
            elif isinstance(value, str):
                holder[key] = HOSTILE
                try:
                    msgspec.convert(body, type(document))
                except msgspec.ValidationError:
                    holder[key] = value

    body = json.loads(json.dumps(body))
    spoil(body, list(body))
    return msgspec.convert(body, type(document))


@pytest.fixture
def folders(tmp_path: Path) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path)


def _write(folder: VoyageFolder, by: VoyageFolder, kind: type[Document], *, hostile: bool) -> None:
    document = samples()[kind]
    if hostile:
        document = _hostile(document)
    folder.write_signed(document, by.signer())


def _full(folders: dict[Role, VoyageFolder], *, hostile: bool = False) -> list[VoyageFolder]:
    """Fill the folders with what a voyage leaves behind."""
    consignor = folders["consignor"]
    written: tuple[tuple[type[Document], Role], ...] = (
        (Shipment, "consignor"),
        (Ready, "consignor"),
        (Declaration, "consignor"),
        (Admission, "operator"),
        (ExportList, "operator"),
    )
    for kind, role in written:
        _write(consignor, folders[role], kind, hostile=hostile)
    word = HOSTILE if hostile else "fine"
    StageClock(consignor, "prepare", {}).finish(counts={"samples_prepared": 1234567}, facts={"note": word})
    StageClock(folders["consignee"], "load", {}).finish(
        counts={"samples_loaded": 1234567, "drives_lost": 1, "blocks_repaired": 6},
        facts={"lost": "B1", "damaged": f"A1: {word}"},
    )
    steps = folders["consignee"].logs / STEPS
    steps.parent.mkdir(parents=True)
    steps.write_text("".join(f"[{1 + i // 5}, {i}, {5 - i / 10}]\n" for i in range(10)))
    return list(folders.values())


def test_a_page_tells_what_happened(folders: dict[Role, VoyageFolder]) -> None:
    read = Reader(page(replace(summarize(_full(folders)), sentences=("sealed case A",))))

    for words in ("test voyage", "1,234,567", "blocks repaired", "Observatory", "weights.safetensors", "sealed case A"):
        assert words in read.words
    assert "5.00 → 4.10" in read.words  # the first loss and the last
    assert "Nothing here is legal advice" in read.words


def test_a_page_of_a_new_voyage_is_short_and_whole(folders: dict[Role, VoyageFolder]) -> None:
    read = Reader(page(summarize([folders["consignor"]])))

    assert "test voyage" in read.words
    assert "svg" not in {tag for tag, _ in read.tags}


@pytest.mark.parametrize("hostile", [False, True])
def test_a_page_holds_no_script_and_asks_for_nothing(folders: dict[Role, VoyageFolder], hostile: bool) -> None:
    sentences = (HOSTILE,) if hostile else ("sealed",)
    text = page(replace(summarize(_full(folders, hostile=hostile)), sentences=sentences))
    read = Reader(text)

    assert not {tag for tag, _ in read.tags} & {"script", "link", "iframe", "object", "embed", "form", "base", "img"}
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "action", "srcset")], tag
    assert "@import" not in text
    assert re.findall(r"url\(", text) == []
    policy = next(a["content"] or "" for t, a in read.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_hostile_words_are_shown_as_words(folders: dict[Role, VoyageFolder]) -> None:
    read = Reader(page(replace(summarize(_full(folders, hostile=True)), sentences=(HOSTILE,))))

    assert read.words.count("<script>alert('x')</script>") > 8


def test_the_name_of_a_voyage_cannot_carry_markup(folders: dict[Role, VoyageFolder]) -> None:
    folder = folders["consignor"]
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text().replace('"test voyage"', '"a & b"'))

    from packtrain.errors import VoyageFileError

    with pytest.raises(VoyageFileError):
        summarize([folder])


def test_what_could_not_be_read_is_said(folders: dict[Role, VoyageFolder]) -> None:
    folders["consignor"].write(samples()[Shipment])

    read = Reader(page(summarize([folders["consignor"]])))

    assert "Not read" in read.words
    assert "document has no signature" in read.words


def _shard(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, payload in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(payload)
            archive.addfile(member, io.BytesIO(payload))


def test_pictures_are_shown_only_when_asked_for(folders: dict[Role, VoyageFolder], tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    _shard(shards / "image-000000.tar", {"a.png": b"png", "a.json": b"{}", "huge.png": bytes(300_000)})
    summary = summarize([folders["consignor"]])

    assert "img" not in {tag for tag, _ in Reader(page(summary)).tags}
    (shards / "half.tar").write_bytes(b"x" * 700)  # no tar: it is passed over
    images = [
        attributes for tag, attributes in Reader(page(replace(summary, shard_folder=shards))).tags if tag == "img"
    ]
    assert [image["alt"] for image in images] == ["sample a"]
    assert (images[0]["src"] or "").startswith("data:image/png;base64,")


def test_a_hostile_member_name_is_a_caption_and_nothing_else(folders: dict[Role, VoyageFolder], tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    _shard(shards / "image-000000.tar", {'x" onload="alert(1).png': b"png"})

    read = Reader(page(summarize([folders["consignor"]], shard_folder=shards)))

    assert [sorted(attributes) for tag, attributes in read.tags if tag == "img"] == [["alt", "src", "title"]]


def test_a_report_is_written_as_one_file(folders: dict[Role, VoyageFolder], tmp_path: Path) -> None:
    path = write_page(summarize(_full(folders)), tmp_path / "out" / "report.html")

    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(path.parent.iterdir()) == [path]
