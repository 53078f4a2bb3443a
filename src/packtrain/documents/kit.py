"""kit.json: the training program and its environment, installable with no network. Public, signed."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from packtrain.documents.codec import Count, Document, Part, Sha256, Text

# No component begins with a dot: no "..", nothing hidden.
_KIT_NAME: Final = r"\A[A-Za-z0-9_+][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+][A-Za-z0-9_+.-]*)*\Z"
KitName = Annotated[str, msgspec.Meta(pattern=_KIT_NAME, max_length=512)]


class KitFile(Part, frozen=True, kw_only=True):
    """One file of the kit, by its path below the kit's folder."""

    name: KitName
    bytes: Count
    sha256: Sha256


class Provided(Part, frozen=True, kw_only=True):
    """A package that the site provides, and the version the program was rehearsed with."""

    name: Text
    version: Text


class Kit(Document, frozen=True, kw_only=True):
    """What the kit holds and for which target it was resolved.

    Attributes:
        target_python: for example "3.11".
        target_platform: a wheel platform tag, for example "linux_x86_64".
        program: SHA-256 over the program folder (digest.sha256_tree).
        command: the training command with its placeholders.
    """

    kind = "kit"

    target_python: Text
    target_platform: Text
    program: Sha256
    command: Text
    files: tuple[KitFile, ...]
    provided: tuple[Provided, ...]
