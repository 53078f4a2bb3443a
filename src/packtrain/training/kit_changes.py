"""What one kit has that another has not, for a person who decides: wheels with versions, lines of program, exports."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from packtrain.documents.kit import Kit, KitFile
from packtrain.documents.toml_file import MAX_TOML_BYTES, decode_toml
from packtrain.errors import ExportDenied, PacktrainError
from packtrain.training import bom
from packtrain.training.export import DECLARATION_NAME, ExportRules
from packtrain.training.kit import WHEELS
from packtrain.training.kit_held import PROGRAM, SUMS
from packtrain.training.kit_install import link_provided

_RULES: Final = f"{PROGRAM}/{DECLARATION_NAME}"
_WHEEL: Final = re.compile(rf"{WHEELS}/([^-/]+)-([^-/]+)-[^/]+\.whl")
# They change with any other file, and nothing at the site is steered by them.
_LISTS: Final = frozenset({SUMS, bom.NAME, "README.txt"})
_MAX_LINES: Final = 4000
Content = Callable[[KitFile], bytes | None]
"""Returns the bytes of a file of a kit, or None where they are not at hand or not to be shown."""


@dataclass(frozen=True, slots=True)
class KitChanges:
    """The difference of two kits.

    Attributes:
        wheels: "numpy 2.1.0 -> 2.1.1", "added", "removed"; one a package.
        program: names of files of the program: added, changed, removed.
        lines: a unified diff of the program's text; what cannot be shown as lines is named in it.
        export_rules: what may leave, before and after: one sentence a difference; empty where it is the same.
        others: whatever else differs, a sentence each: command, target, packages of the site, and every other file, by
            its name: the installer runs at the site too.
    """

    wheels: tuple[str, ...]
    program: tuple[str, ...]
    lines: tuple[str, ...]
    export_rules: tuple[str, ...]
    others: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return msgspec.to_builtins(self)


def changed_files(before: Kit, after: Kit) -> tuple[tuple[KitFile, ...], tuple[str, ...]]:
    """Return the files that are new or changed, and the names of those that are gone."""
    old = {file.name: file for file in before.files}
    new = {file.name: file for file in after.files}
    changed = tuple(file for name, file in sorted(new.items()) if old.get(name) != file)
    return changed, tuple(sorted(old.keys() - new.keys()))


def rules_file(kit: Kit) -> KitFile | None:
    """Return the file in which the kit's program declares what may leave, or None."""
    return next((file for file in kit.files if file.name == _RULES), None)


def changes(before: Kit, after: Kit, old: Content, new: Content) -> KitChanges:
    """Return in words what differs between two kits.

    Args:
        before, after: the documents.
        old, new: return the contents of their files.
    """
    files, removed = changed_files(before, after)
    was = {file.name: file for file in before.files}
    program: list[str] = []
    lines: list[str] = []
    for name in sorted({*(file.name for file in files), *removed}):
        if not name.startswith(f"{PROGRAM}/"):
            continue
        is_now = next((file for file in files if file.name == name), None)
        word = "removed" if is_now is None else "changed" if name in was else "added"
        program.append(f"{name.removeprefix(f'{PROGRAM}/')}: {word}")
        lines += _diff(name, was.get(name), is_now, old, new)
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [f"({len(lines) - _MAX_LINES} more lines)"]
    return KitChanges(
        wheels=tuple(_wheels(before, after)),
        program=tuple(program),
        lines=tuple(lines),
        export_rules=tuple(_exports(before, after, old, new)),
        others=(*_others(before, after), *_other_files(before, after)),
    )


def _diff(name: str, was: KitFile | None, is_now: KitFile | None, old: Content, new: Content) -> list[str]:
    texts: list[list[str]] = []
    for file, content in ((was, old), (is_now, new)):
        payload = b"" if file is None else content(file)
        text = _text(payload)
        if text is None:
            size = "?" if file is None else f"{file.bytes} bytes, SHA-256 {file.sha256[:16]}"
            return [f"{name}: not shown as lines ({size}): it is no text, or too long"]
        texts.append(text.splitlines())
    was_text, now_text = texts
    found = difflib.unified_diff(was_text, now_text, f"before/{name}", f"after/{name}", lineterm="")
    return [_plain(line) for line in found]


def _text(payload: bytes | None) -> str | None:
    try:
        return payload.decode("utf-8") if payload is not None and b"\0" not in payload else None
    except UnicodeDecodeError:
        return None


