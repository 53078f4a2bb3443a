"""docs/reference/documents.md: every document with its fields, from the types and their docstrings.

See generate_reference.py, and document_schemas.py for the same as JSON Schema.
"""

import re
from typing import Any

import document_schemas
from packtrain.documents.parties import SIGNING_RIGHTS

# Patterns of text in words; where one is not named here the page says "text", and the schema has it.
STRINGS = {
    "^[0-9a-f]{64}$": "SHA-256",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$": "UUID",
    "^[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z$": "time, UTC, to the second",
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$": "day",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "day",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$": "label",
    "^[A-Z]{2}$": "country, ISO 3166-1",
    "^[A-Z]{3}$": "currency, ISO 4217",
    "^ssh-ed25519 [A-Za-z0-9+/]{68}$": "`ssh-ed25519 …`",
    "^age1[02-9ac-hj-np-z]{58}$": "`age1…`",
    "^(age1[02-9ac-hj-np-z]{58}|ssh-ed25519 [A-Za-z0-9+/]{68})$": "`age1…` or `ssh-ed25519 …`",
    "^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$": "`AGE-SECRET-KEY-1…`",
    "^SHA256:[A-Za-z0-9+/]{43}$": "fingerprint of a key",
    "^[A-Z]{2,4}-[0-9]{1,2}(-[A-Z]{2,4})?$": "id of a rule",
    "^(short|full)$": "`short`, `full`",
}


def page(generated: str) -> str:
    """Return documents.md: each document that is written, with its fields, who may sign it, and its schema."""
    kinds = document_schemas.document_types()
    lines = [
        "# Documents, field by field\n",
        generated,
        "What each field holds. [The specification](../spec/documents.md) says how documents and signatures hang",
        "together, who reads them and what is checked. Every document has `type` and `version` besides. A field",
        "without a meaning has the one of its name. A list may be empty unless it says how many it has at least.\n",
    ]
    lines += [f"- [`{kind.kind}`](#{kind.kind})" for kind in kinds]
    for kind in kinds:
        schema = document_schemas.schema_of(kind)
        signers = [role for role, rights in SIGNING_RIGHTS.items() if kind.kind in rights]
        lines += [f"\n## {kind.kind}\n", " ".join(schema["description"].split("\n\n")[0].split()) + "\n"]
        lines.append(
            f"`packtrain.{kind.kind}`, version {kind.version}; signed by "
            f"{', '.join(signers) or 'nobody'}; [schema](../spec/schema/{kind.kind}.schema.json).\n"
        )
        records = {"": schema, **schema["$defs"]}
        for name, record in records.items():
            if name:
                lines += [f"\n### {kind.kind}: {name}\n", " ".join(record.get("description", "").split()) + "\n"]
            if "properties" in record:
                lines += ["| field | value | meaning |", "| --- | --- | --- |"]
                lines += [
                    _field_row(field, told) for field, told in record["properties"].items() if "const" not in told
                ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _field_row(name: str, told: dict[str, Any]) -> str:
    meaning = re.sub(r"\s+", " ", told.get("description", "")).replace("|", "\\|")
    return f"| `{name}` | {_schema_value(told)} | {meaning} |"


def _schema_value(told: dict[str, Any]) -> str:
    """Return in words what a part of a schema takes."""
    match told:
        case {"$ref": str() as ref}:
            return f"`{ref.rpartition('/')[2]}`"
        case {"anyOf": list() as members}:
            return " or ".join(_schema_value(member) for member in members)
        case {"enum": list() as values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", **rest}:
            least = f"at least {rest['minItems']}, " if rest.get("minItems") else ""
            most = f"at most {rest['maxItems']:,}" if "maxItems" in rest else ""
            count = f" ({least}{most})".replace(", )", ")") if least or most else ""
            inner = [_schema_value(item) for item in rest.get("prefixItems", [])] or [_schema_value(rest["items"])]
            return f"list of {', '.join(inner)}{count}"
        case {"type": "object", **rest}:
            return f"names with {_schema_value(rest['additionalProperties'])}"
        case {"type": "integer" | "number" as kind, **rest}:
            most = rest.get("maximum", rest.get("exclusiveMaximum"))
            up_to = f" to {most:,}" if most is not None and most < 2**53 - 1 else " or more"
            return f"{kind}, {rest['minimum']:,}{up_to}" if "minimum" in rest else str(kind)
        case {"type": "string", **rest}:
            return STRINGS.get(rest.get("pattern", ""), "text") if "format" not in rest else f"text ({rest['format']})"
        case {"type": "null"}:
            return "nothing"
        case {"type": "boolean"}:
            return "`true` or `false`"
        case _:
            return "any"
