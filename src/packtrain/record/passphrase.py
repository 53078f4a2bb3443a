"""The passphrase of the consignor's envelope: from a file or a variable that voyage.toml names, else from a person."""

from __future__ import annotations

import os
from typing import Final

from packtrain.crypto.age import Passphrase
from packtrain.errors import KeyMalformed, KeyMissing, VoyageFileError
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder

MIN_NEW_CHARACTERS: Final = 12
"""Of a new one: the envelope lies in backups, where it can be guessed at for years."""
_MAX_BYTES: Final = 4096


def read_passphrase(folder: VoyageFolder, *, is_new: bool) -> Passphrase:
    """Return the passphrase; it is never on a command line, where every user of the machine could read it.

    Args:
        folder: the consignor's voyage folder.
        is_new: to seal with it, not to open: a person types it twice, and a short one is refused.

    Raises:
        KeyMissing: the file or the variable that [keys] names is not there, or nobody is there to ask.
        KeyMalformed: it is empty, not one line of text, or too short for a new one.
        VoyageFileError: [keys] names both a file and a variable.
    """
    section = folder.voyage_file().keys
    if section.passphrase_file is not None and section.passphrase_env is not None:
        raise VoyageFileError(
            "[keys] names two places for one passphrase",
            where=str(folder.root / VOYAGE_FILE),
            expected="passphrase_file or passphrase_env",
            hint="remove one of them",
        )
    if section.passphrase_file is not None:
        where, text = section.passphrase_file, _from_file(folder, section.passphrase_file)
    elif section.passphrase_env is not None:
        where, text = f"${section.passphrase_env}", _from_variable(section.passphrase_env)
    elif folder.ask_passphrase is not None:
        prompt = "new passphrase of the shipment's key" if is_new else "passphrase of the shipment's key"
        where, text = "what was typed", folder.ask_passphrase(prompt, twice=is_new)
    else:
        raise KeyMissing(
            "nobody is here to type the passphrase", where=str(folder.root), hint="name a passphrase_file in [keys]"
        )
    if not text or not text.isprintable():
        raise KeyMalformed("passphrase is empty, or not one line of text", where=where)
    if is_new and len(text) < MIN_NEW_CHARACTERS:
        raise KeyMalformed(
            "new passphrase is too short",
            where=where,
            expected=f"{MIN_NEW_CHARACTERS} characters or more",
            hint="some words chosen by dice are easier to keep than signs",
        )
    return Passphrase(text)


def _from_file(folder: VoyageFolder, name: str) -> str:
    path = folder.resolve(name)
    try:
        with path.open("rb") as stream:
            payload = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyMissing(
            "passphrase file is not there", where=str(path), hint="[keys] of voyage.toml names it"
        ) from error
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeyMalformed("passphrase file is not text", where=str(path)) from error
    if len(payload) > _MAX_BYTES:
        raise KeyMalformed("passphrase file is too long", where=str(path), expected=f"at most {_MAX_BYTES} bytes")
    return text.partition("\n")[0].removesuffix("\r")


def _from_variable(name: str) -> str:
    text = os.environ.get(name)
    if text is None:
        raise KeyMissing(
            "environment variable of the passphrase is not set", where=f"${name}", hint="[keys] of voyage.toml names it"
        )
    return text
