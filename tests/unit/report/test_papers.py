"""The papers to print: exact, complete, the same bytes for the same documents, and deaf to what a text tries to be."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packtrain.diligence.paper_folder import PAPER_NAMES
from packtrain.diligence.paper_sources import PaperSources, gather
from packtrain.documents.customs import Customs
from packtrain.documents.declaration import Declaration
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.report.papers import render
from packtrain.report.papers.markup import el, safe, visible
from packtrain.report.papers.sheet import centimetres, kilograms, money
from packtrain.stages import papers as stage
from paper_parts import CASES, PRINTED, closed, serial_of
from sample_documents import samples

LABELS = [f"{case}{number}" for case in CASES for number in range(1, 16)]
GOODS = "29 287.24"  # 57 x 412.37 + 3 x 1830.05 + 240 + 8 x 6.50
TOTAL = "30 112.74"  # and freight 640.00, insurance 185.50
_NO_TEXT = frozenset(
    [
        "uuid",
        "label",
        "case",
        "cases",
        "drives",
        "drive",
        "shipment",
        "shipment_root",
        "plan",
        "declaration",
        "packing_statement",
        "supersedes",
        "stated_on",
        "signed_on",
        "closed_on",
        "at",
        "returns_by",
        "country",
        "origin",
        "dispatch",
        "destination",
        "location",
        "headquarters",
        "parent_country",
        "currency",
        "hs_code",
        "verb",
        "by",
        "counterpart",
        "answers",
        "previous",
        "kind",
        "role",
        "signer",
        "recipient",
        "reviewer",
        "form",
        "site_country",
        "export_list",
        "sanitisation",
        "sha256",
        "address_kind",
        "payment",
        "prohibited_uses",
        "mode",
    ]
)
"""Fields that hold no free text: a reader refuses any other value in them."""


class Seen(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text. A drawing is one element."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Any]] = []
        self.texts: list[str] = []
        self._in_drawing = False
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._in_drawing:
            self.elements.append((tag, attrs if tag != "svg" else None))
        self._in_drawing |= tag == "svg"

    def handle_endtag(self, tag: str) -> None:
        self._in_drawing &= tag != "svg"
        if not self._in_drawing:
            self.elements.append(("/" + tag, None))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", data))

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture(scope="module")
def consignor(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    folder = closed(tmp_path_factory.mktemp("voyage")).consignor
    stage.write_papers(folder, render, discard)
    return folder


@pytest.fixture(scope="module")
def sources(consignor: VoyageFolder) -> PaperSources:
    return gather(consignor)


@pytest.fixture(scope="module")
def pages(sources: PaperSources) -> dict[str, bytes]:
    return render(sources).pages


def test_a_closed_voyage_gives_every_paper_there_is(pages: dict[str, bytes]) -> None:
    assert tuple(pages) == PAPER_NAMES


@pytest.mark.parametrize("name", PAPER_NAMES)
def test_each_paper_shows_every_serial_number_once(pages: dict[str, bytes], name: str) -> None:
    seen = Seen(pages[name])

    for label in LABELS:
        assert (seen.texts.count(serial_of(label)), seen.text.count(serial_of(label))) == (1, 1), label
    assert "folder-" not in seen.text


@pytest.mark.parametrize("name", PAPER_NAMES)
def test_each_paper_marks_the_one_serial_number_that_a_person_read(pages: dict[str, bytes], name: str) -> None:
    text = Seen(pages[name]).text

    assert f"{PRINTED} \u2020" in text
    assert text.count("\u2020") == 2  # and the note that says what it means


@pytest.mark.parametrize("name", ["pro-forma-invoice.html", "ata-general-list.html"])
def test_values_are_exact_and_the_lines_add_up_to_the_total(pages: dict[str, bytes], name: str) -> None:
    text = Seen(pages[name]).text.replace("\u00a0", " ")

    assert GOODS in text
    if name == "ata-general-list.html":
        cells = re.findall(r'<td class="n">([0-9\u00a0]+\.[0-9]{2})</td>', pages[name].decode())
        assert sum(int(cell.replace("\u00a0", "").replace(".", "")) for cell in cells) == 2928724
    else:
        assert TOTAL in text


def test_the_packing_list_adds_up_by_case_and_in_all(pages: dict[str, bytes]) -> None:
    text = Seen(pages["packing-list.html"]).text

    # 15 x 0.685 and the dock; 15 x 0.685; 12 x 0.685, 3 x 0.142 and eight cables
    for net in ("12.375", "10.275", "9.126", "42.051"):
        assert net in text
    assert "65.700" in text


def test_an_invoice_states_the_value_of_the_data_in_words_or_as_a_sum(sources: PaperSources) -> None:
    assert sources.customs is not None
    declared = replace(sources, customs=msgspec.structs.replace(sources.customs, recorded_data=100_001))

    assert "none declared" in Seen(render(sources).pages["pro-forma-invoice.html"]).text
    text = Seen(render(declared).pages["pro-forma-invoice.html"]).text.replace("\u00a0", " ")
    assert "none declared" not in text
    assert "1 000.01" in text
    assert "31 112.75" in text


def test_the_sanitisation_certificate_says_loudly_that_nothing_was_done(pages: dict[str, bytes]) -> None:
    text = Seen(pages["sanitisation-certificate.html"]).text

    assert "60 of 60 drives: NOT SANITISED" in text
    assert "Not reached: backups." in text
    assert not re.search(r"\d+ drives: (Clear|Purge)", text)


def test_the_chain_of_custody_names_both_sides_and_each_signed_entry(
    pages: dict[str, bytes], sources: PaperSources
) -> None:
    text = Seen(pages["chain-of-custody.html"]).text

    for line in sources.custody:
        assert line.digest[:32] in text
    assert "airport, cargo desk 3; W. Rojas to I. de Wit" in text
    assert sources.custody[-1].digest in text


@pytest.mark.parametrize("name", PAPER_NAMES)
def test_each_paper_names_its_documents_and_is_whole_in_itself(
    pages: dict[str, bytes], sources: PaperSources, name: str
) -> None:
    text, page = Seen(pages[name]).text, pages[name].decode()

    assert sources.root() is not None
    assert str(sources.root()) in text
    assert sum(digest in text for digest in sources.digests.values()) >= 2
    assert "Nothing here is legal advice." in text
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|https?:", page)


def test_the_same_documents_give_the_same_bytes(consignor: VoyageFolder, pages: dict[str, bytes]) -> None:
    assert render(gather(consignor)).pages == pages


def test_a_paper_changes_only_with_the_documents_that_it_is_made_from(sources: PaperSources) -> None:
    rest = {kind: digest for kind, digest in sources.digests.items() if kind not in ("closing", "custody")}
    before = render(replace(sources, closing=None, custody=(), digests=rest))

    assert set(before.not_yet) == {"chain-of-custody.html", "sanitisation-certificate.html"}
    for name in ("pro-forma-invoice.html", "packing-list.html", "ata-general-list.html", "end-user-statement.html"):
        assert before.pages[name] == render(sources).pages[name]


def _with_texts(document: Any, text: str) -> Any:
    """Return a document in which every free text says `text`."""

    def walk(node: Any, field: str) -> Any:
        if isinstance(node, dict):
            return {key: walk(value, key) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [walk(value, field) for value in node]
        return text if isinstance(node, str) and field not in _NO_TEXT else node

    # Not checked again: what a reader would refuse for its length has to be inert as well.
    return _rebuilt(type(document), walk(msgspec.to_builtins(document), ""), document)


def _rebuilt(kind: type, values: dict[str, Any], like: Any) -> Any:
    fields = {}
    for field in msgspec.structs.fields(kind):
        before, after = getattr(like, field.name), values[field.name]
        if isinstance(before, msgspec.Struct):
            after = _rebuilt(type(before), after, before)
        elif isinstance(before, tuple):
            pairs = zip(before, after, strict=True)
            after = tuple(_rebuilt(type(b), a, b) if isinstance(b, msgspec.Struct) else a for b, a in pairs)
        fields[field.name] = after
    return kind(**fields)


def _few(sources: PaperSources) -> PaperSources:
    """Return the same with three drives a case: a page of every kind, quickly made."""
    assert sources.statement is not None and sources.closing is not None
    cases = tuple(msgspec.structs.replace(case, drives=case.drives[-3:]) for case in sources.statement.cases)
    return replace(
        sources,
        statement=msgspec.structs.replace(sources.statement, cases=cases),
        closing=msgspec.structs.replace(sources.closing, drives=sources.closing.drives[-3:]),
    )


def _saying(sources: PaperSources, text: str) -> PaperSources:
    declaration, sources = samples()[Declaration], _few(sources)
    return replace(
        sources,
        parties=msgspec.structs.replace(
            sources.parties,
            voyage=text,
            parties=tuple(msgspec.structs.replace(party, name=text) for party in sources.parties.parties),
        ),
        declaration=_with_texts(declaration, text),
        statement=_with_texts(sources.statement, text),
        customs=_with_texts(sources.customs, text),
        closing=_with_texts(sources.closing, text),
        custody=tuple(replace(line, event=_with_texts(line.event, text)) for line in sources.custody),
    )


@pytest.fixture(scope="module")
def plain_elements(sources: PaperSources) -> dict[str, list[tuple[str, Any]]]:
    """Return the elements of each paper where every text is one plain word."""
    return {name: Seen(page).elements for name, page in render(_saying(sources, "plain")).pages.items()}


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<!-- ", "-->", "]]>", "&lt;b&gt;", "&#60;script&#62;", "' onmouseover='alert(1)", "{{7*7}}", "\\3c script\\3e ",
    "a\u202eb", "a\x00b", "a\x1b[31mb", "line\nline", "\ud7ff\U0010ffff",
]  # fmt: skip


@given(
    text=st.one_of(
        st.sampled_from(ATTACKS),
        st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60),
        st.text("<>&\"'/=!-abc \n", min_size=1, max_size=40),
    ).filter(lambda text: text.strip() not in ("", "none"))
)
@example(text=" ".join(ATTACKS))
@settings(max_examples=settings().max_examples // 4 or 1)
def test_no_text_of_a_document_becomes_markup(
    sources: PaperSources, plain_elements: dict[str, list[tuple[str, Any]]], text: str
) -> None:
    hostile = render(_saying(sources, text)).pages

    for name in PAPER_NAMES:
        seen = Seen(hostile[name])
        assert seen.elements == plain_elements[name]
        assert visible(text).strip() in seen.text


def test_what_turns_the_direction_of_writing_is_shown_by_its_number() -> None:
    assert visible("safe\u202efdp.exe") == "safe<U+202E>fdp.exe"
    assert safe("a\x00\x1bb\u2066") == "a&lt;U+0000&gt;&lt;U+001B&gt;b&lt;U+2066&gt;"
    assert visible("one\n two\t three") == "one two three"
    assert el("b", "<i>", el("i", "x")) == "<b>&lt;i&gt;<i>x</i></b>"


@given(value=st.integers(0, 10**15), decimals=st.integers(0, 4))
def test_money_loses_no_digit(value: int, decimals: int) -> None:
    shown = money(value, decimals).replace("\u00a0", "")

    assert int(shown.replace(".", "")) == value
    assert len(shown.partition(".")[2]) == decimals


def test_weights_and_lengths_are_exact() -> None:
    assert [kilograms(1), kilograms(685), kilograms(1_234_567_891)] == ["0.001", "0.685", "1\u00a0234\u00a0567.891"]
    assert [centimetres(1), centimetres(455), centimetres(10_000)] == ["0.1", "45.5", "1000.0"]


def test_a_party_without_documents_gets_no_paper_and_is_told_why(tmp_path: Path) -> None:
    operator = closed(tmp_path).operator

    rendered = render(gather(operator))

    assert rendered.pages == {}
    assert "consignor's dossier" in rendered.not_yet["packing-list.html"]
    assert set(rendered.not_yet) == set(PAPER_NAMES)


def test_answers_for_another_packing_statement_make_no_paper(sources: PaperSources, tmp_path: Path) -> None:
    folder = closed(tmp_path).consignor
    stage.write_papers(folder, render, discard)
    other = msgspec.structs.replace(folder.read_signed(Customs), packing_statement="0" * 64)
    folder.write_signed(other, folder.signer())

    rendered = render(gather(folder))

    assert "another packing statement" in rendered.not_yet["pro-forma-invoice.html"]
    assert "seal-record.html" in rendered.pages
