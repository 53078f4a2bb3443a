"""One look of the doctor: in this process, or in another one under conditions of its own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import packtrain
from packtrain.doctor.finding import Finding, Subject
from packtrain.documents.parties import Role
from packtrain.record.folder import VoyageFolder

_SCRIPT = """
import json, sys
from doctor_parts import look, subject_of
module, name, folder = sys.argv[1:]
print(json.dumps([one.to_dict() for one in look(module, name, subject_of(folder or None))]))
"""


def subject_of(folder: Path | str | None, role: Role | None = None) -> Subject:
    """Return the subject of a voyage folder, or of no voyage."""
    if folder is None:
        return Subject(role, None, None, dict(os.environ))
    voyage = VoyageFolder(Path(folder)).voyage_file()
    return Subject(role or voyage.voyage.role, Path(folder), voyage, dict(os.environ))


def look(module: str, name: str, subject: Subject) -> list[Finding]:
    """Return what one look finds. What is not well must say why that matters and what mends it."""
    found = list(getattr(importlib.import_module(f"packtrain.doctor.{module}"), f"look_at_{name}")(subject))
    assert_well_formed(found)
    return found


def assert_well_formed(findings: Sequence[Finding]) -> None:
    """Assert what every finding must have."""
    for one in findings:
        assert one.what and one.found, one
        if one.state in ("fault", "warn", "not shown"):
            assert one.why and one.remedy, one
        for text in (one.found, one.why, one.remedy):
            assert "PosixPath(" not in text and "Traceback" not in text and not text.endswith("."), one
        assert one.state != "fault" or one.verbs, one


def look_elsewhere(
    module: str,
    name: str,
    folder: Path | None = None,
    *,
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> list[dict[str, str]]:
    """Return what one look finds in a process of its own, started by `prefix` or with other variables."""
    paths = os.pathsep.join([str(Path(packtrain.__file__).parents[1]), str(Path(__file__).parent)])
    variables = {**os.environ, "PYTHONPATH": paths, **(environment or {})}
    argv = [*prefix, sys.executable, "-c", _SCRIPT, module, name, str(folder or "")]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True, env=variables, timeout=120)
    return json.loads(ran.stdout)


def states(findings: Sequence[Finding]) -> dict[str, str]:
    """Return what -> state."""
    return {one.what: one.state for one in findings}
