"""Section 3: documents, signatures, what must fit what, and the custody log."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from second_reader.refused import Refused, need

Body = dict[str, Any]
Check = Callable[[Any], bool]
MOST = 2**53 - 1


def sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


# --- members and their bounds ----------------------------------------------------------------------------------------


def number(least: int = 0, most: int = MOST) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def text(least: int = 0, most: int = 4096) -> Check:
    return lambda value: isinstance(value, str) and least <= len(value) <= most


def one_of(*values: object) -> Check:
    return lambda value: type(value) in map(type, values) and value in values


def listed(check: Check, least: int = 0, most: int = MOST) -> Check:
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(check, value))


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def record(**members: Check) -> Check:
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == members.keys()
        and all(check(value[name]) for name, check in members.items())
    )


UUID = matching("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DIGEST = matching("[0-9a-f]{64}")
LABEL = matching("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
TIME = matching("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
SERIAL = text(1, 128)
ATTEMPT, GROUP = number(1, 9999), number(0, 9999)
ROLE = one_of("consignor", "operator", "consignee")
PURPOSE = one_of("cargo", "rehearsal", "home")
ALGORITHMS = record(
    encryption=one_of("age-v1-x25519"),
    digest=one_of("sha256"),
    block_hash=one_of("xxh3-64"),
    code=one_of("cauchy-gf256-0x11d"),
)
VERBS = """sighted formatted opened closed sealed released accepted seal-checked seal-broken lost replaced repaired
loaded amended returned erased"""

MEMBERS: dict[str, dict[str, Check]] = {
    "plan": {
        "shipment": UUID,
        "attempt": ATTEMPT,
        "purpose": PURPOSE,
        "declaration": or_null(DIGEST),
        "recipient": matching("age1[02-9ac-hj-np-z]{58}"),
        "algorithms": ALGORITHMS,
        "block_bytes": one_of(1048576),
        "volume_target_bytes": number(),
        "cases": listed(LABEL, 1, 255),
        "drives": listed(record(uuid=UUID, label=LABEL, serial=or_null(SERIAL), case=LABEL), 1, 4096),
        "groups": listed(record(group=GROUP, k=number(1, 255), m=number(0, 254), drives=listed(UUID, 1, 255)), 1, 4096),
        "survive": record(cases=number(0, 255), drives=number(0, 255)),
        "cargo": DIGEST,
        "byte_cap": or_null(number()),
        "contact": text(),
        "created": TIME,
        "software": text(),
    },
    "group": {
        "shipment": UUID,
        "attempt": ATTEMPT,
        "plan": DIGEST,
        "group": GROUP,
        "k": number(1, 255),
        "m": number(0, 254),
        "drives": listed(UUID, 1, 255),
        "num_stripes": number(0, 10**7),
        "volumes": listed(
            record(
                stripe=number(0, 9_999_999),
                column=number(0, 254),
                drive=UUID,
                bytes=number(),
                sha256=DIGEST,
                blocks_sha256=DIGEST,
                readback=one_of("direct", "dropped", "memory"),
            ),
            0,
            2 * 10**7,
        ),
        "catalog": record(bytes=number(), sha256=DIGEST),
        "num_files": number(),
        "plaintext_bytes": number(),
    },
    "drive": {
        "shipment": UUID,
        "attempt": ATTEMPT,
        "plan": DIGEST,
        "uuid": UUID,
        "replaces": listed(UUID, 0, 255),
        "label": LABEL,
        "serial": SERIAL,
        "case": LABEL,
        "group": GROUP,
        "group_document": DIGEST,
        "tagmanifest": DIGEST,
        "payload_bytes": number(),
        "num_volumes": number(),
        "formatted": TIME,
        "closed": TIME,
    },
    "shipment": {
        "shipment": UUID,
        "attempt": ATTEMPT,
        "purpose": PURPOSE,
        "plan": DIGEST,
        "groups": listed(record(group=GROUP, record=DIGEST), 1, 4096),
        "drives": listed(
            record(
                uuid=UUID,
                replaces=listed(UUID, 0, 255),
                label=LABEL,
                serial=SERIAL,
                case=LABEL,
                group=GROUP,
                record=DIGEST,
            ),
            1,
            4096,
        ),
        "num_files": number(),
        "plaintext_bytes": number(),
        "stored_bytes": number(),
        "closed": TIME,
    },
    "custody": {
        "sequence": number(),
        "previous": DIGEST,
        "shipment": UUID,
        "verb": one_of(*VERBS.split()),
        "by": ROLE,
        "counterpart": or_null(ROLE),
        "answers": or_null(DIGEST),
        "cases": listed(LABEL),
        "drives": listed(UUID, 0, 4096),
        "seals": listed(text()),
        "note": text(),
        "at": TIME,
    },
    "shipment-key": {
        "shipment": UUID,
        "plan": DIGEST,
        "identity": matching("AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    },
}


def canonical(payload: bytes) -> Body:
    """Return the JSON object that bytes spell in canonical form."""
    need(len(payload) <= 256 << 20, "document is too long")
    try:
        body = json.loads(payload.decode("utf-8"))
        spelt = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON") from error
    need(isinstance(body, dict), "not an object")
    need(spelt == payload, "not in canonical form")
    return body


def parse(kind: str, payload: bytes) -> Body:
    """Return a document of a kind, within its bounds."""
    body = canonical(payload)
    members = {"type": one_of(f"packtrain.{kind}"), "version": one_of(1)} | MEMBERS[kind]
    need(body.keys() == members.keys(), "members missing or unknown")
    for name, check in members.items():
        need(check(body[name]), f"{name} is out of bounds")
    return body


# --- signatures ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def check_signature(kind: str, payload: bytes, signature: bytes | None, signers: Path, who: str = "consignor") -> None:
    """Refuse unless the key of a role signed these bytes as a document of this kind."""
    need(signature is not None, "no signature")
    with tempfile.NamedTemporaryFile() as stream:
        stream.write(signature or b"")
        stream.flush()
        command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", who, "-n", f"packtrain-{kind}@v1"]
        done = subprocess.run([*command, "-s", stream.name], input=payload, capture_output=True, check=False)
    need(done.returncode == 0, "signature does not fit, or is by another key")


def open_document(kind: str, payload: bytes, signature: bytes | None, signers: Path) -> Body:
    check_signature(kind, payload, signature, signers)
    return parse(kind, payload)


# --- what must fit what ----------------------------------------------------------------------------------------------


def check_plan(plan: Body) -> None:
    drives, groups = plan["drives"], plan["groups"]
    for name in ("uuid", "label"):
        need(len({drive[name] for drive in drives}) == len(drives), f"two drives have one {name}")
    need(len(set(plan["cases"])) == len(plan["cases"]), "a case comes twice")
    need(all(drive["case"] in plan["cases"] for drive in drives), "a drive is in no case")
    need(len({group["group"] for group in groups}) == len(groups), "two groups have one number")
    need(all(group["k"] + group["m"] == len(group["drives"]) for group in groups), "a group has not k + m drives")
    placed = Counter(uuid for group in groups for uuid in group["drives"])
    need(placed == Counter(drive["uuid"] for drive in drives), "a drive is not in exactly one group")


def check_group(group: Body, plan: Body, plan_digest: str) -> None:
    planned = next((one for one in plan["groups"] if one["group"] == group["group"]), None)
    need(planned is not None, "group is not in the plan")
    expected = {"shipment": plan["shipment"], "attempt": plan["attempt"], "plan": plan_digest} | (planned or {})
    need(all(group[name] == value for name, value in expected.items()), "group does not fit the plan")
    n, k, volumes = len(group["drives"]), group["k"], group["volumes"]
    need(len(volumes) == n * group["num_stripes"], "volumes are missing")
    for at, volume in enumerate(volumes):
        stripe, column = divmod(at, n)
        need((volume["stripe"], volume["column"]) == (stripe, column), "volumes are out of order")
        need(volume["drive"] == group["drives"][(column + stripe) % n], "a volume is on the wrong drive")
        need(volume["bytes"] <= 8 << 30, "a volume is too long")
    for at in range(0, len(volumes), n):
        longest = max(volume["bytes"] for volume in volumes[at : at + k])
        need(all(volume["bytes"] == longest for volume in volumes[at + k : at + n]), "parity has another length")


def place_of(drive: Body) -> str:
    """Return the UUID by which plan and group know a drive (also as shipment.json lists it)."""
    return (drive["replaces"] or [drive["uuid"]])[0]


def check_drive(drive: Body, plan: Body, plan_digest: str) -> None:
    same = (plan["shipment"], plan["attempt"], plan_digest)
    need((drive["shipment"], drive["attempt"], drive["plan"]) == same, "drive is of another plan")
    planned = next((one for one in plan["drives"] if one["uuid"] == place_of(drive)), None)
    need(planned is not None, "drive stands in no place of the plan")
    if planned is not None:
        need(all(drive[name] == planned[name] for name in ("label", "case")), "drive has another label or case")
    group = next((one for one in plan["groups"] if one["group"] == drive["group"]), {"drives": []})
    need(place_of(drive) in group["drives"], "drive is in another group")
    own = [*drive["replaces"], *(one["uuid"] for one in plan["drives"])] if drive["replaces"] else []
    need(drive["uuid"] not in own, "replacement has the UUID of another drive")


def check_shipment(shipment: Body, plan: Body, plan_digest: str) -> None:
    for name in ("shipment", "attempt", "purpose"):
        need(shipment[name] == plan[name], "shipment is of another plan")
    need(shipment["plan"] == plan_digest, "shipment is of another plan")
    planned = Counter(group["group"] for group in plan["groups"])
    need(Counter(group["group"] for group in shipment["groups"]) == planned, "shipment names other groups")
    places = Counter((drive["uuid"], drive["label"], drive["case"]) for drive in plan["drives"])
    named = Counter((place_of(drive), drive["label"], drive["case"]) for drive in shipment["drives"])
    need(named == places, "shipment names other drives")


def check_custody(payload: bytes, signers: Path) -> list[Body]:
    """Return the entries of a custody log."""
    need(payload.endswith(b"\n") or not payload, "last line is cut")
    entries: list[Body] = []
    previous = "0" * 64
    for count, line in enumerate(payload.split(b"\n")[:-1]):
        body = canonical(line)
        need(body.keys() == {"entry", "signature"}, "not a line of a custody log")
        need(isinstance(body["entry"], str) and isinstance(body["signature"], str), "not a line of a custody log")
        entry = parse("custody", body["entry"].encode())
        check_signature("custody", body["entry"].encode(), body["signature"].encode(), signers, entry["by"])
        need((entry["sequence"], entry["previous"]) == (count, previous), "the chain is broken")
        need(not entries or entry["at"] >= entries[-1]["at"], "dated before the line before")
        entries.append(entry)
        previous = sha256(line)
    return entries
