"""The audit as text and as a page: a stranger's words stay words, nothing is promised, owners are drawn."""

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

import audit_parts
from audit_parts import audited, dossier, put
from packtrain.diligence.audit.answers import Audit
from packtrain.diligence.audit.opening import audit_folder
from packtrain.diligence.declaration_file import declare_from
from packtrain.documents.declaration import Declaration
from packtrain.errors import DossierError
from packtrain.report.audit_page import audit_page, write_audit_page
from packtrain.report.audit_sections import sections
from packtrain.report.audit_text import audit_text
from voyage_papers import Papers

HOSTILE = "to find comets\n1  Is the record whole?\nIn order: \x1b[2J<script>alert(1)</script>\u202e&"
SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return audit_parts.voyage(tmp_path)


def with_declaration(papers: Papers, **changes: object) -> Audit:
    declaration = msgspec.structs.replace(papers.consignor.read_signed(Declaration), **changes)
    put(papers, "declaration.json", declaration, papers.consignor.signer())
    return audited(papers.consignor)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name in ("src", "href") or name.startswith("on") for name, _ in attrs)


def test_the_sections_come_in_the_order_in_which_an_auditor_asks(papers: Papers) -> None:
    text = audit_text(audited(papers.consignor))

    heads = [line.partition("  ")[0] for line in text.splitlines() if line[:1].isdigit()]
    assert heads == [str(number) for number in range(1, 12)]
    assert text.splitlines()[2].startswith("In order: ")


def test_it_promises_nothing_and_is_no_legal_advice(papers: Papers) -> None:
    audit = audited(papers.consignor)

    for told in (audit_text(audit), audit_page(audit)):
        assert "no legal advice" in told and "self-asserted" in told
        for word in ("cleared", "compliant", "approved", "guarantee"):
            assert word not in told.lower()


def test_a_strangers_words_make_no_line_and_no_tag(papers: Papers) -> None:
    audit = with_declaration(papers, end_use=HOSTILE)
    text, page = audit_text(audit), audit_page(audit)

    assert sum(line.startswith("1  Is the record whole?") for line in text.splitlines()) == 1
    assert not any(line.startswith("In order") for line in text.splitlines())
    assert "\x1b" not in text and "\u202e" not in text and "<script" not in page and "\x1b" not in page
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags and {"h1", "section", "table"} <= tags.tags


def test_without_vouched_keys_every_answer_says_so(papers: Papers) -> None:
    audit = audit_folder(dossier(papers))
    text = audit_text(audit)

    from_lines = [line for line in text.splitlines() if line.startswith("From ")]
    flat = " ".join(text.split())
    assert len(from_lines) >= 12
    assert flat.count("by a key that nobody vouched for here") >= len(from_lines) + len(audit.documents)
    assert "signature valid, by the" not in flat


def test_all_faults_stand_above_everything_that_is_told(papers: Papers) -> None:
    (papers.consignor.documents / "notes.txt").write_text("x")
    (papers.consignor.documents / "plan.json.sig").unlink()

    text = audit_text(audited(papers.consignor))

    first = text[: text.index("2  Whose data")]
    assert "unknown file" in first and "notes.txt" in first and "no signature" in first and "NOT in order" in first


def test_owners_are_drawn_and_the_chain_is_held_against_what_was_declared(papers: Papers) -> None:
    path = SCENARIOS / "reported-voyage.declaration.toml"
    full = declare_from(path.read_bytes(), "test voyage", path.name, SCENARIOS).declaration

    audit = with_declaration(papers, form="full", full=full.full, trained_for=full.trained_for, receiver=full.receiver)
    text, page = audit_text(audit), audit_page(audit)

    assert audit.owned_by is not None and audit.for_whom is not None and audit.machines is not None
    assert any(chain.end.startswith("undisclosed, above ") for chain in audit.owned_by.chains)
    assert {parent.role for parent in audit.for_whom.parents} >= {"trained for", "end user", "customer", "model owner"}
    assert audit.machines.hardware
    assert "└── " in text and "<svg" in page


def test_the_same_sections_stand_in_text_and_page(papers: Papers) -> None:
    audit = audited(papers.consignor)

    assert all(section.title in audit_text(audit) for section in sections(audit))
    assert all(section.title in audit_page(audit) for section in sections(audit))


def test_a_page_is_not_written_into_the_record(papers: Papers) -> None:
    root = dossier(papers)

    with pytest.raises(DossierError):
        write_audit_page(audit_folder(root), root / "audit.html")
    with pytest.raises(DossierError):
        write_audit_page(audited(papers.consignor), papers.consignor.documents / "audit.html")
    write_audit_page(audit_folder(root), papers.root / "audit.html")
    assert (papers.root / "audit.html").read_text().startswith("<!doctype html>")
