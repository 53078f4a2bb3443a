"""Amendments: a signed answer changes only by a new declaration that shows the old value and the new one.

Every declaration that was ever signed stays under documents/declarations/, by its digest, and travels with the dossier:
also one to which the short form did not apply. Trying answers until one passes therefore leaves the whole trail.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec
import rfc8785

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import Document, digest, encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.full_form import FullForm
from packtrain.errors import DossierError
from packtrain.ports import Signer
from packtrain.record.folder import VoyageFolder, read_signature

ARCHIVES: Final[dict[str, str]] = {
    "declaration": "declarations",
    "packing-statement": "packing-statements",
    "plan": "plans",
    "shipment": "shipments",
    "admission": "admissions",
    "screening": "screenings",
    "flags": "flags",
    "customs": "customs-answers",
    "kit": "kits",
    "ready": "ready-sheets",
    "kit-update": "kit-updates",
}
"""Where the superseded documents of a kind lie, below documents/: <digest>.json and <digest>.json.sig."""

MAX_AMENDMENTS: Final = 256
SHORT_FORM_FAILED: Final = "the short form did not apply to the superseded answers: "
FIRED: Final = "rules that had fired on the superseded answers: "
"""How the sentences begin that an amendment bears beside its changes: what was so of the answers before."""
_NOT_AN_ANSWER: Final = frozenset({"signed_on", "supersedes", "changes"})
_MAX_SHOWN: Final = 1900
"""Characters of an answer shown in a change, so that old and new fit in one text of 4096; both are kept whole."""
_MAX_ROW_NAME: Final = 80
"""Characters of a name that stands for a row; the place of an answer has to fit beside its two values."""
D = TypeVar("D", bound=Document)


def changed_answers(old: Declaration, new: Declaration) -> tuple[str, ...]:
    """Return every answer that differs, as "field: old -> new", in the order of the fields.

    Where the older one had no full form, its answers are one change: their SHA-256 stands for them all.
    """
    return tuple(f"{field}: {before} -> {after}" for field, before, after in _differences(old, new))


def altered_answers(old: Declaration, new: Declaration) -> tuple[str, ...]:
    """Return the changes of answers that had been given: all, but for the full form where it is answered at last."""
    return tuple(f"{field}: {before} -> {after}" for field, before, after in _altered(old, new))


def altered_fields(chain: Sequence[Declaration]) -> tuple[str, ...]:
    """Return the fields of all answers that were changed after they had been given, each once, the latest first.

    Args:
        chain: the declarations from the newest back to the first.
    """
    pairs = ((older, newer) for newer, older in itertools.pairwise(chain))
    return tuple(dict.fromkeys(field for older, newer in pairs for field, _, _ in _altered(older, newer)))


def _altered(old: Declaration, new: Declaration) -> list[tuple[str, str, str]]:
    differences = _differences(old, new)
    if old.full is not None or new.full is None:
        return differences
    return [each for each in differences if each[0] not in ("form", "full")]


def _differences(old: Declaration, new: Declaration) -> list[tuple[str, str, str]]:
    before, after = _answers(old, new), _answers(new, old)
    return [
        (field, before.get(field, "not stated"), after.get(field, "not stated"))
        for field in {**before, **after}
        if before.get(field) != after.get(field)
    ]


def _answers(declaration: Declaration, other: Declaration) -> dict[str, str]:
    """Return every answer as text, by its place; those of a full form that the other has not as one."""
    flat: dict[str, str] = {}

    def walk(place: str, node: object) -> None:
        if isinstance(node, msgspec.Struct):
            for field in msgspec.structs.fields(node):
                walk(f"{place}.{field.name}", getattr(node, field.name))
            return
        if isinstance(node, tuple) and any(isinstance(item, msgspec.Struct) for item in node):  # pyright: ignore[reportUnknownVariableType]
            rows = cast("tuple[msgspec.Struct, ...]", node)
            for key, row in zip(_row_keys(rows), rows, strict=True):
                walk(f"{place}[{key}]", row)
            return
        flat[place] = _shown("not stated" if node is None else json.dumps(node, ensure_ascii=False))

    for field in msgspec.structs.fields(declaration):
        if field.name not in _NOT_AN_ANSWER:
            node = getattr(declaration, field.name)
            if isinstance(node, FullForm) and other.full is None:
                flat["full"] = f"answered (SHA-256 {sha256_bytes(rfc8785.dumps(msgspec.to_builtins(node)))})"
            else:
                walk(field.name, node)
    return flat


def _row_keys(rows: Sequence[msgspec.Struct]) -> list[str]:
    """Return how each row is called: by its name where every row has another short one, else by its place.

    A row that is put in or taken out then leaves the others what they were.
    """
    names = [getattr(row, "name", None) for row in rows]
    if all(isinstance(name, str) and len(name) <= _MAX_ROW_NAME for name in names) and len(set(names)) == len(names):
        return [json.dumps(name, ensure_ascii=False) for name in names]
    return [str(i) for i in range(len(rows))]


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}… (SHA-256 {sha256_bytes(text.encode())})"


def archive_path(folder: VoyageFolder, kind: str, document_digest: str) -> Path:
    """Return where a superseded document of this kind lies."""
    return folder.documents / ARCHIVES[kind] / f"{document_digest}.json"


def archive_current(folder: VoyageFolder, document_type: type[Document]) -> None:
    """Copy the current document of this type and its signature to its archive; nothing if there is none."""
    if not folder.has(document_type):
        return
    payload = folder.payload(document_type)
    signature = read_signature(folder.signature_path(document_type))
    keep(folder, document_type, payload, signature)


def keep(folder: VoyageFolder, document_type: type[Document], payload: bytes, signature: bytes | None) -> None:
    """Put a document and its signature into the archive of its kind."""
    keep_in(folder.documents / ARCHIVES[document_type.kind], payload, signature)


def keep_in(place: Path, payload: bytes, signature: bytes | None) -> None:
    """Put a document and its signature into a folder under its digest."""
    path = place / f"{sha256_bytes(payload)}.json"
    if signature is not None:
        durable.write_bytes(path.with_name(path.name + ".sig"), signature)
    durable.write_bytes(path, payload)


def sign_into_archive(folder: VoyageFolder, document: Document, signer: Signer) -> str:
    """Sign a document into the archive alone, without making it the current one; return its digest."""
    payload = encode(document)
    keep(folder, type(document), payload, signer.sign(namespace(type(document)), payload).encode("ascii"))
    return sha256_bytes(payload)


def archived(folder: VoyageFolder, document_type: type[D]) -> dict[str, D]:
    """Return all archived documents of this type by digest, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: one was altered.
        DossierError: one lies under a name that is not its digest, or there are more than 256.
    """
    place = folder.documents / ARCHIVES[document_type.kind]
    if not place.is_dir():
        return {}
    paths = sorted(path for path in place.iterdir() if path.suffix == ".json")
    if len(paths) > MAX_AMENDMENTS:
        raise DossierError("too many superseded documents", where=str(place), expected=f"at most {MAX_AMENDMENTS}")
    trust = folder.trust()
    found: dict[str, D] = {}
    for path in paths:
        payload = path.read_bytes()
        if path.stem != sha256_bytes(payload):
            raise DossierError("a superseded document was altered", where=str(path), expected=path.stem)
        signature = read_signature(path.with_name(path.name + ".sig"))
        found[path.stem] = trust.open(document_type, payload, signature, str(path))
    return found


def last_signed(folder: VoyageFolder) -> Declaration | None:
    """Return the newest declaration of the chain: the current one, or a later one that the short form did not fit."""
    known = archived(folder, Declaration)
    if folder.has(Declaration):
        current = folder.read_signed(Declaration)
        known[digest(current)] = current
    superseded = {declaration.supersedes for declaration in known.values()}
    heads = [(name, declaration) for name, declaration in known.items() if name not in superseded]
    if len(heads) > 1:
        raise DossierError(
            "the declarations form more than one chain",
            where=str(folder.documents / ARCHIVES["declaration"]),
            found=", ".join(sorted(name[:12] for name, _ in heads)),
            hint="an amendment names the one declaration that it supersedes; bring the missing one back",
        )
    return heads[0][1] if heads else None


def declaration_chain(current: Declaration, known: dict[str, Declaration]) -> tuple[tuple[str, Declaration], ...]:
    """Return (digest, declaration) from the current one back to the first, as far as it is known.

    Args:
        current: the newest.
        known: superseded ones by digest.
    """
    chain = [(digest(current), current)]
    while (previous := chain[-1][1].supersedes) is not None and previous in known and len(chain) <= MAX_AMENDMENTS:
        chain.append((previous, known[previous]))
    return tuple(chain)


def chain_of(folder: VoyageFolder) -> tuple[tuple[str, Declaration], ...]:
    """Return the chain of this folder's current declaration, newest first; signatures checked.

    The last entry is the one that `plan.json` may name for the whole life of the drives: amendments touch no drive.
    """
    return declaration_chain(folder.read_signed(Declaration), archived(folder, Declaration))
