"""The consignor: signs the results at home so that whoever gets the model can verify it with OpenSSF's own tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain import durable
from packtrain.crypto import model_signature
from packtrain.digest import sha256_file
from packtrain.documents.export_list import ExportList
from packtrain.errors import IntegrityError, KeyMissing, StageNotReady
from packtrain.record.folder import VoyageFolder

SIGNATURE: Final = "model.sig"
KEY: Final = "model-signer"
_MAX_KEY_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class SignedModel:
    """A signature over results/, and the public key that verifies it."""

    signature: Path
    public_key: Path
    files: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"signature": str(self.signature), "public_key": str(self.public_key), "files": list(self.files)}


def sign_model(folder: VoyageFolder, key: Path | None) -> SignedModel:
    """Sign every file of results/ into results/model.sig; return where it lies.

    Args:
        folder: the consignor's voyage folder, after `accept`.
        key: an EC private key on P-256 (PEM); keys/model-signer if None, which is made where it is not there.

    Raises:
        StageNotReady: no results came home.
        IntegrityError: a file of the export list is missing from results/ or differs, or something there is a link.
        KeyMissing, KeyMalformed: the key cannot be read, or is of another kind.
    """
    results = folder.root / "results"
    if not folder.has(ExportList) or not results.is_dir():
        raise StageNotReady("no results came home", where=str(results), hint='run "packtrain return accept" first')
    files = _digests(results)
    for file in folder.read_signed(ExportList).files:
        if files.get(file.name) != file.sha256:
            raise IntegrityError(
                "results are not those of the export list",
                where=str(results / file.name),
                expected=file.sha256[:12],
                found=files.get(file.name, "nothing")[:12],
            )
    place = key if key is not None else folder.keys / KEY
    if key is None and not place.is_file():
        durable.write_bytes(place, model_signature.generate_key()[0], mode=0o600)
    try:
        with place.open("rb") as stream:
            private = stream.read(_MAX_KEY_BYTES)
    except FileNotFoundError as error:
        raise KeyMissing("key for signing models is not there", where=str(place)) from error
    bundle = model_signature.sign_model("results", files, (SIGNATURE,), private, str(place))
    public = folder.keys / f"{KEY}.pub"
    durable.write_bytes(public, model_signature.public_key_of(private, str(place)))
    durable.write_bytes(results / SIGNATURE, bundle)
    return SignedModel(results / SIGNATURE, public, tuple(sorted(files)))


def _digests(results: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise IntegrityError("results hold something that is no plain file", where=str(path))
        if path.is_file() and name != SIGNATURE:
            found[name] = sha256_file(path)
    return found
