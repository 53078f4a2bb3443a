"""MODEL-CARD.md: the provenance of results for people, beside them in results/. It says nothing that is not signed."""

from __future__ import annotations

import re
from typing import Final

from packtrain.documents.export_list import ExportList
from packtrain.documents.provenance import Provenance
from packtrain.units import format_bytes, format_seconds

CARD_NAME: Final = "MODEL-CARD.md"
STATEMENT_AT_HOME: Final = "PROVENANCE.statement.json"
_MAX_SHOWN: Final = 200
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def model_card(provenance: Provenance, exported: ExportList) -> str:
    """Return the card in Markdown: the same documents give the same text."""
    card = [
        "# Model card",
        "",
        "Made by packtrain from the signed `provenance.json` and `export-list.json`; the same is in "
        f"`{STATEMENT_AT_HOME}` as an in-toto statement.",
        "What the model is good for, and what not, packtrain does not know: add it above this line.",
        "",
        "## What it is",
        "",
        *_table(
            ("file", "bytes", "SHA-256"),
            [(f"`{file.name}`", format_bytes(file.bytes), f"`{file.sha256}`") for file in provenance.files],
        ),
        "",
        f"{len(exported.tensors)} tensors. Digest over all files, as `sha256sum` prints them: `{provenance.results}`.",
        "",
        "## What it was trained on",
        "",
        f"- shipment `{provenance.shipment}`, root `{provenance.shipment_root}`",
        f"- cargo `{provenance.cargo}`" if provenance.cargo else "- cargo: not stated",
        f"- admitted by the operator's verdict `{provenance.admission}`",
        f"- {provenance.num_steps} steps, {provenance.num_samples} samples counted with repetitions",
        f"- data position of the checkpoint: {_plain(provenance.position)}",
        "",
        "## With which program",
        "",
        *_kits(provenance),
        "",
        "## On what, and how it went",
        "",
        f"- engine {_plain(provenance.engine)}, {provenance.workers} workers, "
        f"hosts: {', '.join(map(_plain, provenance.hosts[:_MAX_SHOWN])) or 'not noted'}",
        f"- versions: {_plain(', '.join(f'{name} {text}' for name, text in sorted(provenance.versions.items())))}",
        f"- finished {provenance.trained_on}, exported {provenance.made_on}",
        "",
        *_attempts(provenance),
        "",
        "## What was looked for before it left",
        "",
        *(f"- {_plain(check)}" for check in exported.checks),
        "",
        "## What this proves, and what not",
        "",
        "The consignee signed it, and the operator released it. Digests of papers, kits and files can be compared by",
        "anyone who has them. Steps, attempts, hosts and position are the consignee's word, which nobody else can see.",
        "It is not shown that these weights follow from these data: that takes training again. No level of SLSA is",
        "claimed.",
    ]
    return "\n".join(card) + "\n"


def _kits(provenance: Provenance) -> list[str]:
    if not provenance.kits:
        return [f"No kit came along; the program folder was `{provenance.program}`."]
    rows = [
        (
            f"update {number}" if number else "from the drives",
            f"`{each.kit}`",
            f"`{each.ready}`" if each.ready else "not signed",
            _plain(each.steps) or "none",
        )
        for number, each in enumerate(provenance.kits)
    ]
    return _table(("kit", "SHA-256 of kit.json", "its rehearsal", "steps under it"), rows)


def _attempts(provenance: Provenance) -> list[str]:
    if not provenance.attempts:
        return ["Attempts were not noted."]
    shown = provenance.attempts[-_MAX_SHOWN:]
    rows = [(str(each.attempt), format_seconds(each.seconds), _plain(each.reason)) for each in shown]
    left = len(provenance.attempts) - len(shown)
    return [*_table(("attempt", "time", "how it ended"), rows), *([f"({left} earlier ones)"] if left else [])]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is: one line, no markup of another's."""
    return _MARKUP.sub(r"\\\1", " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()))