def _plain(line: str) -> str:
    """Return a line that a terminal shows as it is: control and other unprintable signs are spelled out."""
    return "".join(sign if sign.isprintable() or sign == "\t" else f"\\x{ord(sign):02x}" for sign in line)


def _wheels(before: Kit, after: Kit) -> list[str]:
    was, is_now = _by_package(before), _by_package(after)
    told: list[str] = []
    for name in sorted(was.keys() | is_now.keys()):
        old, new = was.get(name), is_now.get(name)
        if old is None and new is not None:
            told.append(f"{name} {new[0]}: added")
        elif new is None and old is not None:
            told.append(f"{name} {old[0]}: removed")
        elif old is not None and new is not None and old[0] != new[0]:
            told.append(f"{name} {old[0]} -> {new[0]}")
        elif old is not None and new is not None and old != new:
            told.append(f"{name} {new[0]}: another wheel of this version")
    return told


def _by_package(kit: Kit) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return version and digests of each package by its name, from the names of the wheels."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for file in kit.files:
        match = _WHEEL.fullmatch(file.name)
        if match is not None:
            name = link_provided.canonical(match[1])
            found[name] = (match[2], (*found.get(name, ("", ()))[1], file.sha256))
    return found


def _exports(before: Kit, after: Kit, old: Content, new: Content) -> list[str]:
    was, is_now = rules_file(before), rules_file(after)
    if was == is_now:
        return []
    then, now = _rules(was, old), _rules(is_now, new)
    if isinstance(now, str):
        return [f"after: {now}"]
    told: list[str] = []
    if isinstance(then, str):
        told.append(f"before: {then}")
        then = _NONE
    told += [f"text {name}: may leave now, might not before" for name in sorted(now.texts - then.texts)]
    told += [f"text {name}: may leave no more" for name in sorted(then.texts - now.texts)]
    for name in sorted(then.tensors.keys() | now.tensors.keys()):
        a, b = then.tensors.get(name), now.tensors.get(name)
        if a is None:
            told.append(f"tensor {name}: may leave now, might not before: {b}")
        elif b is None:
            told.append(f"tensor {name}: may leave no more: {a}")
        elif a != b:
            told.append(f"tensor {name}: {a} -> {b}")
    return told or ["the declaration is spelled otherwise, and declares the same"]


@dataclass(frozen=True, slots=True)
class _Rules:
    texts: frozenset[str]
    tensors: Mapping[str, str]


_NONE: Final = _Rules(frozenset(), {})
"""Without a declaration nothing may leave."""


def _rules(file: KitFile | None, content: Content) -> _Rules | str:
    if file is None:
        return _NONE
    payload = content(file) if file.bytes <= MAX_TOML_BYTES else None
    if payload is None:
        return f"a declaration that is not here to be shown, SHA-256 {file.sha256[:16]}"
    try:
        rules = decode_toml(ExportRules, payload, _RULES, error=ExportDenied, reference="docs/reference/export-toml.md")
    except PacktrainError as error:
        return f"a declaration that cannot be read: {error.what}"
    told: dict[str, list[str]] = {}
    for rule in rules.tensors:
        values = "" if rule.values == "weights" else f", values {rule.values!r}: judged less, or not at all"
        told.setdefault(rule.name, []).append(f"{rule.count} of {rule.dtype} {list(rule.shape)}{values}")
    return _Rules(frozenset(rules.text.files), {name: " and ".join(each) for name, each in told.items()})


def _others(before: Kit, after: Kit) -> list[str]:
    told: list[str] = []
    for what, old, new in (
        ("command", before.command, after.command),
        ("Python", before.target_python, after.target_python),
        ("platform", before.target_platform, after.target_platform),
    ):
        if old != new:
            told.append(f"{what}: {_plain(old)} -> {_plain(new)}")
    was, is_now = (", ".join(f"{each.name} {each.version}" for each in kit.provided) for kit in (before, after))
    if was != is_now:
        told.append(f"packages of the site: {_plain(was) or 'none'} -> {_plain(is_now) or 'none'}")
    return told


def _other_files(before: Kit, after: Kit) -> list[str]:
    changed, removed = changed_files(before, after)
    was = {file.name for file in before.files}
    told = [(file.name, "changed" if file.name in was else "added") for file in changed]
    told += [(name, "removed") for name in removed]
    return [
        f"{name}: {word}"
        for name, word in sorted(told)
        if not name.startswith(f"{PROGRAM}/") and _WHEEL.fullmatch(name) is None and name not in _LISTS
    ]
