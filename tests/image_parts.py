"""OCI archives made by hand, to build images on."""

import hashlib
import json
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of these files."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, payload in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            tar.addfile(info, BytesIO(payload))
    return stream.getvalue()


def _described(payload: bytes, media_type: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(payload).hexdigest()}"
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": digest, "size": len(payload)}


def write_base(path: Path, *, architecture: str = "amd64", changed: Mapping[str, bytes] | None = None) -> Path:
    """Write an OCI archive of one layer, by hand."""
    layer = tar_of({"etc/site": b"the site's\n"})
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["SITE=yes"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created_by": "the site"}],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _described(config, "config.v1+json"),
            "layers": [_described(layer, "layer.v1.tar")],
        }
    ).encode()
    index = {"schemaVersion": 2, "manifests": [_described(manifest, "manifest.v1+json")]}
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
    for payload in (layer, config, manifest):
        files[f"blobs/sha256/{hashlib.sha256(payload).hexdigest()}"] = payload
    path.write_bytes(tar_of({**files, **(changed or {})}))
    return path
