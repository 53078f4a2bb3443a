"""docs/reference/python.md: the public names of the package, from their signatures and docstrings."""

import inspect
import re
import typing
from typing import Any

import packtrain

_HEAD = """# Python

{generated}
`import packtrain` gives these names, each imported when it is first used.
[Use packtrain from Python](../how-to/use-from-python.md) shows them at work, and says what is kept from version to
version. Every error is a class of `packtrain.errors`: [exit codes](exit-codes.md) has them all.
"""

_ALIASES = {
    "Event": "What a verb tells while it works.",
    "Sink": "What takes events: any function of one argument.",
}


def python_page(generated: str) -> str:
    """Return the page.

    Args:
        generated: the line that says where the page comes from.
    """
    lines = [_HEAD.format(generated=generated)]
    for name in (name for name in packtrain.__all__ if name != "__version__"):
        lines += _about(name, getattr(packtrain, name))
    return "\n".join(lines)


def _about(name: str, found: Any) -> list[str]:
    if name in _ALIASES:
        return [f"## {name}\n", f"```text\n{name} = {_plain(found)}\n```\n", f"{_ALIASES[name]}\n"]
    if not inspect.isclass(found):
        return [f"## {name}\n", *_function(name, found)]
    lines = [f"## {name}\n"]
    if (signature := _signature(found)) is not None:
        lines.append(f"```text\n{name}{signature}\n```\n")
    lines += [_text(found), ""]
    for member, value in _members(found):
        title = f"{name}.{member}"
        if isinstance(value, property):
            lines += [f"### {title}\n", _text(value), ""]
        else:
            lines += [f"### {title}\n", *_function(title, value)]
    return lines


def _function(name: str, found: Any) -> list[str]:
    return [f"```text\n{name}{_signature(found)}\n```\n", _text(found), ""]


def _members(kind: type) -> list[tuple[str, Any]]:
    """Return the public methods and properties of a class and of its bases in this package, in the order they stand."""
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        if not base.__module__.startswith("packtrain."):
            continue
        for name, value in vars(base).items():
            plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if name.startswith("_") or name in found or not (inspect.isfunction(plain) or isinstance(plain, property)):
                continue
            if inspect.isfunction(plain) and plain.__name__.startswith("_"):
                continue  # what a file system refuses, under all its names
            found[name] = plain
    return list(found.items())


def _signature(found: Any) -> str | None:
    """Return parameters and what comes back, one parameter a line where they are many."""
    try:
        # A metaclass that keeps instances shows its own parameters.
        is_kept = inspect.isclass(found) and "__call__" in vars(type(found))
        signature = inspect.signature(found.__init__ if is_kept else found)
    except (TypeError, ValueError):
        return None
    parts: list[str] = []
    for each in signature.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and "*" not in parts and not any(part.startswith("*") for part in parts):
            parts.append("*")
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        annotated = "" if each.annotation is each.empty else f": {_annotation(each.annotation)}"
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        parts.append(f"{stars}{each.name}{annotated}{default}")
    returned = "" if signature.return_annotation in (signature.empty, None, "None") else signature.return_annotation
    arrow = f" -> {_annotation(returned)}" if returned and not inspect.isclass(found) else ""
    one_line = f"({', '.join(parts)}){arrow}"
    if len(one_line) < 90:
        return one_line
    return "(\n" + "".join(f"    {part},\n" for part in parts) + f"){arrow}"


def _annotation(found: Any) -> str:
    if isinstance(found, str):
        return found
    if typing.get_origin(found) is typing.Annotated:
        return _annotation(typing.get_args(found)[0])
    if (origin := typing.get_origin(found)) is not None and isinstance(origin, type):
        return f"{origin.__name__}[{', '.join(map(_annotation, typing.get_args(found)))}]"
    return found.__name__ if isinstance(found, type) else _plain(found)


def _default(value: object) -> str:
    return f"{value.__name__}" if inspect.isfunction(value) else repr(value)


def _plain(found: object) -> str:
    return re.sub(r"\b(?:packtrain|collections|typing|pathlib|os|datetime)(?:\.\w+)*\.(\w+)", r"\1", str(found))


def _text(found: Any) -> str:
    """Return a docstring as Markdown: sections as bold words with lists, examples as code."""
    lines: list[str] = []
    example = in_section = False
    for line in (inspect.getdoc(found) or "").splitlines():
        line = line.replace("  # doctest: +SKIP", "")
        if line.startswith(">>> ") and not example:
            lines.append("```pycon")
            example = True
        elif example and not line:
            lines.append("```")
            example = False
        if example:
            lines.append(line)
        elif re.fullmatch(r"(Args|Raises|Attributes):", line):
            lines += [f"**{line[:-1]}**", ""]
            in_section = True
        elif in_section and (match := re.match(r"    (\S[^:]*): (.*)", line)):
            lines.append(f"- `{match[1]}`: {match[2]}")
        elif in_section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            in_section = in_section and not line
            lines.append(line)
    return "\n".join([*lines, *(["```"] if example else [])])
