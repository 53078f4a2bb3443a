"""The outbox: the folder that goes home. Sealed files, the export list, and the signatures of both ends of the site."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto import age
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.export_list import ExportedFile, ExportList, Packing
from packtrain.documents.parties import Role
from packtrain.errors import ExportDenied, IntegrityError, SignatureMissing, StageNotReady, UntrustedSigner
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.training.export import TEXT_SUFFIXES, weights_names
from packtrain.training.packed_weights import PACKED_SUFFIX, FindBase, unpack

LIST_NAME: Final = "export-list.json"
CONSIGNEE_SIGNATURE: Final = f"{LIST_NAME}.sig"
OPERATOR_SIGNATURE: Final = f"{LIST_NAME}.operator.sig"
PROVENANCE_NAME: Final = "provenance.json"
PROVENANCE_STATEMENT: Final = "provenance.statement.json"
SEALED_SUFFIX: Final = ".age"
MAX_LIST_BYTES: Final = 64 << 20
MAX_CHECKS_CHARACTERS: Final = 64 << 10
"""Of all sentences together that say what was looked for: a line for each text, and some twelve more."""
_SIGNERS: Final[tuple[Role, Role]] = ("consignee", "operator")


def signature_name(name: str, role: Role) -> str:
    """Return the name of a party's signature over a file of the outbox."""
    return f"{name}.operator.sig" if role == "operator" else f"{name}.sig"


SIGNED_BESIDE: Final = frozenset(
    file_name
    for name in (PROVENANCE_NAME, PROVENANCE_STATEMENT)
    for file_name in (name, *(signature_name(name, role) for role in _SIGNERS))
)
"""What lies in an outbox beside the list: how the results came to be, for all to read."""


@dataclass(frozen=True, slots=True)
class ReadList:
    """An export list whose signatures were checked, and its bytes."""

    document: ExportList
    payload: bytes
    signatures: dict[str, bytes]


def sealed_name(file: ExportedFile) -> str:
    """Return under which name a file of the list travels: its own, that it is compressed, that it is sealed."""
    return file.name + (SEALED_SUFFIX if file.packed is None else PACKED_SUFFIX + SEALED_SUFFIX)


def results_digest(files: Iterable[tuple[str, str]]) -> str:
    """Return one SHA-256 over (name, SHA-256) pairs: that of the lines `sha256sum` prints for them, sorted by name."""
    return sha256_bytes("".join(f"{digest}  {name}\n" for name, digest in sorted(files)).encode("ascii"))


def read_list(outbox: Path, trust: Trust, roles: Iterable[Role]) -> ReadList:
    """Return the outbox's export list after checking that each of `roles` has signed it.

    Raises:
        StageNotReady: there is no list.
        SignatureMissing, SignatureInvalid, UntrustedSigner: one of the signatures is not there, does not fit, or is by
            a key that parties.json does not name for that role.
        DocumentError: the list does not fit its schema.
    """
    path = outbox / LIST_NAME
    payload = read_bounded(path, MAX_LIST_BYTES)
    if payload is None:
        raise StageNotReady(
            "there is no export list", where=str(path), hint='the consignee makes one with "packtrain return export"'
        )
    signatures: dict[str, bytes] = {}
    document: ExportList | None = None
    for role in roles:
        name = signature_name(LIST_NAME, role)
        signature = read_bounded(outbox / name, MAX_SIGNATURE_BYTES)
        if signature is None:
            raise SignatureMissing(
                f"export list has no signature of the {role}",
                where=str(outbox / name),
                hint='the operator signs with "packtrain return release"' if role == "operator" else None,
            )
        found = trust.signer_role(ExportList, payload, signature, str(outbox / name))
        if role not in found:
            raise UntrustedSigner(
                f"export list is not signed by the {role}",
                where=str(outbox / name),
                expected=role,
                found=", ".join(sorted(found)),
            )
        document = trust.open(ExportList, payload, signature, str(path))
        signatures[name] = signature
    assert document is not None
    return ReadList(document, payload, signatures)


def check_sealed(outbox: Path, document: ExportList) -> None:
    """Hold the outbox against its list: every sealed file is there, whole and unchanged, and nothing else is.

    Raises:
        IntegrityError: a sealed file is missing or differs.
        ExportDenied: the outbox holds something that is not on the list, or the list contradicts itself.
    """
    check_plausible(document, str(outbox / LIST_NAME))
    known = {
        LIST_NAME,
        CONSIGNEE_SIGNATURE,
        OPERATOR_SIGNATURE,
        *SIGNED_BESIDE,
        *(sealed_name(file) for file in document.files),
    }
    if strangers := sorted({path.name for path in outbox.iterdir()} - known):
        raise ExportDenied(
            "outbox holds files that are not on the export list",
            where=str(outbox),
            found=", ".join(strangers[:20]),
            hint="only what is listed and signed may leave; take the rest out",
        )
    for file in document.files:
        path = outbox / sealed_name(file)
        if not path.exists() or path.is_symlink() or not stat.S_ISREG(path.lstat().st_mode):
            raise IntegrityError("sealed file is missing, or no regular file", where=str(path))
        if path.stat().st_size != file.sealed_bytes:
            raise IntegrityError(
                "sealed file has another length than the export list says",
                where=str(path),
                expected=f"{file.sealed_bytes} bytes",
                found=f"{path.stat().st_size} bytes",
            )
        if (found := sha256_file(path)) != file.sealed_sha256:
            raise IntegrityError(
                "sealed file differs from the export list",
                where=str(path),
                expected=file.sealed_sha256[:12],
                found=found[:12],
                hint="copy the outbox again from where it was made",
            )


