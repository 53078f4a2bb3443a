"""plan.json: what is to be written on which drives. Public, signed by the consignor before the first byte."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import AgeRecipient, Count, Document, Instant, Label, Part, Sha256, Text, Uuid

Purpose = Literal["cargo", "rehearsal", "home"]


class Algorithms(Part, frozen=True, kw_only=True):
    """The only algorithms of cargo format 1; a reader takes them from here, never from which files exist."""

    encryption: Literal["age-v1-x25519"] = "age-v1-x25519"
    digest: Literal["sha256"] = "sha256"
    block_hash: Literal["xxh3-64"] = "xxh3-64"
    code: Literal["cauchy-gf256-0x11d"] = "cauchy-gf256-0x11d"


class PlannedDrive(Part, frozen=True, kw_only=True):
    """One drive of the shipment: its fresh UUID, what is printed on it, where it travels.

    `serial` is None for a drive that was not seen when the plan was signed: it takes its turn in a bay. Its closing
    record names it.
    """

    uuid: Uuid
    label: Label
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None
    case: Label


class PlannedGroup(Part, frozen=True, kw_only=True):
    """One group: k data and m parity columns over its drives, named by UUID in column order of stripe 0."""

    group: Annotated[int, msgspec.Meta(ge=0, le=9999)]
    k: Annotated[int, msgspec.Meta(ge=1, le=255)]
    m: Annotated[int, msgspec.Meta(ge=0, le=254)]
    drives: Annotated[tuple[Uuid, ...], msgspec.Meta(min_length=1, max_length=255)]


class Survive(Part, frozen=True, kw_only=True):
    """What was asked to be survivable: whole cases, and drives of each group beyond them."""

    cases: Annotated[int, msgspec.Meta(ge=0, le=255)]
    drives: Annotated[int, msgspec.Meta(ge=0, le=255)]


class Plan(Document, frozen=True, kw_only=True):
    """The plan of one attempt of one shipment.

    Attributes:
        shipment: UUID of the shipment; the same over all its attempts.
        attempt: counted from 1; drives of an earlier attempt are superseded.
        declaration: SHA-256 of declaration.json; absent only for a rehearsal.
        block_bytes: the unit of damage.
        byte_cap: for a rehearsal, the most plaintext bytes it may hold.
        cargo: SHA-256 of the list of files to be carried (see volume/cargo), so that a resumed run packs the same.
    """

    kind = "plan"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    purpose: Purpose
    declaration: Sha256 | None
    recipient: AgeRecipient
    algorithms: Algorithms
    block_bytes: Literal[1048576]
    volume_target_bytes: Count
    cases: Annotated[tuple[Label, ...], msgspec.Meta(min_length=1, max_length=255)]
    drives: Annotated[tuple[PlannedDrive, ...], msgspec.Meta(min_length=1, max_length=4096)]
    groups: Annotated[tuple[PlannedGroup, ...], msgspec.Meta(min_length=1, max_length=4096)]
    survive: Survive
    cargo: Sha256
    byte_cap: Count | None
    contact: Text
    created: Instant
    software: Text
