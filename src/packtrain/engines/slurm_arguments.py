"""The options of `sbatch` that a user adds: what of them would take a job out of our hands is refused before it is
submitted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from packtrain.errors import VoyageFileError

_REFUSED: Final = {
    "array": "packtrain numbers the tasks of its jobs itself",
    "clusters": "the job would run where squeue does not look for it; submit on a host of that cluster",
    "job-name": "a job is found again by the name that packtrain gives it",
    "test-only": "nothing would be submitted",
    "uid": "the job would be another user's, who may not read the voyage folder",
    "version": "nothing would be submitted",
    "wait": "packtrain follows the job itself",
    "wrap": "packtrain writes the script",
}
_REFUSED_IN_TRAINING: Final = {
    **_REFUSED,
    "no-requeue": "each attempt after the first is a requeue; max_restarts says how many may fail",
    "ntasks": "there is one task a host; [site.hosts] says how many hosts, and workers how many processes on each",
    "ntasks-per-node": "there is one task a host; workers under [training] says how many processes it has",
}
_NAMES: Final = (*sorted(_REFUSED_IN_TRAINING), "signal")
_SIGNAL: Final = re.compile(r"(B|RB|BR):(SIG)?USR1(@\d+)?", re.IGNORECASE)
_SHORT: Final = {
    "a": "array", "J": "job-name", "M": "clusters", "n": "ntasks", "V": "version", "W": "wait",
}  # fmt: skip
_SHORT_FLAGS: Final = "hHIkOQsvVW"
"""Short options of `sbatch` that take no word of their own: more of them may be written behind one dash."""


def require_usable(arguments: Sequence[str], where: str, *, is_training: bool = False) -> None:
    """Return if a job that is submitted with these options is still one that packtrain can lead.

    Args:
        arguments: more options for `sbatch`.
        where: the setting that they come from.
        is_training: they are for a job that trains.

    Raises:
        VoyageFileError: one of them takes it out of our hands, or is no option.
    """
    refused = _REFUSED_IN_TRAINING if is_training else _REFUSED
    may_be_value = False
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if not word.startswith("-") or word == "--":
            if not may_be_value or word == "--":
                raise _refused(where, word, "options alone", "sbatch would take it for the script")
            may_be_value = False
            continue
        may_be_value = "=" not in word and (word.startswith("--") or len(word.lstrip(f"-{_SHORT_FLAGS}")) == 1)
        if names := [name for name in _names(word) if name in refused]:
            raise _refused(where, word, f"no --{names[0]}", refused[names[0]])
        value = word.partition("=")[2] if "=" in word else following
        if is_training and "signal" in _names(word) and not _SIGNAL.fullmatch(value):
            raise _refused(where, word, "--signal=B:USR1@SECONDS", "another signal would not ask the job to save")


def _names(word: str) -> list[str]:
    """Return the options of ours that a word may be: by name, by the beginning of one, or by letters."""
    if word.startswith("--"):
        # sbatch takes a beginning for the whole name, where only one name begins so.
        given = word[2:].partition("=")[0]
        return [name for name in _NAMES if name.startswith(given)]
    found: list[str] = []
    for letter in word[1:]:
        found += [_SHORT[letter]] if letter in _SHORT else []
        if letter not in _SHORT_FLAGS:
            break
    return found


def _refused(where: str, word: str, expected: str, why: str) -> VoyageFileError:
    return VoyageFileError(
        "an option for sbatch is one that packtrain cannot work with",
        where=f"voyage.toml, {where} slurm_arguments",
        expected=expected,
        found=word,
        hint=f"leave it out: {why}",
    )
