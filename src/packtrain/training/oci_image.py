"""A kit as an OCI image: the site's base image, and one layer on top of it that holds the kit's files.

What is read is an OCI archive (a tar of an image layout), as `skopeo copy … oci-archive:FILE` writes it; what is
written is another. Nothing of the base is unpacked or run. The same base and kit give the same image, byte for byte.

```
oci-layout  index.json  blobs/sha256/…      of the archive
opt/packtrain/kit/…                         of the layer
```
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.kit import Kit
from packtrain.errors import KitError
from packtrain.units import MIB

PLACE: Final = "opt/packtrain/kit"
MAX_JSON_BYTES: Final = 4 << 20
MAX_LAYERS: Final = 127
"""What overlay file systems of container runtimes take."""

_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class Image:
    """What was written: the manifest's digest, the layer's digest and length, and the archive's length."""

    manifest: str
    layer: str
    layer_bytes: int
    bytes: int


def write_image(kit_folder: Path, kit: Kit, base: Path, destination: Path, machine: str) -> Image:
    """Write an OCI archive of a base image with the kit on top of it; return what it is.

    Args:
        kit_folder: the kit, held against its document by the caller.
        kit: its document.
        base: an OCI archive.
        destination: the file to write; replaced at the end.
        machine: the target's machine, "x86_64".

    Raises:
        KitError: the base is no OCI archive, is damaged, or is for another machine.
        DriveFull: no space is left.
    """
    try:
        with (
            tarfile.open(base, "r:") as archive,
            tempfile.TemporaryDirectory(dir=destination.absolute().parent, prefix=".layer-") as scratch,
        ):
            return _write(_Base(archive, str(base)), kit_folder, kit, destination, machine, Path(scratch) / "layer")
    except (tarfile.TarError, EOFError) as error:
        raise _no_image(str(base), f"{error}" or "a cut file") from error
    except FileNotFoundError as error:
        raise KitError("base image is not there", where=str(error.filename)) from error


def _write(base: _Base, kit_folder: Path, kit: Kit, destination: Path, machine: str, layer_path: Path) -> Image:
    manifest = base.manifest(_ARCHITECTURES.get(machine, machine))
    config = base.json(manifest["config"])
    base.check_machine(config, _ARCHITECTURES.get(machine, machine))
    layers = manifest["layers"]
    with layer_path.open("w+b") as layer:
        digest, size = _make_layer(kit_folder, kit, layer)
        config["rootfs"]["diff_ids"] = [*config["rootfs"]["diff_ids"], f"sha256:{digest}"]
        config["history"] = [*_history(config), {"created_by": "packtrain kit", "comment": f"/{PLACE}"}]
        config_payload = _spell(config)
        # The document as it was, with another config and one more layer: its annotations stay.
        made = manifest | {
            "config": manifest["config"] | _described(config_payload),
            "layers": [*layers, {"mediaType": _LAYER, "digest": f"sha256:{digest}", "size": size}],
        }
        manifest_payload = _spell(made)
        entry = {"mediaType": _MANIFEST, **_described(manifest_payload), "annotations": {_REF_NAME: "kit"}}
        index = _spell({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]})
        small = {
            "oci-layout": _LAYOUT,
            "index.json": index,
            _blob_name(_described(config_payload)): config_payload,
            _blob_name(_described(manifest_payload)): manifest_payload,
        }
        with durable.atomic_writer(destination) as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as out:
                for name, payload in small.items():
                    out.addfile(_member(name, len(payload)), BytesIO(payload))
                for descriptor in {_blob_name(one): one for one in layers}.values():
                    base.copy(descriptor, out)
                layer.seek(0)
                out.addfile(_member(f"blobs/sha256/{digest}", size), layer)
            total = stream.tell()
    return Image(sha256_bytes(manifest_payload), digest, size, total)