def check_plausible(document: ExportList, where: str) -> None:
    """Hold an export list against itself: what can be checked by somebody who cannot open the files.

    Raises:
        ExportDenied: a name that is neither weights nor text, or another than weights get; text over the budget, more
            words than needed, more bytes than the tensors have, a sealed length that does not follow from the open one,
            or a digest of results that does not fit.
    """
    weights = [file for file in document.files if file.name.endswith(".safetensors")]
    texts = [file for file in document.files if file.name.endswith(TEXT_SUFFIXES)]
    # A safetensors header says name, dtype, shape and place of each tensor: some 100 bytes beside the name.
    allowed = sum(
        tensor.bytes + len(tensor.name) + 128 + 16 * len(tensor.shape) for tensor in document.tensors
    ) + 64 * len(weights)
    text_bytes = sum(file.bytes for file in texts)
    names = [file.name for file in document.files]
    problems = [
        text
        for is_wrong, text in (
            (len(weights) + len(texts) != len(document.files), "a file that is neither weights nor text"),
            (len(set(names)) != len(names), "a name given twice"),
            # Names are free to choose and lie in the open: one spelling leaves no room in them.
            ({file.name for file in weights} != weights_names(len(weights)), "names of weights that nobody gives"),
            (sum(map(len, document.checks)) > MAX_CHECKS_CHARACTERS, "more words than checks have"),
            (text_bytes > document.text_budget_bytes, f"{text_bytes} bytes of text"),
            (sum(file.bytes for file in weights) > allowed, "weights larger than their tensors"),
            (
                any(file.sealed_bytes != age.ciphertext_bytes(_inner_bytes(file)) for file in document.files),
                "sealed lengths",
            ),
            (
                any(
                    file.packed is not None and (file in texts or file.packed.bytes >= file.bytes)
                    for file in document.files
                ),
                "a compressed file that is text, or larger than it was",
            ),
            (
                results_digest((file.name, file.sha256) for file in document.files) != document.results,
                "digest of results",
            ),
        )
        if is_wrong
    ]
    if problems:
        raise ExportDenied("export list contradicts itself or its budget", where=where, found="; ".join(problems))


def seal(source: Path, outbox: Path, recipient: str, packed: tuple[Path, Packing] | None = None) -> ExportedFile:
    """Encrypt a file into the outbox, durably; return its entry of the list. `packed` is its compressed form."""
    inner, packing = (source, None) if packed is None else packed
    target = outbox / (inner.name + SEALED_SUFFIX)
    with durable.atomic_writer(target) as stream:
        sealed_bytes = age.encrypt_file(inner, stream, recipient)
    return ExportedFile(
        name=source.name,
        bytes=source.stat().st_size,
        sha256=sha256_file(source),
        sealed_bytes=sealed_bytes,
        sealed_sha256=sha256_file(target),
        packed=packing,
    )


def unseal(file: ExportedFile, outbox: Path, identity: str, folder: Path, find_base: FindBase = lambda _: None) -> Path:
    """Decrypt one file of the list into `folder`, durably, and open it where it is compressed; return its path.

    `find_base` finds the weights with a digest that it may be a difference to.

    Raises:
        WrongKey: it is not sealed to this identity.
        AgeFormatError: it was altered or cut.
        WeightsUnopenable: its compressed form is damaged, or its base is not here.
        IntegrityError: what comes out is not what the list names.
    """
    sealed, target = outbox / sealed_name(file), folder / file.name
    inner = target if file.packed is None else folder / (file.name + PACKED_SUFFIX)
    _decrypt(sealed, inner, _inner_bytes(file), identity)
    if file.packed is not None:
        unpack(inner, target, file, find_base)
        inner.unlink()
    if target.stat().st_size != file.bytes or sha256_file(target) != file.sha256:
        target.unlink()
        raise IntegrityError("opened file differs from the export list", where=str(sealed), expected=file.sha256[:12])
    return target


def _inner_bytes(file: ExportedFile) -> int:
    return file.bytes if file.packed is None else file.packed.bytes


def _decrypt(sealed: Path, target: Path, most_bytes: int, identity: str) -> None:
    with sealed.open("rb", buffering=0) as source, durable.atomic_writer(target) as stream:
        # A party that opens with its SSH key gets its results sealed to that key.
        strict = not age.is_ssh_identity(identity)
        reader = age.DecryptReader(source, [identity], strict_single_x25519=strict, where=str(sealed))
        total_bytes = 0
        while piece := reader.read(1 << 20):
            total_bytes += len(piece)
            if total_bytes > most_bytes:
                raise IntegrityError("opened file is longer than the export list says", where=str(sealed))
            stream.write(piece)


def read_bounded(path: Path, max_bytes: int) -> bytes | None:
    """Return the bytes of a file of the outbox, or None where it is not there.

    Raises:
        IntegrityError: it is a link or no file, cannot be read, or is longer than `max_bytes`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IntegrityError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IntegrityError("is no regular file", where=str(path))
    with os.fdopen(descriptor, "rb") as stream:
        payload = stream.read(max_bytes + 1)
    if len(payload) > max_bytes:
        raise IntegrityError("file is too long", where=str(path), expected=f"at most {max_bytes} bytes")
    return payload
