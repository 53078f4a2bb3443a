"""JSON Schema (draft 2020-12) of every document type, made from the types themselves; see generate_reference.py.

A schema says what the fields are and their bounds. What it cannot say is on docs/spec/documents.md: that the bytes are
canonical, and how fields and documents agree.
"""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import msgspec

import packtrain.documents
from packtrain.documents.codec import Document

FOLDER = Path(__file__).parents[1] / "docs" / "spec" / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def document_types() -> list[type[Document]]:
    """Return every document type there is, by its kind."""
    for module in pkgutil.iter_modules(packtrain.documents.__path__, "packtrain.documents."):
        importlib.import_module(module.name)
    return sorted((kind for kind in Document.__subclasses__() if kind.kind), key=lambda kind: kind.kind)


def schema_files() -> dict[str, str]:
    """Return the text of every schema by its file name."""
    return {f"{kind.kind}.schema.json": _text(schema_of(kind)) for kind in document_types()}


def schema_of(document_type: type[Document]) -> Schema:
    """Return the schema of one document type, its own record at the top and the others below `$defs`."""
    made = msgspec.json.schema(document_type)
    records: dict[str, Schema] = {name: _record(record) for name, record in made["$defs"].items()}
    own = records.pop(document_type.__name__)
    head = {
        "$schema": DIALECT,
        "$id": f"urn:packtrain:document:{document_type.kind}:v{document_type.version}",
        "title": f"{document_type.kind}.json",
        "description": _description(inspect.getdoc(document_type) or ""),
    }
    says_of_itself = {"type": {"const": f"packtrain.{document_type.kind}"}, "version": {"const": document_type.version}}
    own["properties"] = says_of_itself | own["properties"]
    own["required"] = list(own["properties"])
    # A record's own title and description give way to those of the file.
    return head | {name: value for name, value in own.items() if name not in head} | {"$defs": records}


def _record(record: Schema) -> Schema:
    """Return the schema of one record: what its docstring says of a field stands beside the field."""
    text = record.get("description", "")
    meanings = _attributes(text)
    properties = {name: _field(field, meanings.get(name)) for name, field in record["properties"].items()}
    return {
        "title": record["title"],
        **({"description": _description(text)} if text else {}),
        "type": "object",
        "properties": properties,
        # All of them, also those that have a default in Python: a document spells every field.
        "required": list(properties),
        "additionalProperties": False,
    }


def _field(field: Schema, meaning: str | None) -> Schema:
    plain = _plain(field)
    return {"description": meaning, **plain} if meaning else plain


def _plain(node: Any) -> Any:
    """Return a part of a schema with patterns in the dialect of JSON Schema (ECMA-262), and without defaults."""
    match node:
        case dict():
            return {
                name: _pattern(value) if name == "pattern" else _plain(value)
                for name, value in node.items()  # pyright: ignore[reportUnknownVariableType]
                if name != "default"
            }
        case list():
            return [_plain(item) for item in node]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return node


def _pattern(pattern: str) -> str:
    """Return a pattern of Python's that matches the whole text as ECMA-262 spells it.

    Raises:
        ValueError: it is not one, or uses what the two spell differently.
    """
    inner = pattern.removeprefix(r"\A").removesuffix(r"\Z")
    if len(inner) != len(pattern) - 4 or re.search(r"\\[AZxswdb]|\(\?(?!:)", inner.replace(r"\x00", "")):
        raise ValueError(f"no pattern for a schema: {pattern}")
    return f"^{inner}$"


def _description(text: str) -> str:
    return inspect.cleandoc(text).partition("\nAttributes:")[0].strip()


def _attributes(text: str) -> dict[str, str]:
    """Return what `Attributes:` of a docstring says, by field; a line for several fields is each one's."""
    _, _, block = inspect.cleandoc(text).partition("\nAttributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in block.splitlines():
        if match := re.match(r"    (\w+(?:, \w+)*): (.*)", line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif names and line.startswith("        "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        elif line.strip():
            break
    return found


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
