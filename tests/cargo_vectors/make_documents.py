"""The documents of `tests/vectors/cargo/document`: those of the base `waves`, and each altered in one way, signed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cargo_vectors.cases import ROOT, Case, identity, signer, write_cases
from packtrain.digest import sha256_bytes

FOLDER = ROOT / "document"
BASE = ROOT / "shipment" / "bases" / "waves"
SECTION = "3. Documents and signatures"
Body = dict[str, Any]
_OTHER_ID, _OTHER_DIGEST = "01234567-89ab-cdef-0123-456789abcdef", "5" * 64

_UNKNOWN = "all of them required; a reader MUST refuse others, and values out of bounds"
_CANONICAL = "(spaces, another order of members, a member given twice, escapes that are not needed) MUST be refused"
_SIGNATURE = "a signature of another namespace, of other bytes or by another key MUST be refused"
_HEAD = "Each has the members `type` (`packtrain.plan`) and `version` (1)"
_FIT = "and a reader MUST refuse one that does not"
_PLAN = (
    "no two drives have one UUID or one label, no case comes twice, every drive is in a case of `cases` and in exactly"
)
_GROUP = "`volumes` lists every column of every stripe, sorted by stripe and column"
_GROUP_PLAN = "`shipment`, `attempt`, `plan`, `k`, `m` and `drives` are those of plan.json"
_DRIVE = (
    "`label` and `case` are those of the drive of the plan in whose place it stands, and that drive is in group `group`"
)
_SHIPMENT = "it names each group of the plan once, and for each drive of the plan one drive, with its label and case"
_REPLACES = "Its own UUID is neither in `replaces` nor in the plan"
_INTRODUCTION = (
    "A reader MUST refuse a document with an unknown version or an unknown field, one without a valid signature"
)


@dataclass(frozen=True, slots=True)
class Altered:
    """One document to refuse.

    Attributes:
        change: takes the members, returns them or the bytes themselves.
        rule, error, section: as of `Case`.
        key: whose signature it has; "" for none.
        namespace: of the signature, where it is not that of the document.
        signed: signs these bytes in the place of its own.
    """

    about: str
    change: Callable[[Body], Body | bytes]
    rule: str = _UNKNOWN
    error: str = "DocumentError"
    section: str = SECTION
    key: str = "consignor"
    namespace: str = ""
    signed: Callable[[bytes], bytes] = lambda payload: payload


def canonical(body: Body) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def put(**members: object) -> Callable[[Body], Body]:
    return lambda body: body | members


def put_in(where: str, at: int | None, **members: object) -> Callable[[Body], Body]:
    """Put members into a record, or into one of a list of records."""

    def change(body: Body) -> Body:
        found = body[where] if at is None else body[where][at]
        found |= members
        return body

    return change


def without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def accepted() -> dict[str, bytes]:
    """Return the documents by kind, as they are right."""
    drive = BASE / "A1" / "packtrain"
    found = {
        "plan": (BASE / "dossier/plan.json").read_bytes(),
        "group": (BASE / "A1+A2/packtrain/group.json").read_bytes(),
        "drive": (drive / "drive.json").read_bytes(),
        "shipment": (BASE / "dossier/shipment.json").read_bytes(),
    }
    key = {
        "type": "packtrain.shipment-key",
        "version": 1,
        "shipment": json.loads(found["plan"])["shipment"],
        "plan": sha256_bytes(found["plan"]),
        "identity": identity(),
    }
    return found | {"shipment-key": canonical(key)}


def rejected() -> dict[str, dict[str, Altered]]:
    """Return the documents to refuse by kind and name."""
    bodies = {kind: json.loads(payload) for kind, payload in accepted().items()}
    every = {kind: _of_every_kind(kind, body) for kind, body in bodies.items()}
    every["plan"] |= _plans()
    every["group"] |= _groups(bodies["group"])
    every["drive"] |= _drives(bodies["plan"])
    every["shipment"] |= _shipments()
    of_key = "a shipment-key document: shipment, SHA-256 of plan.json, identity"
    every["shipment-key"] |= {
        "of-another-plan": Altered("another attempt's", put(plan=_OTHER_DIGEST), of_key, "WrongKey", "10. Keys"),
        "of-another-shipment": Altered("another one's", put(shipment=_OTHER_ID), of_key, "WrongKey", "10. Keys"),
        "identity-in-lower-case": Altered("of another form", put(identity=identity().lower())),
    }
    return every


def _of_every_kind(kind: str, body: Body) -> dict[str, Altered]:
    a_digest = "tagmanifest" if kind == "drive" else "plan" if "plan" in body else "cargo"
    found = {
        "member-unknown": Altered("`hint`, which no document has", put(hint="")),
        "member-missing": Altered(f"without `{a_digest}`", without(a_digest)),
        "version-2": Altered("of a format to come", put(version=2), _HEAD),
        "spaces": Altered("spaces after commas", lambda b: json.dumps(b, sort_keys=True).encode(), _CANONICAL),
        "signature-missing": Altered(
            "without .sig", put(), _INTRODUCTION, "SignatureMissing", "Cargo format 1", key=""
        ),
        "signature-by-a-stranger": Altered("by a key of nobody", put(), _SIGNATURE, "UntrustedSigner", key="stranger"),
        "signature-of-another-namespace": Altered(
            "as if it were custody", put(), _SIGNATURE, "SignatureInvalid", namespace="packtrain-custody@v1"
        ),
    }
    if kind != "drive":
        return found
    return found | {
        "type-of-another-document": Altered("`packtrain.plan`", put(type="packtrain.plan"), _HEAD),
        "version-0": Altered("of no format", put(version=0), _HEAD),
        "version-true": Altered("which is no number", put(version=True), _HEAD),
        "members-in-another-order": Altered(
            "the last first",
            lambda b: canonical_in_order(dict(sorted(b.items(), reverse=True))),
            _CANONICAL,
        ),
        "member-twice": Altered(
            "`label`, and `label` again",
            lambda b: canonical(b)[:-1] + b',"label":"' + b["label"].encode() + b'"}',
            _CANONICAL,
        ),
        "newline-at-its-end": Altered("as editors leave one", lambda b: canonical(b) + b"\n", _CANONICAL),
        "escape-not-needed": Altered(
            "a letter as \\u0041", lambda b: canonical(b).replace(b'"label":"A', b'"label":"\\u0041'), _CANONICAL
        ),
        "number-with-a-fraction": Altered(
            "`1.0` attempts", lambda b: canonical(b).replace(b'"attempt":1', b'"attempt":1.0')
        ),
        "not-utf-8": Altered("a byte of Latin-1", lambda b: canonical(b).replace(b'"serial":"', b'"serial":"\xe9')),
        "not-an-object": Altered("a list of one", lambda b: b"[" + canonical(b) + b"]", "Documents are JSON objects"),
        "signature-by-the-operator": Altered(
            "a party that may not sign it", put(), _SIGNATURE, "UntrustedSigner", key="operator"
        ),
        "signature-of-other-bytes": Altered(
            "of this document with another label",
            put(),
            _SIGNATURE,
            "SignatureInvalid",
            signed=lambda b: b.replace(b'"A1"', b'"A2"'),
        ),
    }


def canonical_in_order(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _plans() -> dict[str, Altered]:
    """What a plan may not say; each also stands for the same kind of value in other documents."""

    def fits(about: str, change: Callable[[Body], Body]) -> Altered:
        return Altered(about, change, _PLAN, "IntegrityError")

    def in_two_groups(body: Body) -> Body:
        body["groups"][1]["drives"][0] = body["groups"][0]["drives"][0]
        return body

    def in_no_group(body: Body) -> Body:
        body["groups"].pop()
        return body

    def of_no_drive(body: Body) -> Body:
        body["groups"][0]["drives"][0] = _OTHER_ID
        return body

    def drive_twice(body: Body) -> Body:
        body["drives"][1]["uuid"] = body["drives"][0]["uuid"]
        return body

    found = {
        "attempt-0": Altered("they count from 1", put(attempt=0)),
        "attempt-10000": Altered("one too many", put(attempt=10_000)),
        "attempt-as-text": Altered('`"1"`', put(attempt="1")),
        "attempt-true": Altered("which is no number", put(attempt=True)),
        "attempt-null": Altered("which is not said to be possible", put(attempt=None)),
        "shipment-in-upper-case": Altered("a UUID", put(shipment=_OTHER_ID.upper())),
        "shipment-without-dashes": Altered("a UUID", put(shipment=_OTHER_ID.replace("-", ""))),
        "purpose-unknown": Altered("`war`", put(purpose="war")),
        "declaration-of-63-digits": Altered("a digest", put(declaration="0" * 63)),
        "cargo-in-upper-case": Altered("a digest", put(cargo="A" * 64)),
        "recipient-ssh": Altered("an SSH key", put(recipient=signer("consignor").public_line)),
        "recipient-in-upper-case": Altered("of another form", lambda b: b | {"recipient": b["recipient"].upper()}),
        "encryption-none": Altered("a downgrade", put_in("algorithms", None, encryption="none")),
        "digest-sha1": Altered("a downgrade", put_in("algorithms", None, digest="sha1")),
        "block-hash-none": Altered("a downgrade", put_in("algorithms", None, block_hash="none")),
        "code-vandermonde": Altered("another matrix", put_in("algorithms", None, code="vandermonde-gf256-0x11d")),
        "algorithm-unknown": Altered("a fifth one", put_in("algorithms", None, compression="zstd")),
        "block-bytes-65536": Altered("another length of blocks", put(block_bytes=65_536)),
        "label-with-a-slash": Altered("a path", put_in("drives", 0, label="A/1")),
        "label-with-a-dot-first": Altered("a hidden name", put_in("drives", 0, label=".A1")),
        "label-of-33-characters": Altered("one too many", put_in("drives", 0, label="A" * 33)),
        "label-with-a-newline": Altered("at its end", put_in("drives", 0, label="A1\n")),
        "serial-empty": Altered("null says that there is none", put_in("drives", 0, serial="")),
        "k-0": Altered("no data", put_in("groups", 0, k=0)),
        "m-negative": Altered("less than no parity", put_in("groups", 0, m=-1)),
        "survive-without-drives": Altered("a member of a member", put(survive={"cases": 1})),
        "byte-cap-2-to-the-53": Altered("one more than any number", put(byte_cap=2**53)),
        "contact-of-4097-characters": Altered("one too many", put(contact="x" * 4097)),
        "created-with-an-offset": Altered("not in UTC", put(created="2026-01-02T03:04:05+01:00")),
        "created-with-a-fraction": Altered("of a second", put(created="2026-01-02T03:04:05.5Z")),
        "created-in-other-digits": Altered("Arabic ones", put(created="\u0662\u0660\u0662\u0666-01-02T03:04:05Z")),
        "no-drives": Altered("an empty list", put(drives=[])),
        "drive-twice": fits("one UUID", drive_twice),
        "label-twice": fits("two drives A1", put_in("drives", 1, label="A1")),
        "case-unknown": fits("a drive in case X", put_in("drives", 0, case="X")),
        "case-twice": fits("two cases A", lambda b: b | {"cases": [*b["cases"], "A"]}),
        "drive-in-two-groups": fits("and another in none", in_two_groups),
        "drive-in-no-group": fits("the second group is gone", in_no_group),
        "group-of-an-unknown-drive": fits("of no drive of the plan", of_no_drive),
        "group-number-twice": fits("two groups 0", put_in("groups", 1, group=0)),
        "k-and-m-unlike-drives": Altered(
            "2 + 1 of two drives", put_in("groups", 0, k=2), "a group has k + m drives", "IntegrityError"
        ),
    }
    return found


def _groups(body: Body) -> dict[str, Altered]:
    def fits(about: str, change: Callable[[Body], Body], rule: str = _GROUP) -> Altered:
        return Altered(about, change, rule, "IntegrityError")

    def swapped(body: Body) -> Body:
        body["volumes"][0], body["volumes"][1] = body["volumes"][1], body["volumes"][0]
        return body

    def one_short(body: Body) -> Body:
        body["volumes"].pop()
        return body

    longer = body["volumes"][0]["bytes"] + 1
    return {
        "sha256-in-upper-case": Altered("a digest", put_in("volumes", 0, sha256="A" * 64)),
        "readback-unknown": Altered("`trusted`", put_in("volumes", 0, readback="trusted")),
        "bytes-negative": Altered("a length", put_in("volumes", 0, bytes=-1)),
        "volume-with-a-member-more": Altered("in a record", put_in("volumes", 0, name="../x")),
        "of-another-plan": fits("another digest", put(plan=_OTHER_DIGEST), _GROUP_PLAN),
        "of-another-shipment": fits("another UUID", put(shipment=_OTHER_ID), _GROUP_PLAN),
        "of-another-attempt": fits("the next one", put(attempt=2), _GROUP_PLAN),
        "k-unlike-the-plan": fits("2 + 0", put(k=2, m=0), _GROUP_PLAN),
        "number-unknown": fits("a group that the plan has not", put(group=7), _GROUP_PLAN),
        "drives-in-another-order": fits("the last first", lambda b: b | {"drives": b["drives"][::-1]}, _GROUP_PLAN),
        "volumes-out-of-order": fits("the second first", swapped),
        "volume-missing": fits("the last one", one_short),
        "stripes-more-than-volumes": fits("one more", lambda b: b | {"num_stripes": b["num_stripes"] + 1}),
        "volume-on-the-wrong-drive": fits(
            "where the next column lies",
            lambda b: put_in("volumes", 0, drive=b["drives"][1])(b),
            "each on the drive that section 5 gives it",
        ),
        "volume-of-more-than-8-gib": fits(
            "one byte more", put_in("volumes", 0, bytes=2**33 + 1), "none longer than 8 GiB"
        ),
        "parity-shorter-than-data": fits(
            "data one byte longer",
            put_in("volumes", 0, bytes=longer),
            "parity as long as the stripe's longest data volume",
        ),
    }


def _drives(plan: Body) -> dict[str, Altered]:
    def fits(about: str, change: Callable[[Body], Body], error: str = "IntegrityError", rule: str = _DRIVE) -> Altered:
        return Altered(about, change, rule, error)

    other = plan["drives"][1]["uuid"]
    same = "`drive`: `shipment`, `attempt` and `plan` are those of plan.json"
    return {
        "serial-of-129-characters": Altered("one too many", put(serial="1" * 129)),
        "replaces-no-list": Altered("a UUID alone", put(replaces=other)),
        "of-another-plan": fits("another digest", put(plan=_OTHER_DIGEST), "ForeignDrive", same),
        "of-another-shipment": fits("another UUID", put(shipment=_OTHER_ID), "ForeignDrive", same),
        "of-a-later-attempt": fits("the next one", put(attempt=2), "ForeignDrive", same),
        "of-no-drive-of-the-plan": fits("a UUID of no place", put(uuid=_OTHER_ID), "ForeignDrive"),
        "label-of-another-drive": fits("A2", put(label="A2")),
        "case-of-another-drive": fits("B", put(case="B")),
        "group-of-another-drive": fits("1", put(group=1)),
        "group-unknown": fits("7", put(group=7)),
        "replaces-itself": fits("its own UUID", lambda b: b | {"replaces": [b["uuid"]]}, rule=_REPLACES),
        "replacement-that-is-in-the-plan": fits(
            "another drive of the plan takes this place",
            lambda b: b | {"replaces": [b["uuid"]], "uuid": other},
            rule=_REPLACES,
        ),
    }


def _shipments() -> dict[str, Altered]:
    def fits(about: str, change: Callable[[Body], Body]) -> Altered:
        return Altered(about, change, _SHIPMENT, "IntegrityError")

    same = "`shipment`: `shipment`, `attempt`, `purpose` and `plan` are those of plan.json"
    return {
        "of-another-plan": Altered("another digest", put(plan=_OTHER_DIGEST), same, "IntegrityError"),
        "of-another-attempt": Altered("the next one", put(attempt=2), same, "IntegrityError"),
        "purpose-of-another-plan": Altered("a rehearsal", put(purpose="rehearsal"), same, "IntegrityError"),
        "drive-missing": fits("one of four", lambda b: b | {"drives": b["drives"][:-1]}),
        "drive-twice": fits("the first again", lambda b: b | {"drives": [*b["drives"], b["drives"][0]]}),
        "drive-unknown": fits("of no place of the plan", put_in("drives", 0, uuid=_OTHER_ID)),
        "drive-with-another-label": fits("A1 is A9", put_in("drives", 0, label="A9")),
        "group-missing": fits("one of two", lambda b: b | {"groups": b["groups"][:-1]}),
        "group-twice": fits("the first again", lambda b: b | {"groups": [*b["groups"], b["groups"][0]]}),
    }


def make() -> None:
    """Write all documents and their index."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    cases: list[Case] = []
    right = accepted()
    for kind, payload in right.items():
        _write(FOLDER / "accept" / f"{kind}.json", kind, payload, Altered("", put()))
        cases.append(Case(f"document/accept/{kind}", "as it is right", "accept", SECTION, _FIT))
    for kind, wrong in rejected().items():
        for name, altered in wrong.items():
            made = altered.change(json.loads(right[kind]))
            payload = made if isinstance(made, bytes) else canonical(made)
            # A hyphen more than a kind has: "shipment-key" is one, and "shipment" another.
            case = f"document/reject/{kind}/{name}"
            _write(FOLDER / "reject" / kind / f"{name}.json", kind, payload, altered)
            cases.append(Case(case, altered.about, "refuse", altered.section, altered.rule, altered.error))
    write_cases("document", cases)


def _write(path: Path, kind: str, payload: bytes, altered: Altered) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(payload)
    if altered.key:
        namespace = altered.namespace or f"packtrain-{kind}@v1"
        signature = signer(altered.key).sign(namespace, altered.signed(payload))
        path.with_name(f"{path.name}.sig").write_text(signature)
