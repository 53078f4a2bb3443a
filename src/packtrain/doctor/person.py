"""What stands between packtrain and a person: the character set, and a terminal to be asked on."""

from __future__ import annotations

import codecs
import locale
import sys
from collections.abc import Iterator

from packtrain.doctor.finding import Finding, Subject


def look_at_locale(subject: Subject) -> Iterator[Finding]:
    """Yield whether names of files and messages are UTF-8."""
    names, told = sys.getfilesystemencoding(), sys.stdout.encoding or "ascii"
    setting = (
        subject.environment.get("LC_ALL") or subject.environment.get("LC_CTYPE") or subject.environment.get("LANG")
    )
    found = f"names of files {names}, terminal {told}, locale {setting or 'not set'} ({locale.getpreferredencoding()})"
    verbs = ("prepare", "pack", "load")
    if all(codecs.lookup(name).name == "utf-8" for name in (names, told)):
        yield Finding("locale", "ok", found, verbs)
        return
    why = "names beyond ASCII are shown as escapes, and names typed on this terminal may not be those of the files"
    yield Finding("locale", "warn", found, verbs, why, "export LC_ALL=C.UTF-8")


def look_at_terminal(subject: Subject) -> Iterator[Finding]:
    """Yield whether a passphrase can be asked for, where this voyage asks for one."""
    found = ", ".join(
        f"{name} {'a terminal' if stream.isatty() else 'no terminal'}"
        for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("messages", sys.stderr))
    )
    keys = subject.voyage.keys if subject.voyage is not None else None
    asks = keys is not None and keys.envelope == "passphrase" and not (keys.passphrase_file or keys.passphrase_env)
    if not asks or sys.stdin.isatty():
        yield Finding("terminal", "ok", found + ("" if asks else "; nothing here must be asked for"), ("pack",))
        return
    why = "the shipment's key is sealed with a passphrase, and nobody can be asked for it here"
    remedy = "run it on a terminal, or name a passphrase_file or passphrase_env in [keys] of voyage.toml"
    yield Finding("terminal", "warn", found, ("pack",), why, remedy)
