"""A folder in BagIt form (RFC 8493): written whole or not at all, and read as bytes from a stranger.

Stricter than the RFC on reading, because a dossier is made by packtrain alone: one known set of tag files, SHA-256,
no fetch.txt, names of a small alphabet, no link, no file that the manifest does not name, everything bounded.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.errors import DossierError
from packtrain.units import MIB

MAX_FILES: Final = 20_000
MAX_FILE_BYTES: Final = 256 * MIB
MAX_BAG_BYTES: Final = 2048 * MIB
MAX_TAG_BYTES: Final = 8 * MIB
BAGIT_TEXT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_NAME: Final = re.compile(r"data/[a-z0-9][a-z0-9_.-]{0,127}(/[a-z0-9][a-z0-9_.-]{0,127}){0,3}")
TAG_FILES: Final = ("README.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt")
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>\S+)")
# Folders that are named in the place of a dossier, by what lies in them.
_OTHER_FOLDERS: Final = {"voyage.toml": "a voyage folder", "packtrain/plan.json": "a drive"}


@dataclass(frozen=True, slots=True)
class Bag:
    """A verified copy of a bag.

    Attributes:
        root: the copy.
        payload: SHA-256 of each payload file by its name, which starts with data/.
        tagmanifest: SHA-256 of the tag manifest: the bag's identity.
        info: bag-info.txt, field -> value.
    """

    root: Path
    payload: Mapping[str, str]
    tagmanifest: str
    info: Mapping[str, str]


def write_bag(destination: Path, payload: Mapping[str, bytes | Path], info: Mapping[str, str], readme: str) -> str:
    """Write a bag under a temporary name and rename it to `destination`; return the SHA-256 of its tag manifest.

    Args:
        destination: a folder that is not there yet.
        payload: bytes, or a file to copy, by name; names start with data/.
        info: fields of bag-info.txt, one line each.
        readme: README.txt.

    Raises:
        DossierError: `destination` is there already.
        DriveFull: no space is left.
    """
    if destination.exists() or destination.is_symlink():
        raise DossierError(
            "destination is there already", where=str(destination), hint="name a new folder; a dossier is never changed"
        )
    temporary = destination.with_name(destination.name + durable.TEMPORARY_SUFFIX)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    digests: dict[str, str] = {}
    total_bytes = 0
    for name, content in sorted(payload.items()):
        assert _NAME.fullmatch(name), name
        target = temporary / name
        if isinstance(content, Path):
            with durable.atomic_writer(target) as stream, content.open("rb") as source:
                shutil.copyfileobj(source, stream, MIB)
        else:
            durable.write_bytes(target, content)
        # Of what was written, not of what was read: the manifest must be true of this folder.
        digests[name] = sha256_file(target)
        total_bytes += target.stat().st_size
    fields = {**info, "Payload-Oxum": f"{total_bytes}.{len(digests)}"}
    assert not any("\n" in text or "\r" in text for pair in fields.items() for text in pair)
    tags = {
        "README.txt": readme.encode("utf-8"),
        "bag-info.txt": "".join(f"{name}: {text}\n" for name, text in fields.items()).encode("utf-8"),
        "bagit.txt": BAGIT_TEXT,
        "manifest-sha256.txt": _manifest(digests),
    }
    for name, content in tags.items():
        durable.write_bytes(temporary / name, content)
    tagmanifest = _manifest({name: sha256_bytes(content) for name, content in tags.items()})
    durable.write_bytes(temporary / TAG_MANIFEST, tagmanifest)
    durable.step("bag written")
    temporary.rename(destination)
    durable.sync_folder(destination.parent)
    durable.step("bag renamed")
    return sha256_bytes(tagmanifest)


def _manifest(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode("ascii")


def copy_bag(source: Path, staging: Path) -> Bag:
    """Copy a bag into `staging`, verify the copy, and return it. The source is read once and never trusted again.

    Raises:
        DossierError: not a folder, a link or an odd file in it, a name outside the bag or too long a file, a file that
            the manifests do not name or a named one that is missing, or a digest that does not fit.
    """
    if not source.exists():
        raise DossierError("there is no such dossier", where=str(source), hint="name the folder that the dossier is")
    if source.is_symlink() or not source.is_dir():
        raise DossierError("a dossier is a folder", where=str(source), hint="unpack it first, and name the folder")
    if (other := next((told for mark, told in _OTHER_FOLDERS.items() if (source / mark).exists()), None)) is not None:
        hint = 'name the folder that "packtrain dossier export" wrote'
        raise DossierError("not a dossier", where=str(source), found=other, hint=hint)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    found = _walk(source)
    digests: dict[str, str] = {}
    for name in sorted(found):
        _copy(source / name, staging / name, name)
        digests[name] = sha256_file(staging / name)
    if missing := sorted({*TAG_FILES, TAG_MANIFEST} - found):
        raise DossierError("not a dossier: files are missing", where=str(source), found=", ".join(missing))
    if (staging / "bagit.txt").read_bytes() != BAGIT_TEXT:
        raise DossierError("bagit.txt is of another version", where=str(source), expected="BagIt 1.0, UTF-8")
    _compare(_read_manifest(staging / TAG_MANIFEST), {name: digests[name] for name in TAG_FILES}, source, TAG_MANIFEST)
    payload = {name: digest for name, digest in digests.items() if name.startswith("data/")}
    _compare(_read_manifest(staging / "manifest-sha256.txt"), payload, source, "manifest-sha256.txt")
    info = _read_info(staging / "bag-info.txt", source)
    oxum = f"{sum((staging / name).stat().st_size for name in payload)}.{len(payload)}"
    if info.get("Payload-Oxum") != oxum:
        raise DossierError(
            "bag-info.txt counts other bytes or files", where=str(source), expected=oxum, found=info.get("Payload-Oxum")
        )
    return Bag(root=staging, payload=payload, tagmanifest=digests[TAG_MANIFEST], info=info)


def bag_identity(source: Path) -> str | None:
    """Return the SHA-256 of a bag's tag manifest without verifying the bag, or None where there is none to read."""
    try:
        with (source / TAG_MANIFEST).open("rb") as stream:
            payload = stream.read(MAX_TAG_BYTES + 1)
    except OSError:
        return None
    return sha256_bytes(payload)