class _Base:
    """Reads a base image; every blob is held against its digest."""

    def __init__(self, archive: tarfile.TarFile, where: str) -> None:
        self._archive = archive
        self._where = where
        self._members = {one.name.removeprefix("./"): one for one in archive if one.isfile()}

    def manifest(self, architecture: str) -> dict[str, Any]:
        """Return the manifest of the archive's only image, or of that for the architecture."""
        index = self._parsed(self._read("index.json", MAX_JSON_BYTES), "index.json")
        for _ in range(2):
            listed = [one for one in _list(index, "manifests", self._where) if "digest" in one]
            fitting = [one for one in listed if _architecture(one) == architecture]
            chosen = fitting if len(listed) > 1 else listed
            if len(chosen) != 1:
                raise _no_image(self._where, f"{len(chosen)} images for {architecture}")
            index = self.json(chosen[0])
            if "layers" in index:
                layers = _list(index, "layers", self._where)
                if len(layers) >= MAX_LAYERS:
                    raise _no_image(self._where, f"{len(layers)} layers")
                if not isinstance(index.get("config"), dict):
                    raise _no_image(self._where, "a manifest without a config")
                return index
        raise _no_image(self._where, "an index in an index in an index")

    def json(self, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object that a descriptor names."""
        name = _checked_name(descriptor, self._where)
        payload = self._read(name, MAX_JSON_BYTES)
        if sha256_bytes(payload) != name.rpartition("/")[2]:
            raise _no_image(self._where, f"{name}, which differs from its digest")
        return self._parsed(payload, name)

    def check_machine(self, config: Mapping[str, Any], architecture: str) -> None:
        """Refuse an image for another machine, and one whose layers are not told."""
        found = f"{config.get('os')} {config.get('architecture')}"
        if found != f"linux {architecture}":
            raise KitError(
                "base image is for another machine than the kit",
                where=self._where,
                expected=f"linux {architecture}",
                found=found[:80],
            )
        rootfs = config.get("rootfs")
        if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
            raise _no_image(self._where, "a config that names no layers")

    def copy(self, descriptor: Mapping[str, Any], out: tarfile.TarFile) -> None:
        """Copy a blob; its bytes are held against its digest on the way."""
        name = _checked_name(descriptor, self._where)
        member = self._member(name)
        source = self._archive.extractfile(member)
        assert source is not None
        held = _Held(source)
        out.addfile(_member(name, member.size), held)  # pyright: ignore[reportArgumentType]
        if held.digest() != name.rpartition("/")[2]:
            raise _no_image(self._where, f"{name}, which differs from its digest")

    def _member(self, name: str) -> tarfile.TarInfo:
        member = self._members.get(name)
        if member is None:
            raise _no_image(self._where, f"no {name}")
        return member

    def _read(self, name: str, most: int) -> bytes:
        member = self._member(name)
        if member.size > most:
            raise _no_image(self._where, f"{name} of {member.size} bytes")
        stream = self._archive.extractfile(member)
        assert stream is not None
        return stream.read(most)

    def _parsed(self, payload: bytes, name: str) -> dict[str, Any]:
        try:
            table = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise _no_image(self._where, f"{name}, which is no JSON") from error
        if not isinstance(table, dict):
            raise _no_image(self._where, f"{name}, which is no JSON object")
        return table


class _Held:
    """A stream that remembers the digest of what was read from it."""

    def __init__(self, stream: BinaryIO | Any) -> None:
        self._stream = stream
        self._state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece = self._stream.read(size)
        self._state.update(piece)
        return piece

    def digest(self) -> str:
        """Return the SHA-256 of all that was read, in hex."""
        return self._state.hexdigest()


def _make_layer(kit_folder: Path, kit: Kit, stream: BinaryIO) -> tuple[str, int]:
    """Write the layer; return digest and length. It is not compressed: wheels are, and the digest is then its own."""
    names = sorted({*(file.name for file in kit.files), "kit.json", "kit.json.sig"})
    folders = {
        "/".join(parts[:depth])
        for name in names
        for parts in [f"{PLACE}/{name}".split("/")]
        for depth in range(1, len(parts))
    }
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted(folders):
            info = _member(folder, 0)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name in names:
            path = kit_folder / name
            with path.open("rb") as source:
                tar.addfile(_member(f"{PLACE}/{name}", path.stat().st_size), source)
    stream.flush()
    stream.seek(0)
    state = hashlib.sha256()
    while piece := stream.read(MIB):
        state.update(piece)
    return state.hexdigest(), stream.tell()


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    return info


def _described(payload: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{sha256_bytes(payload)}", "size": len(payload)}


def _blob_name(descriptor: Mapping[str, Any]) -> str:
    return f"blobs/sha256/{str(descriptor['digest']).partition(':')[2]}"


def _checked_name(descriptor: Mapping[str, Any], where: str) -> str:
    found = _DIGEST.fullmatch(str(descriptor.get("digest")))
    if found is None:
        raise _no_image(where, f"a digest {str(descriptor.get('digest'))[:40]!r}")
    return f"blobs/sha256/{found[1]}"


def _list(table: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    listed = table.get(key)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _no_image(where, f"no {key}")
    return listed


def _architecture(descriptor: Mapping[str, Any]) -> object:
    named = descriptor.get("platform")
    return named.get("architecture") if isinstance(named, dict) else None


def _history(config: Mapping[str, Any]) -> list[Any]:
    told = config.get("history")
    return told if isinstance(told, list) else []


def _spell(table: Mapping[str, Any]) -> bytes:
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _no_image(where: str, found: str) -> KitError:
    return KitError(
        "base is no OCI archive that can be built on",
        where=where,
        expected="an uncompressed tar of an image layout with digests that hold",
        found=found[:200],
        hint='"skopeo copy SOURCE oci-archive:FILE" writes one',
    )
