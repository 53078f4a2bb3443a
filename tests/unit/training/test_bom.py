"""bom.cdx.json: deterministic, complete, and of the form that CycloneDX 1.6 asks for.

The official schema ships with no package of this project's locks; its rules for what is written here are below. The
list of a real kit was held against the schema itself with cyclonedx-python-lib 11.12.0 (strict) when this was written.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kit_parts import make_wheel
from packtrain.training.bom import Contents, Listed, bill_of_materials
from packtrain.training.target import Target
from packtrain.training.wheels import read_wheels

PROPERTIES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "value"],
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
    },
}
COMPONENT = {
    "type": "object",
    "required": ["type", "name"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["application", "library", "platform"]},
        "bom-ref": {"type": "string", "minLength": 1},
        "name": {"type": "string"},
        "version": {"type": "string", "maxLength": 1024},
        "scope": {"enum": ["required", "optional", "excluded"]},
        "purl": {"type": "string", "pattern": "^pkg:pypi/[a-z0-9-]+@"},
        "hashes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["alg", "content"],
                "properties": {"alg": {"const": "SHA-256"}, "content": {"pattern": "^[a-f0-9]{64}$"}},
            },
        },
        "licenses": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"required": ["expression"], "additionalProperties": False, "properties": {"expression": {}}},
                    {
                        "required": ["license"],
                        "additionalProperties": False,
                        "properties": {"license": {"type": "object", "required": ["name"]}},
                    },
                ]
            },
        },
        "properties": PROPERTIES,
    },
}
FORM = {
    "type": "object",
    "required": ["bomFormat", "specVersion"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"},
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {"pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
        "version": {"type": "integer", "minimum": 1},
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "tools": {"properties": {"components": {"items": COMPONENT}}},
                "component": COMPONENT,
                "properties": PROPERTIES,
            },
        },
        "components": {"type": "array", "uniqueItems": True, "items": COMPONENT},
        "dependencies": {
            "type": "array",
            "items": {"required": ["ref"], "additionalProperties": False, "properties": {"ref": {}, "dependsOn": {}}},
        },
    },
}


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    make_wheel(tmp_path, "tiny-sum", "1.2+cpu", requires=["tiny-base>=1", "torch", "win; sys_platform == 'win32'"])
    make_wheel(tmp_path, "tiny-base", licence=("License-Expression: MIT OR Apache-2.0",))
    make_wheel(tmp_path, "tiny-old", licence=("License: BSD, see\n        the file",))
    make_wheel(tmp_path, "tiny-class", licence=("Classifier: License :: OSI Approved :: MIT License",))
    listed = tuple(Listed(wheel, "a" * 64, 9, "a folder", "") for wheel in read_wheels(tmp_path))
    return Contents(
        target=Target.here(),
        glibc="2.28",
        program_sha256="b" * 64,
        wheels=listed,
        provided={"torch": "2.13.0"},
        interpreter_sha256=None,
        lock_sha256="c" * 64,
    )


def _table(contents: Contents) -> dict[str, Any]:
    return json.loads(bill_of_materials(contents))


def test_it_has_the_form_of_cyclonedx(contents: Contents):
    table = _table(contents)
    jsonschema.validate(table, FORM)
    refs = [one["bom-ref"] for one in table["components"]] + ["program"]
    assert len(set(refs)) == len(refs)
    for one in table["dependencies"]:
        assert {one["ref"], *one["dependsOn"]} <= set(refs)


def test_same_contents_give_the_same_bytes_and_others_another_serial_number(contents: Contents):
    assert bill_of_materials(contents) == bill_of_materials(contents)
    other = dataclasses.replace(contents, glibc="2.31")
    assert _table(other)["serialNumber"] != _table(contents)["serialNumber"]
    assert not re.search(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T", bill_of_materials(contents).decode())


def test_licences_are_what_the_wheels_say(contents: Contents):
    licences = {one["name"]: one.get("licenses") for one in _table(contents)["components"]}
    assert licences["tiny-base"] == [{"expression": "MIT OR Apache-2.0"}]
    assert licences["tiny-old"] == [{"license": {"name": "BSD, see"}}]
    assert licences["tiny-class"] == [{"license": {"name": "MIT License"}}]
    assert licences["tiny-sum"] is None


def test_dependencies_are_those_of_the_target(contents: Contents):
    depends = {one["ref"]: one["dependsOn"] for one in _table(contents)["dependencies"]}
    assert depends["pkg:pypi/tiny-sum@1.2%2Bcpu"] == ["pkg:pypi/tiny-base@1.0", "pkg:pypi/torch@2.13.0"]


def test_what_the_site_provides_is_marked(contents: Contents):
    marked = [
        one["name"]
        for one in _table(contents)["components"]
        if {"name": "packtrain:provided-by", "value": "the site"} in one["properties"]
    ]
    assert marked == ["torch", "Python"]
