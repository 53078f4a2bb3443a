"""The custody logs of `tests/vectors/cargo/custody`: that of a drive, and each altered in one way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from cargo_vectors.cases import ROOT, Case, signer, write_cases
from cargo_vectors.make_documents import BASE, canonical
from packtrain.digest import sha256_bytes

FOLDER = ROOT / "custody"
SECTION = "3. Documents and signatures"
_LINE = "A log with any other line MUST be refused as a whole"
_CHAIN = "Each entry names the SHA-256 of the line before it, without the newline"
_SIGNED = "by the key of the role in `by`"


def line(body: dict[str, Any], key: str = "consignor", namespace: str = "packtrain-custody@v1", **more: str) -> bytes:
    entry = canonical(body)
    return canonical({"entry": entry.decode(), "signature": signer(key).sign(namespace, entry)} | more)


def chained(bodies: list[dict[str, Any]], seal: Callable[[dict[str, Any]], bytes] = line) -> bytes:
    """Return a log of these entries, numbered and chained; `seal` makes the last line."""
    lines: list[bytes] = []
    for number, body in enumerate(bodies):
        whole = {"sequence": number, "previous": sha256_bytes(lines[-1]) if lines else "0" * 64} | body
        lines.append((seal if number == len(bodies) - 1 else line)(whole))
    return b"".join(one + b"\n" for one in lines)


def rejected() -> dict[str, tuple[str, str, str, bytes]]:
    """Return name -> what is wrong, the rule, the error, the log."""
    right = (BASE / "A1/packtrain/custody.jsonl").read_bytes()
    bodies = [json.loads(json.loads(one)["entry"]) for one in right.splitlines()]
    bare = [{key: value for key, value in body.items() if key not in ("sequence", "previous")} for body in bodies]
    lines = right.splitlines(keepends=True)

    def last(**members: object) -> list[dict[str, Any]]:
        return [*bare[:-1], bare[-1] | members]

    broken, document = "CustodyBroken", "DocumentError"
    spaced = json.dumps(json.loads(lines[-1]), sort_keys=True).encode() + b"\n"
    return {
        "line-removed": ("the second of three", _CHAIN, broken, lines[0] + lines[2]),
        "lines-moved": ("the last two in the other order", _CHAIN, broken, lines[0] + lines[2] + lines[1]),
        "first-line-removed": ("it begins with the second", "the first names 64 zeros", broken, lines[1] + lines[2]),
        "sequence-with-a-gap": ("2, then 4", "`sequence` counts from 0", broken, chained(last(sequence=4))),
        "previous-wrong": ("64 zeros in the last", _CHAIN, broken, chained(last(previous="0" * 64))),
        "dated-before-the-line-before": (
            "a year",
            "`at` never runs backwards",
            broken,
            chained(last(at="2000-01-01T00:00:00Z")),
        ),
        "newline-missing": ("the last line is cut by one byte", "and ends in a newline", broken, right[:-1]),
        "line-cut": ("half of the last line", _LINE, broken, right[: -len(lines[2]) // 2]),
        "line-with-spaces": ("another spelling of a line", _LINE, broken, lines[0] + lines[1] + spaced),
        "line-with-a-member-more": ("a hint", _LINE, broken, chained(bare, lambda body: line(body, hint=""))),
        "line-empty": ("between the last two", _LINE, broken, lines[0] + lines[1] + b"\n" + lines[2]),
        "verb-unknown": ("`stolen`", "Verbs are `sighted`", document, chained(last(verb="stolen"))),
        "member-missing": (
            "an entry without a note",
            _LINE,
            document,
            chained([*bare[:-1], {k: v for k, v in bare[-1].items() if k != "note"}]),
        ),
        "signed-by-a-stranger": (
            "by a key of nobody",
            _SIGNED,
            "UntrustedSigner",
            chained(bare, lambda body: line(body, "stranger")),
        ),
        "signed-by-another-party": (
            "the consignor's entry, by the operator",
            _SIGNED,
            "UntrustedSigner",
            chained(bare, lambda body: line(body, "operator")),
        ),
        "signed-as-another-document": (
            "namespace of drive.json",
            "namespace `packtrain-custody@v1`",
            "SignatureInvalid",
            chained(bare, lambda body: line(body, namespace="packtrain-drive@v1")),
        ),
        "entry-altered": ("one letter", _SIGNED, "SignatureInvalid", right.replace(b"closed", b"clozed")),
    }


def make() -> None:
    """Write all logs and their index."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in ("accept", "reject"):
        (FOLDER / folder).mkdir(parents=True)
    shutil.copy(BASE / "A1/packtrain/custody.jsonl", FOLDER / "accept" / "drive.jsonl")
    cases = [Case("custody/accept/drive", "formatted, opened, closed", "accept", SECTION, _CHAIN)]
    for name, (about, rule, error, payload) in rejected().items():
        (FOLDER / "reject" / f"{name}.jsonl").write_bytes(payload)
        cases.append(Case(f"custody/reject/{name}", about, "refuse", SECTION, rule, error))
    write_cases("custody", cases)
