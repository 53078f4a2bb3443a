"""Sections 2, 3 and 12: which drives are these, and what do the signed documents say?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from second_reader.documents import (
    Body,
    check_custody,
    check_drive,
    check_group,
    check_plan,
    check_shipment,
    open_document,
    place_of,
    sha256,
)
from second_reader.parity import rebuilt
from second_reader.refused import Refused, need

Signed = tuple[bytes, bytes | None]
"""A document's bytes and its signature."""


@dataclass
class Drive:
    folder: Path
    record: Body
    digest: str


@dataclass
class Known:
    """What is known after all documents were checked.

    Attributes:
        drives: by the UUID of their place.
        groups: documents by number, of those groups of which one is whole.
        damage: what was found and is made good.
    """

    plan: Body
    shipment: Body | None
    drives: dict[str, Drive]
    groups: dict[int, Body]
    damage: list[str] = field(default_factory=list)

    def data_volume(self, group: Body, stripe: int, column: int) -> bytes | None:
        """Return a data volume as it was packed, rebuilt if it is not there or differs; None if it is lost."""
        k, n = group["k"], len(group["drives"])
        listed = group["volumes"][stripe * n : stripe * n + n]
        if (whole := self.volume(group, listed[column])) is not None:
            return whole
        longest = max(volume["bytes"] for volume in listed[:k])
        found = [(c, payload) for c in range(n) if (payload := self.volume(group, listed[c])) is not None]
        if len(found) < k:
            return None
        again = rebuilt(column, k, found[:k], longest)[: listed[column]["bytes"]]
        return again if sha256(again) == listed[column]["sha256"] else None

    def volume(self, group: Body, listed: Body) -> bytes | None:
        suffix = "tar.age" if listed["column"] < group["k"] else "parity"
        name = f"data/{listed['stripe']:07d}-{listed['column']:02d}.{suffix}"
        drive = self.drives.get(listed["drive"])
        payload = b""
        if listed["bytes"] and drive is not None:
            payload = (content(drive.folder, name) or b"")[: listed["bytes"]]
        if sha256(payload) == listed["sha256"]:
            return payload
        if drive is not None:
            self.damage.append(f"{drive.record['label']}: {name}")
        return None


def content(folder: Path, name: str) -> bytes | None:
    """Return a file of a drive; None if it is not there, or is no regular file."""
    path = folder / name
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def signed(folder: Path, kind: str) -> Signed | None:
    payload = content(folder, f"packtrain/{kind}.json")
    return None if payload is None else (payload, content(folder, f"packtrain/{kind}.json.sig"))


def discover(folders: list[Path], signers: Path, plan: Signed | None = None, shipment: Signed | None = None) -> Known:
    """Return what these drives are, with what the reader has beforehand."""
    found: list[Drive] = []
    for folder in folders:
        record = signed(folder, "drive")
        if record is None:
            raise Refused(f"{folder}: open: no closing record")
        found.append(Drive(folder, open_document("drive", *record, signers), sha256(record[0])))
    if plan is None:
        copies = ((signed(drive.folder, "plan"), drive.record["plan"]) for drive in found)
        plan = next((copy for copy, digest in copies if copy is not None and sha256(copy[0]) == digest), None)
    if plan is None:
        raise Refused("no plan")
    known = Known(open_document("plan", *plan, signers), None, {}, {})
    plan_digest = sha256(plan[0])
    check_plan(known.plan)
    for drive in found:
        check_drive(drive.record, known.plan, plan_digest)
    known.shipment = last_shipment(found, signers, shipment, plan_digest)
    voided = [uuid for drive in found for uuid in drive.record["replaces"]]
    if known.shipment is not None:
        check_shipment(known.shipment, known.plan, plan_digest)
        voided += [uuid for drive in known.shipment["drives"] for uuid in drive["replaces"]]
    for drive in found:
        need(drive.record["uuid"] not in voided, f"drive {drive.record['label']} is superseded")
        need(place_of(drive.record) not in known.drives, f"drive {drive.record['label']} is here twice")
        known.drives[place_of(drive.record)] = drive
    if known.shipment is not None:
        named = {drive["uuid"]: drive["record"] for drive in known.shipment["drives"]}
        groups = {group["group"]: group["record"] for group in known.shipment["groups"]}
        for drive in found:
            is_named = named.get(drive.record["uuid"]) == drive.digest
            is_named = is_named and groups[drive.record["group"]] == drive.record["group_document"]
            need(is_named, f"drive {drive.record['label']} is not the one that shipment.json names")
    need(known.shipment is not None or len(found) == len(known.plan["drives"]), "incomplete knowledge")
    for drive in found:
        read_group(known, drive, signers, plan_digest)
        look_at_tag_files(known, drive, signers)
    return known


def last_shipment(found: list[Drive], signers: Path, given: Signed | None, plan_digest: str) -> Body | None:
    """Return the shipment document that counts: of those at hand, the one with the most replaced drives."""
    last: Body | None = None
    for copy in (given, *(signed(drive.folder, "shipment") for drive in found)):
        if copy is None:
            continue
        body = open_document("shipment", *copy, signers)
        if body["plan"] == plan_digest and (last is None or num_replaced(body) > num_replaced(last)):
            last = body
    return last


def num_replaced(shipment: Body) -> int:
    return sum(len(drive["replaces"]) for drive in shipment["drives"])


def read_group(known: Known, drive: Drive, signers: Path, plan_digest: str) -> None:
    number, digest = drive.record["group"], drive.record["group_document"]
    others = [one for one in known.drives.values() if one.record["group"] == number]
    need(all(one.record["group_document"] == digest for one in others), "drives name different group documents")
    copy = signed(drive.folder, "group")
    if number not in known.groups and copy is not None and sha256(copy[0]) == digest:
        group = open_document("group", *copy, signers)
        check_group(group, known.plan, plan_digest)
        need(group["group"] == number, "group.json of another group")
        known.groups[number] = group


def look_at_tag_files(known: Known, drive: Drive, signers: Path) -> None:
    label = drive.record["label"]
    listing = content(drive.folder, "tagmanifest-sha256.txt") or b""
    if sha256(listing) != drive.record["tagmanifest"]:
        known.damage.append(f"{label}: tagmanifest-sha256.txt")
        return
    for line in listing.decode("ascii").splitlines():
        digest, _, name = line.partition("  ")
        if sha256(content(drive.folder, name) or b"") != digest:
            known.damage.append(f"{label}: {name}")
    try:
        check_custody(content(drive.folder, "packtrain/custody.jsonl") or b"", signers)
    except Refused as error:
        known.damage.append(f"{label}: custody.jsonl: {error}")
