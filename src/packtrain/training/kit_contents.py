"""What a kit says of itself: its list of packages, told from its files alone; and what its program must not say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from packtrain.documents.kit import Kit
from packtrain.errors import KitError
from packtrain.training import bom
from packtrain.training.interpreter import NAME as INTERPRETER

_OF_PACKAGES: Final = ("pyproject.toml", "uv.toml", "*.lock", "pylock.*", "pip.conf", "requirements*.txt", "setup.cfg")
_MAX_SEARCHED_BYTES: Final = 16 << 20
# A variable or a gap to be filled in is no secret.
_SECRET: Final = re.compile(rb"https?://[^\s/@'\"`$<{%]+@")


def refuse_secrets(program: Mapping[str, Path]) -> None:
    """Refuse a program whose files of packages name an index with a user or password: kits travel in the open.

    Raises:
        KitError: see above; the secret is not repeated.
    """
    for name, path in program.items():
        if not any(PurePosixPath(name).match(pattern) for pattern in _OF_PACKAGES):
            continue
        with path.open("rb") as stream:
            content = stream.read(_MAX_SEARCHED_BYTES)
        if (found := _SECRET.search(content)) is not None:
            line = content.count(b"\n", 0, found.start()) + 1
            raise KitError(
                "program names an address with a user or password, and a kit travels in the open",
                where=f"{path}, line {line}",
                hint="take it out, and give it to uv elsewhere: UV_INDEX_..._USERNAME and _PASSWORD, a netrc, or "
                '"uv auth login"',
            )


def kit_contents(folder: Path, kit: Kit) -> dict[str, Any]:
    """Return what is in a kit, for people and for --json: target, sizes, packages, and what is absent.

    Raises:
        KitError: it has no list of packages, or one that cannot be read.
    """
    try:
        with (folder / bom.NAME).open("rb") as stream:
            payload = stream.read(bom.MAX_BOM_BYTES)
        table = json.loads(payload)
        told = bom.read_properties(table["metadata"]["properties"])
        components = [(one, bom.read_properties(one["properties"])) for one in table["components"]]
        packages = [_package(one, properties) for one, properties in components if "file" in properties]
        provided = [
            f"{one['name']} {one['version']}"
            for one, properties in components
            if one["type"] == "library" and properties.get("provided-by") == "the site"
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KitError(
            "list of the kit's packages cannot be read",
            where=str(folder / bom.NAME),
            found=str(error)[:200],
            hint='"packtrain kit build" builds the kit again',
        ) from error
    sizes = {file.name: file.bytes for file in kit.files}
    has_interpreter = INTERPRETER in sizes
    has_uv = any(one["name"] == "uv" for one in packages)
    return {
        "folder": str(folder),
        "files": len(kit.files),
        "bytes": sum(sizes.values()),
        "python": kit.target_python,
        "platform": kit.target_platform,
        "glibc": told["glibc"],
        "interpreter": f"in the kit, {INTERPRETER}" if has_interpreter else f"absent: the site has {kit.target_python}",
        "uv": "in the kit" if has_uv else "absent: the site's pip installs",
        "provided": provided,
        "built": [f"{one['name']} {one['version']}" for one in packages if one["built_from"]],
        "wheel_bytes": sum(one["bytes"] for one in packages),
        "lock": told["lock-sha256"],
        "packages": packages,
    }


def _package(component: dict[str, Any], properties: dict[str, str]) -> dict[str, Any]:
    licences = component.get("licenses", [{}])
    return {
        "name": component["name"],
        "version": component["version"],
        "file": properties["file"],
        "bytes": int(properties["bytes"]),
        "sha256": component["hashes"][0]["content"],
        "licence": licences[0].get("expression") or licences[0].get("license", {}).get("name") or "not stated",
        "vouched_by": properties["vouched-by"],
        "built_from": properties.get("built-from", ""),
    }
