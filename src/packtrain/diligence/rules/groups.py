"""Country groups in the voyage folder: country-groups/<name>.json, made from a TOML file that the user supplies.

A group added again replaces the one before, whose record stays in country-groups/history/. None comes with packtrain:
who is in a group changes by decree, and whoever uses one should know from where and from which day he has it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence.countries import CODES
from packtrain.documents.codec import Label, decode, digest, encode
from packtrain.documents.country_group import CountryGroup
from packtrain.documents.declared_party import Answer
from packtrain.documents.toml_file import MAX_TOML_BYTES, decode_toml
from packtrain.errors import GroupUnreadable
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant

STAGE: Final = "rules"
FOLDER: Final = "country-groups"
_HISTORY: Final = "history"
_REFERENCE: Final = "docs/reference/rules.md"
_ZONES: Final = timedelta(days=1)
"""It is tomorrow already where the publisher sits."""


class _GroupSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Label
    as_of: date
    source: Answer
    members: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=300)]


class _GroupFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    group: Annotated[tuple[_GroupSection, ...], msgspec.Meta(min_length=1, max_length=256)]


def read_groups(payload: bytes, where: str, added_on: str) -> tuple[CountryGroup, ...]:
    """Return the country groups that a TOML file spells, in its order.

    Args:
        payload: the file's bytes.
        where: its name, for messages.
        added_on: the instant that the records carry.

    Raises:
        GroupUnreadable: not TOML, an unknown field, no group or no member, a name twice, a code of ISO 3166-1 that is
            none or is given twice, a day that is not yet.
    """
    file = decode_toml(_GroupFile, payload, where, error=GroupUnreadable, reference=_REFERENCE)
    found: dict[str, CountryGroup] = {}
    latest = date.fromisoformat(added_on[:10]) + _ZONES
    for section in file.group:
        place = f"{where}, group {section.name}"
        if section.name in found:
            raise GroupUnreadable(
                "two groups of one name", where=where, found=section.name, hint="keep the newer one of them"
            )
        if section.as_of > latest:
            raise _not_yet(place, latest.isoformat(), section.as_of.isoformat())
        strange = sorted(set(section.members) - CODES)
        if strange or len(set(section.members)) != len(section.members):
            raise GroupUnreadable(
                "members are not country codes, each once",
                where=place,
                expected="two capital letters of ISO 3166-1",
                found=", ".join(strange)[:200] or "one given twice",
                hint=f"{_REFERENCE} shows how a group is written",
            )
        found[section.name] = CountryGroup(
            name=section.name,
            as_of=section.as_of.isoformat(),
            source=section.source,
            members=tuple(sorted(section.members)),
            file=sha256_bytes(payload),
            added_on=added_on,
            replaces=None,
        )
    return tuple(found.values())


def add_groups(folder: VoyageFolder, path: Path) -> tuple[CountryGroup, ...]:
    """Read a file of country groups into the voyage folder; return what is kept now.

    Raises:
        GroupUnreadable: there is no such file; else see `read_groups`. Nothing is kept then.
    """
    try:
        with path.open("rb") as stream:
            payload = stream.read(MAX_TOML_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise GroupUnreadable(
            "there is no such file", where=str(path), hint="give the TOML file that holds the groups"
        ) from error
    kept: list[CountryGroup] = []
    for group in read_groups(payload, path.name, instant()):
        place = folder.root / FOLDER / f"{group.name}.json"
        if place.exists():
            before = place.read_bytes()
            old = decode(CountryGroup, before, str(place))
            group = msgspec.structs.replace(group, replaces=digest(old))
            durable.write_bytes(place.parent / _HISTORY / f"{sha256_bytes(before)}.json", before)
        durable.write_bytes(place, encode(group))
        kept.append(group)
    return tuple(kept)


def kept_groups(folder: VoyageFolder) -> dict[str, CountryGroup]:
    """Return the country groups of a voyage folder by name.

    Raises:
        DocumentError: one was altered.
    """
    found = sorted((folder.root / FOLDER).glob("*.json"))
    groups = [decode(CountryGroup, path.read_bytes(), str(path)) for path in found]
    return {group.name: group for group in groups}


def take_from(folder: VoyageFolder, source: Path) -> tuple[str, ...]:
    """Take the country groups of another folder that are not here, or of a later day; return which, in words.

    Who is in a group that was here, and was not or is no longer in it, is named: rules fire by membership.

    Raises:
        DocumentError: one there was altered.
        GroupUnreadable: one there is of a day that is not yet: it would never age.
    """
    latest = (date.fromisoformat(instant()[:10]) + _ZONES).isoformat()
    here = kept_groups(folder)
    told: list[str] = []
    for path in sorted((source / FOLDER).glob("*.json")):
        payload = path.read_bytes()
        there = decode(CountryGroup, payload, str(path))
        if there.as_of > latest:
            raise _not_yet(str(path), latest, there.as_of)
        before = here.get(there.name)
        if before is not None and (before.as_of, before.added_on) >= (there.as_of, there.added_on):
            continue
        place = folder.root / FOLDER / f"{there.name}.json"
        if before is not None:
            old = place.read_bytes()
            durable.write_bytes(place.parent / _HISTORY / f"{sha256_bytes(old)}.json", old)
        durable.write_bytes(place, payload)
        told.append(f"country group {there.name} of {there.as_of}{_difference(before, there)}")
    return tuple(told)


def _difference(before: CountryGroup | None, now: CountryGroup) -> str:
    if before is None:
        return f": {len(now.members)} members"
    old, new = set(before.members), set(now.members)
    named = [
        f"{what}: {', '.join(sorted(codes))}"
        for what, codes in (("no longer in it", old - new), ("new in it", new - old))
        if codes
    ]
    return f" in place of {before.as_of}: {'; '.join(named) or 'the same members'}"


def _not_yet(where: str, latest: str, found: str) -> GroupUnreadable:
    return GroupUnreadable(
        "the day of the group is not yet",
        where=where,
        expected=f"{latest} or earlier",
        found=found,
        hint="as_of is the day for which its publisher states the members",
    )
