"""What a shell offers after TAB: voyage folders, labels of drives and cases, rules, lists.

Read leniently and at once: a voyage.toml with a typo in it still has labels, and what cannot be read offers nothing.
Nothing here imports a stage: a shell asks anew at every TAB.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

_VOYAGE_FILE: Final = "voyage.toml"
_MOST_BYTES: Final = 1 << 20
_MOST_ENTRIES: Final = 2000
"""Entries of a folder that are looked at for voyages: a TAB must answer at once."""
_MOST_DRIVES: Final = 4096
_RULE_PACK: Final = Path(__file__).parents[1] / "diligence" / "rules" / "pack_v0.toml"


def voyage_folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the voyage folders that begin so; where there is none, whatever folders the shell finds."""
    head, tail = os.path.split(incomplete)
    found: list[CompletionItem[str]] = []
    try:
        with os.scandir(os.path.expanduser(head) or ".") as entries:  # noqa: PTH111 - what was typed is offered as it was
            for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False):
                if entry.name.startswith(tail) and os.path.isfile(f"{entry.path}/{_VOYAGE_FILE}"):  # noqa: PTH113
                    found.append(CompletionItem(os.path.join(head, entry.name), help="voyage"))  # noqa: PTH118
    except OSError:
        return []
    return sorted(found, key=lambda item: item.value) or [CompletionItem(incomplete, type="dir")]


def drive_labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the labels of this voyage's drives, A1, A2 and so on."""
    return _beginning(_drives(_voyage(ctx)), incomplete)


def labels_to_replace(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return LABEL= for each drive of this voyage: where the other one is mounted is typed after it."""
    return _beginning((f"{label}=" for label in _drives(_voyage(ctx))), incomplete)


def case_labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the labels of this voyage's cases."""
    return _beginning((label for label, _ in _cases(_voyage(ctx))), incomplete)


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the labels of this voyage's cases and drives."""
    return [*case_labels(ctx, param, incomplete), *drive_labels(ctx, param, incomplete)]


def rule_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the ids of the rules, with what each asks."""
    pack = _toml(_RULE_PACK)
    rules = [rule for rule in _tables(pack.get("rule")) if str(rule.get("id", "")).startswith(incomplete)]
    return [CompletionItem(str(rule["id"]), help=str(rule.get("title", ""))) for rule in rules]


def list_labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the labels of the lists that were added to this voyage."""
    try:
        names = sorted(path.parent.name for path in (_folder(ctx) / "lists").glob("*/list.json"))
    except OSError:
        names = []
    return _beginning(names, incomplete)


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _folder(ctx: click.Context) -> Path:
    """Return the voyage folder that the line names so far, else the current one."""
    # After an option whose value is still to come click sorts no arguments: they are as they were typed.
    named = ctx.params.get("folder")
    words = [*ctx.args, *([named] if isinstance(named, str | Path) else [])]
    if ctx.get_parameter_source("folder") is ParameterSource.COMMANDLINE:
        words.reverse()
    folders = (Path(word).expanduser() for word in words)
    return next((folder for folder in folders if (folder / _VOYAGE_FILE).is_file()), Path())


def _voyage(ctx: click.Context) -> Mapping[str, Any]:
    return _toml(_folder(ctx) / _VOYAGE_FILE)


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        # A pipe would never end.
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def _cases(voyage: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the label of each case and how many drives it holds."""
    drives = voyage.get("drives")
    for case in _tables(drives.get("case")) if isinstance(drives, dict) else []:  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        named, count = case.get("drives"), case.get("count")
        number = len(named) if isinstance(named, list) else count if isinstance(count, int) else 0  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(label := case.get("label"), str):
            yield label, min(number, _MOST_DRIVES)


def _drives(voyage: Mapping[str, Any]) -> Iterator[str]:
    for label, count in _cases(voyage):
        yield from (f"{label}{number}" for number in range(1, count + 1))
