"""Writes examples/voyage.ipynb from docs/how-to/use-from-python.md: the same text, code and outputs.

python scripts/make_notebook.py           write it
python scripts/make_notebook.py --check   write nothing; end with 1 if it is not as it would be written

No jupyter is needed: a notebook is JSON (nbformat 4.5).
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "use-from-python.md"
NOTEBOOK = ROOT / "examples" / "voyage.ipynb"
_BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def cells(page: str) -> list[tuple[str, str, str]]:
    """Return the cells of a page in order: kind ("markdown" or "code"), source, and what a code cell prints."""
    found: list[tuple[str, str, str]] = []
    at = 0
    for match in _BLOCK.finditer(page):
        text = page[at : match.start()].strip()
        if text:
            found.append(("markdown", text, ""))
        at = match.end()
        if match[1] == "python":
            found.append(("code", match[2].rstrip("\n"), ""))
        else:
            kind, source, _ = found[-1]
            assert kind == "code" and not text, "an output follows the block that prints it"
            found[-1] = (kind, source, match[2])
    rest = page[at:].strip()
    return [*found, ("markdown", rest, "")] if rest else found


def notebook(page: str) -> str:
    """Return the notebook of a page."""
    # Links of the page lead from docs/how-to/; the notebook lies in examples/.
    page = re.sub(r"\]\(\.\./", "](../docs/", re.sub(r"\]\((?!\.\./|https?:|#)", "](../docs/how-to/", page))
    made: list[dict[str, Any]] = []
    for number, (kind, source, printed) in enumerate(cells(page)):
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": hashlib.sha256(f"{number}".encode()).hexdigest()[:8],
            "metadata": {},
            "source": source.splitlines(keepends=True),
        }
        if kind == "code":
            outputs = [{"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)}]
            cell |= {"execution_count": None, "outputs": outputs if printed else []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the notebook; return the exit code."""
    text = notebook(PAGE.read_text(encoding="utf-8"))
    if NOTEBOOK.is_file() and NOTEBOOK.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print(f"{NOTEBOOK.relative_to(ROOT)} is not what the page says: run python scripts/make_notebook.py")
        return 1
    NOTEBOOK.write_text(text, encoding="utf-8")
    print(f"wrote {NOTEBOOK.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
