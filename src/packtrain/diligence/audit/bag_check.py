"""A dossier's own manifests, held against its files: every difference is listed, none is raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.faults import Fault, shown
from packtrain.diligence.audit.files import Files
from packtrain.diligence.audit.layout import ATTACHED, EVIDENCE, attached, evidence_digest, is_local
from packtrain.diligence.bag import BAGIT_TEXT, MAX_FILE_BYTES, MAX_TAG_BYTES, TAG_FILES, TAG_MANIFEST
from packtrain.diligence.hand_over import LOG_NAME
from packtrain.record.heads import HEADS
from packtrain.record.keys import RELEASE, SITE_ENVELOPE
from packtrain.record.revocations import REVOCATIONS

PAYLOAD: Final = "data/"
_MANIFEST: Final = "manifest-sha256.txt"
_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>\S{1,512})")
_AT_THE_TOP: Final = frozenset({f"{PAYLOAD}{LOG_NAME}", f"{PAYLOAD}allowed_signers"})
_ENVELOPES: Final = frozenset({f"{PAYLOAD}keys/{SITE_ENVELOPE}", f"{PAYLOAD}keys/{RELEASE}"})


@dataclass(slots=True)
class SeenBag:
    """The tag files of a bag.

    Attributes:
        named: payload file -> SHA-256, as the manifest has it.
        tagmanifest: SHA-256 of the tag manifest; None where there is none.
    """

    named: dict[str, str] = field(default_factory=dict[str, str])
    info: dict[str, str] = field(default_factory=dict[str, str])
    tagmanifest: str | None = None
    faults: list[Fault] = field(default_factory=list[Fault])
    has_manifest: bool = False


def read_bag(files: Files) -> SeenBag:
    """Return what the tag files say; what is missing, altered or malformed among them is a fault."""
    bag = SeenBag()
    present = set(files.names)
    tags: dict[str, bytes] = {}
    for name in (*TAG_FILES, TAG_MANIFEST):
        if name not in present:
            bag.faults.append(Fault("missing", name, "a dossier has this file"))
        elif (payload := files.read(name, MAX_TAG_BYTES)) is not None:
            tags[name] = payload
    for name in sorted(present - tags.keys()):
        if not name.startswith(PAYLOAD) and name not in (*TAG_FILES, TAG_MANIFEST):
            bag.faults.append(Fault("unknown file", shown(name), "a file that no dossier has"))
    if "bagit.txt" in tags and tags["bagit.txt"] != BAGIT_TEXT:
        bag.faults.append(Fault("malformed", "bagit.txt", "of another version than BagIt 1.0"))
    if TAG_MANIFEST in tags:
        bag.tagmanifest = sha256_bytes(tags[TAG_MANIFEST])
        named = _manifest(tags[TAG_MANIFEST], TAG_MANIFEST, bag.faults)
        _compare(named, {name: sha256_bytes(tags[name]) for name in TAG_FILES if name in tags}, TAG_MANIFEST, bag)
    if _MANIFEST in tags:
        bag.has_manifest = True
        bag.named = _manifest(tags[_MANIFEST], _MANIFEST, bag.faults)
    for line in tags.get("bag-info.txt", b"").decode("utf-8", "replace").splitlines()[:1000]:
        name, _, text = line.partition(": ")
        bag.info.setdefault(name[:100], text[:400])
    return bag


def check_bag(files: Files, bag: SeenBag) -> list[Fault]:
    """Return where the payload differs from what the manifest names; call it when the documents were read."""
    checked = SeenBag()
    if bag.has_manifest:
        unread = {fault.where for fault in files.faults}
        for name in files.names:
            if name.startswith(PAYLOAD) and name not in files.digests and shown(name) not in unread:
                files.read(name, MAX_FILE_BYTES)
        found = {name: digest for name, digest in files.digests.items() if name.startswith(PAYLOAD)}
        _compare(bag.named, found, _MANIFEST, checked)
        oxum = f"{sum(files.num_bytes[name] for name in found)}.{len(found)}"
        if (stated := bag.info.get("Payload-Oxum")) != oxum:
            what = f"it counts {shown(stated or 'nothing')} (bytes.files), here are {oxum}"
            checked.faults.append(Fault("altered", "bag-info.txt", what))
    return checked.faults


def payload_names(files: Files, sender: str) -> tuple[dict[str, str], list[Fault]]:
    """Return the files of the record, by their name below documents/, and what no dossier has as faults.

    Evidence, printed papers and statements lie beside the documents in a dossier, and below them in a voyage folder.

    Key envelopes are known and no part of the record: they are encrypted to one party.
    """
    names: dict[str, str] = {}
    faults: list[Fault] = []
    for path in files.names:
        inner = path.removeprefix(f"{PAYLOAD}documents/")
        beside, _, rest = path.removeprefix(PAYLOAD).partition("/")
        if path in _AT_THE_TOP:
            names[path.removeprefix(PAYLOAD)] = path
        elif beside == EVIDENCE and evidence_digest(f"{EVIDENCE}/{rest}") is not None:
            names[f"{EVIDENCE}/{rest}"] = path
        elif beside in (HEADS, REVOCATIONS) and "/" not in rest:
            names[f"{beside}/{rest}"] = path
        elif beside in ATTACHED and attached(f"{beside}/{sender}/{rest}") is not None:
            names[f"{beside}/{sender}/{rest}"] = path
        elif inner != path and not is_local(inner):
            names[inner] = path
        elif path.startswith(PAYLOAD) and path not in _ENVELOPES:
            faults.append(Fault("unknown file", shown(path), "a file that no dossier has"))
    return names, faults


def _manifest(payload: bytes, name: str, faults: list[Fault]) -> dict[str, str]:
    named: dict[str, str] = {}
    lines = payload.decode("ascii", "replace").split("\n")
    if lines.pop() != "":
        faults.append(Fault("malformed", name, "the last line is cut"))
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match["name"] in named:
            faults.append(Fault("malformed", f"{name}, line {number}", "malformed, or a file that is named twice"))
        else:
            named[match["name"]] = match["digest"]
    return named


def _compare(named: Mapping[str, str], found: Mapping[str, str], manifest: str, bag: SeenBag) -> None:
    for name in sorted(named.keys() - found.keys()):
        bag.faults.append(Fault("missing", shown(name), f"{manifest} names it"))
    for name in sorted(found.keys() - named.keys()):
        bag.faults.append(Fault("unknown file", shown(name), f"{manifest} does not name it"))
    for name in sorted(named.keys() & found.keys()):
        if named[name] != found[name]:
            bag.faults.append(Fault("altered", shown(name), f"its bytes are not those that {manifest} names"))
