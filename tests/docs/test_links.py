"""Every relative link of the documentation leads to a file, and to a heading in it; every page is reachable."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")


def _prose(page: Path) -> str:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def _links(page: Path) -> Iterator[str]:
    for target in _LINK.findall(_prose(page)):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield unquote(target)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, by GitHub's rule: lower case, punctuation gone, spaces to dashes."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.is_relative_to(ROOT) or not target.exists():
            broken.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target):
            broken.append(f"{link}: no such heading")
    assert not broken


def test_every_page_of_the_documentation_is_reached_from_its_index() -> None:
    seen: set[Path] = set()
    to_read = [ROOT / "docs" / "index.md"]
    while to_read:
        page = to_read.pop()
        if page in seen:
            continue
        seen.add(page)
        # Not resolve(): a page may be a link to the file that also travels inside the package.
        names = [link.partition("#")[0] for link in _links(page)]
        targets = [Path(os.path.normpath(page.parent / name)) for name in names if name]
        # A link to a folder stands for all of its pages: decisions are not listed one by one.
        to_read += [md for target in targets for md in (target.glob("*.md") if target.is_dir() else [target])]
    missing = set((ROOT / "docs").rglob("*.md")) - seen

    assert not sorted(str(page.relative_to(ROOT)) for page in missing)


def test_no_list_of_the_index_names_a_page_twice() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    lists = index.split("\n## ")
    named = [re.findall(r"^- \[[^\]]+\]\(([^()\s]+)\)", part, flags=re.MULTILINE) for part in lists]

    assert any(named)
    assert not {page for pages in named for page in pages if pages.count(page) > 1}
