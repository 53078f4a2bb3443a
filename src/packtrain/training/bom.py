"""bom.cdx.json: what a kit is made of, in CycloneDX 1.6, for those who keep such lists of what they run.

Nothing in it tells when it was made: the same kit has the same list, and its serial number is a function of the rest.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from packtrain import __version__
from packtrain.digest import sha256_bytes
from packtrain.training.target import Target
from packtrain.training.wheels import Wheel, needs_of

NAME: Final = "bom.cdx.json"
MAX_BOM_BYTES: Final = 16 << 20
_PROGRAM: Final = "program"
_INTERPRETER: Final = "interpreter"


@dataclass(frozen=True, slots=True)
class Listed:
    """A wheel as the list names it: its digest, what vouches for it, and what it was built from (or an empty text)."""

    wheel: Wheel
    sha256: str
    bytes: int
    vouched_by: str
    built_from: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What the list is made of.

    Attributes:
        target: what the kit is for.
        glibc: the glibc that its wheels need, or an empty text.
        program_sha256: digest of the program's folder.
        wheels: all of them.
        provided: name -> version of what the site provides.
        interpreter_sha256: digest of the interpreter's archive, or None where the site has to have one.
        lock_sha256: digest of uv.lock, or None where the wheels came from a folder without one.
    """

    target: Target
    glibc: str
    program_sha256: str
    wheels: tuple[Listed, ...]
    provided: Mapping[str, str]
    interpreter_sha256: str | None
    lock_sha256: str | None


def bill_of_materials(contents: Contents) -> bytes:
    """Return the list as JSON, the same bytes for the same contents."""
    target = contents.target
    refs = {one.wheel.name: _purl(one.wheel.name, one.wheel.version) for one in contents.wheels}
    refs |= {name: _purl(name, version) for name, version in contents.provided.items()}
    components = [_wheel(one) for one in contents.wheels]
    components += [_provided(name, version) for name, version in sorted(contents.provided.items())]
    components.append(_interpreter(contents))
    depends = {
        refs[one.wheel.name]: sorted({refs[need] for need, _ in needs_of(one.wheel, target) if need in refs})
        for one in contents.wheels
    }
    table: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "packtrain", "version": __version__}]},
            "component": {
                "type": "application",
                "bom-ref": _PROGRAM,
                "name": _PROGRAM,
                "properties": _properties({"program-tree-sha256": contents.program_sha256}),
            },
            "properties": _properties(
                {
                    "target-python": target.python,
                    "target-platform": target.platform,
                    "glibc": contents.glibc or "none named by a wheel",
                    "lock-sha256": contents.lock_sha256 or "no lock: the wheels came from a folder",
                    "uv": "carried" if "uv" in refs and "uv" not in contents.provided else "absent: pip installs",
                }
            ),
        },
        "components": components,
        "dependencies": [
            {"ref": _PROGRAM, "dependsOn": sorted({*refs.values(), _INTERPRETER})},
            *({"ref": ref, "dependsOn": needs} for ref, needs in sorted(depends.items()) if needs),
        ],
    }
    digest = sha256_bytes(_spell(table))
    table["serialNumber"] = f"urn:uuid:{uuid.UUID(bytes=bytes.fromhex(digest)[:16], version=5)}"
    return _spell(table)


def _wheel(one: Listed) -> dict[str, Any]:
    wheel = one.wheel
    licences: list[dict[str, Any]] = []
    if wheel.licence:
        licences = [{"expression": wheel.licence}]
    elif wheel.licence_name:
        licences = [{"license": {"name": wheel.licence_name}}]
    told = {"file": wheel.path.name, "bytes": str(one.bytes), "vouched-by": one.vouched_by}
    return {
        "type": "library",
        "bom-ref": _purl(wheel.name, wheel.version),
        "name": wheel.name,
        "version": wheel.version,
        "purl": _purl(wheel.name, wheel.version),
        "hashes": [{"alg": "SHA-256", "content": one.sha256}],
        **({"licenses": licences} if licences else {}),
        "properties": _properties(told | ({"built-from": one.built_from} if one.built_from else {})),
    }


def _provided(name: str, version: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _purl(name, version),
        "name": name,
        "version": version,
        "purl": _purl(name, version),
        "scope": "required",
        "properties": _properties({"provided-by": "the site"}),
    }


def _interpreter(contents: Contents) -> dict[str, Any]:
    digest = contents.interpreter_sha256
    return {
        "type": "platform",
        "bom-ref": _INTERPRETER,
        "name": "Python",
        "version": contents.target.python,
        **({"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}),
        "properties": _properties({"provided-by": "the kit"} if digest else {"provided-by": "the site"}),
    }


def _properties(told: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"packtrain:{name}", "value": value} for name, value in sorted(told.items())]


def read_properties(listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the properties of a component by name, without our prefix."""
    return {str(one["name"]).removeprefix("packtrain:"): str(one["value"]) for one in listed}


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{quote(name)}@{quote(version, safe='')}"


def _spell(table: Mapping[str, Any]) -> bytes:
    return (json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
