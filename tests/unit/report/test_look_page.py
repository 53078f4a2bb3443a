"""The page to look at data: its numbers, its bytes, and that nothing of a stranger's becomes markup."""

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from looked_parts import HOSTILE_CELL, HOSTILE_NAME, answer_of, mixed_voyage
from packtrain.dataset.looking.look import Look, RejectGroup, RejectRow, Wanted
from packtrain.record.folder import VoyageFolder
from packtrain.report.look_page import look_page, write_look_page
from packtrain.stages.prepare import look

KNOWN_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "section",
        "nav",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "b",
        "i",
    ),
    *(
        "ul",
        "li",
        "a",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "span",
        "img",
        "code",
        "pre",
    ),
    *("details", "summary", "svg", "rect", "line", "text", "path"),
}
VOID_TAGS = {"meta", "img"}


class Page(HTMLParser):
    """What stands on a page: its tags with their attributes, its text, and whether what is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS and not self.get_starttag_text().endswith("/>"):  # pyright: ignore[reportOptionalMemberAccess]
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "path"):  # closed by themselves
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def words(self) -> str:
        """Return the text with single blanks."""
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> VoyageFolder:
    return mixed_voyage(
        tmp_path_factory.mktemp("page"), "image_crop_pixels = 16\nclip_frames = 4\nclip_size_pixels = 16"
    )


@pytest.fixture(scope="module")
def found(folder: VoyageFolder) -> Look:
    return look(folder, Wanted())


def test_nothing_of_a_stranger_becomes_markup_and_nothing_is_fetched(found: Look) -> None:
    html = look_page(found)
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= KNOWN_TAGS
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:image/webp;base64,").startswith("data:image/webp;base64,")
        assert (attributes.get("href") or "#").startswith("#")
    policy = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    # Both are there, as text.
    assert HOSTILE_NAME in page.words()
    assert HOSTILE_CELL in page.words()


def test_the_numbers_on_the_page_are_those_of_the_tables(folder: VoyageFolder, found: Look) -> None:
    words = Page(look_page(found)).words()
    (kept,), (dropped,), (aside,) = (
        answer_of(folder, f"SELECT count(*) FROM {{{name}}}")[0] for name in ("index", "drops", "rejects")
    )
    assert f"{kept:,} samples kept {dropped:,} samples dropped {aside:,} set aside" in words
    for kind, number in answer_of(folder, "SELECT kind, count(*) FROM {index} GROUP BY ALL"):
        assert f"{kind} {number:,} " in words
    for kind, rule, number in answer_of(folder, "SELECT kind, rule, count(*) FROM {drops} GROUP BY ALL"):
        assert f"{kind} exact copy {rule} {number:,}" in words
    for (path,) in answer_of(folder, "SELECT path FROM {rejects}"):
        assert path in words
    assert "prepare --retry" in words


def test_every_picture_has_words_and_can_be_reached_by_keyboard(found: Look) -> None:
    page = Page(look_page(found))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == look_page(found).count("data:image/webp;base64,") > 60
    assert all(attributes["alt"] and attributes["width"] and attributes["height"] for attributes in images)
    tiles = [attributes for _, attributes in page.tags if attributes.get("class") == "tile"]
    assert len(tiles) == sum(len(sheet.shown) for sheet in found.sheets)
    assert all(attributes["tabindex"] == "0" for attributes in tiles)
    for sheet in found.sheets:
        assert all(each.key in page.words() for each in sheet.shown)
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(attributes.get("aria-label") or attributes.get("aria-hidden") for attributes in drawings)


def test_every_link_leads_to_a_part_of_the_page(found: Look) -> None:
    page = Page(look_page(found))
    anchors = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [(attributes["href"] or "")[1:] for tag, attributes in page.tags if tag == "a"]
    assert links == anchors
    assert {"counts", "images", "clips", "made", "tables", "measures", "copies", "rejects"} <= set(links)


def test_the_same_data_gives_the_same_bytes_and_another_seed_others(folder: VoyageFolder, found: Look) -> None:
    assert look_page(look(folder, Wanted())) == look_page(found)
    assert look_page(look(folder, Wanted(seed=1))) != look_page(found)


def test_what_the_data_scan_found_is_nowhere_on_the_page(found: Look) -> None:
    html = look_page(found)
    assert not re.search(r"secret\d+", html)
    assert "contact" not in html
    assert "the data scan found e-mail addresses" in html


def test_the_file_is_for_its_owner_alone_and_says_so(found: Look, tmp_path: Path) -> None:
    path = tmp_path / "look.html"
    path.write_text("older")
    path.chmod(0o644)
    num_bytes = write_look_page(found, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == num_bytes
    assert "Private." in path.read_text()


def test_a_page_stays_about_as_long_as_it_may(folder: VoyageFolder) -> None:
    assert len(look_page(look(folder, Wanted(num_samples=500)))) > 300_000
    cut = look(folder, Wanted(num_samples=500, page_bytes=200_000))
    html = look_page(cut)
    assert len(html) < 200_000
    assert f"{cut.num_left_out:,} pictures had no room" in html


def test_an_empty_look_is_a_page_too() -> None:
    empty = Look("x", "0" * 64, "", 0, 0, 0, (), {}, 8_000_000)
    assert "Nothing that was read was dropped." in look_page(empty)


def test_long_and_odd_texts_are_cut_and_made_visible(found: Look) -> None:
    row = RejectRow("a\u202eb" + "c" * 4000, "image", "decode", "", "e\x00\x1b[31m", 5)
    group = RejectGroup("image", "decode", "<b>#", 7, 5, (row,))
    html = look_page(
        Look("x\n<y>", "0" * 64, "", 0, 0, 0, (), {}, 1, rejects=[group], num_rejects=7, num_reject_groups=1)
    )
    assert "a·bc" in html
    assert "c" * 300 not in html
    assert "e··[31m" in html
    assert "and 6 more like these" in html
    assert "<title>x·&lt;y&gt;: a look at the data</title>" in html
