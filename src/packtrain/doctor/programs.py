"""Programs of others beside packtrain: which are here, which version, and what goes without them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from packtrain.doctor.children import Asked, find_program
from packtrain.doctor.finding import Finding, Subject

PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Program:
    """A program: how it is asked for its version, the Debian package, the verbs, and what goes without it."""

    name: str
    version: tuple[str, ...]
    package: str
    verbs: tuple[str, ...]
    why: str


_PROGRAMS: Final = (
    _Program("age", ("--version",), "age", ("check",), "packtrain has its own; a receiver without packtrain needs age"),
    # ssh-keygen does not tell its own version; ssh of the same package does.
    _Program("ssh-keygen", ("ssh", "-V"), "openssh-client", ("check",), "it checks signatures without packtrain"),
    _Program("mkfs.ext4", ("-V",), "e2fsprogs", ("drives format",), "drives come formatted, or are not formatted here"),
    _Program("blkdiscard", ("--version",), "util-linux", ("drives sanitise",), "drives are overwritten, not discarded"),
    _Program("smartctl", ("--version",), "smartmontools", ("drives --smart",), "the health of drives is not asked"),
)


def look_at_programs(subject: Subject) -> Iterator[Finding]:
    """Yield each program that packtrain can use or be read by; none of them stops a voyage."""
    asked: dict[str, Asked] = {}
    for program in _PROGRAMS:
        path = find_program(program.name)
        teller = find_program(program.version[0]) if program.version[0] == "ssh" else path
        if path is not None and teller is not None:
            options = program.version[1:] if program.version[0] == "ssh" else program.version
            asked[program.name] = Asked([teller, *options], environment={**os.environ, "LC_ALL": "C"})
    for program in _PROGRAMS:
        path = find_program(program.name)
        if path is None:
            remedy = f"apt-get install {program.package}"
            yield Finding(program.name, "not needed", "not installed", program.verbs, program.why, remedy)
            continue
        answer = asked[program.name].answer(PATIENCE_SECONDS) if program.name in asked else None
        if answer is not None and answer.status != 0:
            # It is here and does not run (a library is missing, a mount hangs): to the verbs that is as if it were not.
            said = (answer.complaint if answer.status is None else answer.first_line) or f"exit status {answer.status}"
            remedy = f"apt-get install --reinstall {program.package}"
            yield Finding(
                program.name, "warn", f"does not run: {said[:200]}, {path}", program.verbs, program.why, remedy
            )
            continue
        version = "" if answer is None else answer.first_line
        yield Finding(program.name, "ok", f"{version or 'version not told'}, {path}", program.verbs)
