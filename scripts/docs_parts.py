"""What the pages of the documentation hold: fenced blocks, spans of code, and the packtrain commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# What the script writes from the code cannot be another than the code; decisions tell what was true on their day.
_WRITTEN_FROM_THE_CODE = {"cli", "documents", "exit-codes", "python", "rules", "source-tree", "voyage-toml"}

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# A command begins a line, follows a prompt, or follows what the shell lets a command follow.
_COMMAND = re.compile(r"(?:^|[;&|(]|\bdo|\bthen|\$)\s*packtrain (?=\S)", re.MULTILINE)
_SUBSTITUTION = re.compile(r"\$\((?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: the page below the root, the language after the fence, the line it begins at, its text."""

    page: str
    language: str
    line: int
    text: str

    @property
    def first(self) -> str:
        """Its first line, by which a table names it."""
        return self.text.partition("\n")[0].strip()


def pages() -> list[Path]:
    """Return the pages written by hand that tell what is true today."""
    found = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    made = {DOCS / "reference" / f"{name}.md" for name in _WRITTEN_FROM_THE_CODE}
    return sorted(page for page in found if page not in made and "adr" not in page.parts)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, found[2], text.count("\n", 0, found.start()) + 1, re.sub(f"(?m)^{found[1]}", "", found[3]))
        for found in _FENCE.finditer(text)
    ]


def title(page: Path) -> str:
    """Return the heading of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def spans(page: Path) -> list[str]:
    """Return the spans of code in the prose of a page; one that goes over two lines is one line here."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `packtrain` of each command in lines of shell, quotes taken off, `$` left as it stands."""
    text = _SUBSTITUTION.sub("$SUBSTITUTED", text.replace("\\\n", " "))
    for found in _COMMAND.finditer(text):
        line = text[found.end() :].partition("\n")[0]
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("();<>|&"):
                break
            words.append(word)
        yield words


def examples() -> list[tuple[str, str]]:
    """Return command lines of the documentation as they stand there, each with its page below docs/, none twice.

    Only lines that say all by themselves: no variable, no pipe, no loop. Those of blocks that tests run come first,
    then those behind a prompt. A verb that has none of either may have one in a sentence: these come last.
    """
    # The page that explains every verb of a first voyage goes before those that use the same line.
    docs = sorted(
        (page for page in pages() if page.is_relative_to(DOCS)), key=lambda page: page.stem != "your-own-data"
    )
    told = [
        (line, page)
        for language in ("sh", "console")
        for page in docs
        for block in blocks(page)
        if block.language == language
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    told += [(span, page) for page in docs for span in spans(page)]
    found: dict[str, str] = {}
    for text, page in told:
        line = " ".join(re.sub(r"\s+#.*", "", text.removeprefix("$ ")).split())
        if re.match(r"packtrain [a-z]", line) and not re.search(r"[$;|&<>(]|\.\.\.", line):
            found.setdefault(line, page.relative_to(DOCS).as_posix())
    return list(found.items())
