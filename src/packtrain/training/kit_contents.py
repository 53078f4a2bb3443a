"""What a kit says of itself: its list of packages, told from its files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from packtrain.documents.kit import Kit
from packtrain.errors import KitError
from packtrain.training import bom
from packtrain.training.interpreter import NAME as INTERPRETER


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