def _walk(source: Path) -> set[str]:
    found: set[str] = set()
    num_entries = total_bytes = 0
    pending = [source]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(source).as_posix()
                num_entries += 1
                if num_entries > MAX_FILES or total_bytes > MAX_BAG_BYTES:
                    raise DossierError(
                        "dossier is too large",
                        where=str(source),
                        expected=f"at most {MAX_FILES} files and {MAX_BAG_BYTES} bytes",
                    )
                if entry.is_symlink() or not (
                    entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
                ):
                    raise DossierError(
                        "a dossier holds plain files only", where=ascii(name), found="a link or a device"
                    )
                if entry.is_dir(follow_symlinks=False):
                    if not _NAME.fullmatch(f"{name}/x") and name != "data":
                        raise DossierError("a folder that no dossier has", where=ascii(name)[:200])
                    pending.append(Path(entry.path))
                    continue
                if not _NAME.fullmatch(name) and name not in (*TAG_FILES, TAG_MANIFEST):
                    raise DossierError("a file that no dossier has", where=ascii(name)[:200])
                found.add(name)
                total_bytes += entry.stat(follow_symlinks=False).st_size
    return found


def _copy(source: Path, target: Path, name: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    most_bytes = MAX_FILE_BYTES if name.startswith("data/") else MAX_TAG_BYTES
    try:
        # O_NOFOLLOW and O_NONBLOCK: what was a plain file when listed may be a link or a pipe by now.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DossierError(f"cannot be read: {error.strerror}", where=name) from error
    with os.fdopen(descriptor, "rb") as stream, target.open("xb") as copy:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise DossierError("a dossier holds plain files only", where=name)
        left = most_bytes
        while piece := stream.read(MIB):
            left -= len(piece)
            if left < 0:
                raise DossierError("file is too long", where=name, expected=f"at most {most_bytes} bytes")
            copy.write(piece)


def _read_manifest(path: Path) -> dict[str, str]:
    payload = path.read_bytes()
    named: dict[str, str] = {}
    try:
        lines = payload.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise DossierError("manifest is not plain text", where=path.name) from error
    if lines.pop() != "":
        raise DossierError("last line of the manifest is cut", where=path.name)
    for number, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        if match is None or match["name"] in named:
            raise DossierError(
                "manifest has a line that is malformed or given twice", where=f"{path.name}, {number + 1}"
            )
        named[match["name"]] = match["digest"]
    return named


def _compare(named: Mapping[str, str], found: Mapping[str, str], source: Path, manifest: str) -> None:
    faults = [f"{name}: missing" for name in sorted(named.keys() - found.keys())]
    faults += [f"{name}: not in {manifest}" for name in sorted(found.keys() - named.keys())]
    faults += [f"{name}: altered" for name in sorted(named.keys() & found.keys()) if named[name] != found[name]]
    if faults:
        shown = "; ".join(ascii(fault)[1:-1][:120] for fault in faults[:10])
        raise DossierError(
            f"dossier is not whole: {shown}" + (f"; and {len(faults) - 10} more" if len(faults) > 10 else ""),
            where=str(source),
            hint="it was damaged or altered on the way: ask for it again",
        )


def _read_info(path: Path, source: Path) -> dict[str, str]:
    info: dict[str, str] = {}
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DossierError("bag-info.txt is not UTF-8", where=str(source)) from error
    for line in lines:
        name, separator, text = line.partition(": ")
        if not separator or name in info:
            raise DossierError("bag-info.txt has a line that is malformed or given twice", where=str(source))
        info[name] = text
    return info
