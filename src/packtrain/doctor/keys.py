"""This party's secret keys: whether they are there, whether others can read them, and where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.doctor.finding import Finding, Subject
from packtrain.doctor.places import Place, see, silent

_SIGNING: Final = ("declare", "pack", "carry", "admit", "load", "return", "close")
_OPENING: Final = ("admit", "load", "return")
_OTHERS: Final = 0o077
_MAY_ENTER: Final = 0o011


def look_at_keys(subject: Subject) -> Iterator[Finding]:
    """Yield what is to be said of the signing key and the identity."""
    root, voyage = subject.root, subject.voyage
    if root is None or voyage is None:
        return
    signer, identity = root / "keys" / "signer", subject.path(voyage.keys.identity)
    assert identity is not None
    files: dict[Path, tuple[str, tuple[str, ...]]] = {
        signer: ("signing key", _SIGNING),
        identity: ("identity", _OPENING),
    }
    if voyage.keys.passphrase_file is not None and (file := subject.path(voyage.keys.passphrase_file)) is not None:
        files[file] = ("passphrase file", ("pack",))
    places, _ = see([*files, *(path.parent for path in files)])
    for path, (what, verbs) in files.items():
        yield _key(what, places[path], places[path.parent], verbs)


def _key(what: str, place: Place, folder: Place, verbs: tuple[str, ...]) -> Finding:
    path = place.path
    if not place.answers:
        return silent(what, path, verbs)
    if not place.seen.get("is_there"):
        why = "nothing can be signed, or opened, without it"
        remedy = f'bring it from its backup to {path}; a new key ("packtrain init" in a new folder) is another party\'s'
        return Finding(what, "fault", f"{path} is not there", verbs, why, remedy)
    if not place.seen.get("is_readable"):
        why = "it cannot be used by this user"
        return Finding(what, "fault", f"no right to read {path}", verbs, why, f"sudo chown $(id -un) {place.typed}")
    mode = int(place.seen.get("mode", 0))
    reachable = bool(int(folder.seen.get("mode", 0o777)) & _MAY_ENTER)
    if mode & _OTHERS and reachable:
        why = "whoever works on this machine can sign in this party's name, or read what is sealed to it"
        return Finding(what, "warn", f"{path} has mode {mode:04o}", verbs, why, f"chmod 600 {place.typed}")
    if place.is_on_network:
        why = "a key on a shared file system is in the hands of whoever keeps that system and its backups"
        remedy = "keep keys/ on a disk of this machine, or on a stick that is taken out"
        return Finding(what, "warn", f"{path} is on {place.file_system}", verbs, why, remedy)
    if place.seen.get("uid") not in (os.geteuid(), 0):
        why = "its owner can change it"
        return Finding(
            what, "warn", f"{path} belongs to another user", verbs, why, f"sudo chown $(id -un) {place.typed}"
        )
    return Finding(what, "ok", f"{path}, mode {mode:04o}", verbs)
