"""A reader of cargo format 1 written from docs/spec/cargo-1.md alone: the standard library, `age`, `ssh-keygen`, `tar`.

It is slow and holds volumes in memory; it is there to show that the specification says enough. Nothing of packtrain is
imported here, and nothing may be.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import Any


def sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


# --- section 5: the field and the code ---

EXP, LOG = [0] * 510, [0] * 256
power = 1
for exponent in range(255):
    EXP[exponent] = EXP[exponent + 255] = power
    LOG[power] = exponent
    power = power << 1 ^ (0x11D if power & 0x80 else 0)


def product(a: int, b: int) -> int:
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a: int) -> int:
    return EXP[255 - LOG[a]]


TIMES = [bytes(product(a, b) for b in range(256)) for a in range(256)]


def inverted(rows: list[list[int]]) -> list[list[int]]:
    k = len(rows)
    wide = [row + [int(i == j) for j in range(k)] for i, row in enumerate(rows)]
    for column in range(k):
        pivot = next(i for i in range(column, k) if wide[i][column])
        wide[column], wide[pivot] = wide[pivot], wide[column]
        factor = inverse(wide[column][column])
        wide[column] = [product(factor, value) for value in wide[column]]
        for i in range(k):
            if i != column and (factor := wide[i][column]):
                wide[i] = [a ^ product(factor, b) for a, b in zip(wide[i], wide[column], strict=True)]
    return [row[k:] for row in wide]


# --- sections 2 and 3: drives and documents ---


class Drives:
    """Drives of one group, verified down to every file."""

    def __init__(self, folders: list[Path], allowed_signers: Path) -> None:
        self.allowed_signers = allowed_signers
        self.by_uuid: dict[str, Path] = {}
        for folder in folders:
            record, record_digest = self.document(folder, "drive")
            tag_manifest = (folder / "tagmanifest-sha256.txt").read_bytes()
            assert sha256(tag_manifest) == record["tagmanifest"]
            for line in tag_manifest.decode().splitlines():
                digest, _, name = line.partition("  ")
                assert sha256((folder / name).read_bytes()) == digest, name
            self.plan, plan_digest = self.document(folder, "plan")
            self.group, group_digest = self.document(folder, "group")
            self.shipment, _ = self.document(folder, "shipment")
            assert (plan_digest, group_digest) == (record["plan"], record["group_document"])
            assert record_digest in [drive["record"] for drive in self.shipment["drives"]]
            self.by_uuid[record["uuid"]] = folder

    def document(self, folder: Path, kind: str) -> tuple[dict[str, Any], str]:
        path = folder / f"packtrain/{kind}.json"
        payload = path.read_bytes()
        verify = ["ssh-keygen", "-Y", "verify", "-f", str(self.allowed_signers), "-I", "consignor"]
        subprocess.run(
            [*verify, "-n", f"packtrain-{kind}@v1", "-s", f"{path}.sig"], input=payload, check=True, capture_output=True
        )
        body = json.loads(payload)
        assert (body["type"], body["version"]) == (f"packtrain.{kind}", 1)
        assert json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == payload
        return body, sha256(payload)

    def data_volume(self, stripe: int, column: int) -> bytes:
        """Return a data volume as it was packed, rebuilt if it is not there or differs."""
        k, n = self.group["k"], len(self.group["drives"])
        listed = self.group["volumes"][stripe * n : stripe * n + n]
        if (whole := self.volume(listed[column])) is not None:
            return whole
        longest = max(volume["bytes"] for volume in listed[:k])
        good = [(c, payload) for c in range(n) if (payload := self.volume(listed[c])) is not None][:k]
        rows = [[int(i == j) for j in range(k)] if i < k else [inverse(i ^ j) for j in range(k)] for i, _ in good]
        total = 0
        for factor, (_, payload) in zip(inverted(rows)[column], good, strict=True):
            total ^= int.from_bytes(payload.ljust(longest, b"\0").translate(TIMES[factor]), "big")
        rebuilt = total.to_bytes(longest, "big")[: listed[column]["bytes"]]
        assert sha256(rebuilt) == listed[column]["sha256"]
        return rebuilt

    def volume(self, listed: dict[str, Any]) -> bytes | None:
        stripe, column, drives = listed["stripe"], listed["column"], self.group["drives"]
        assert listed["drive"] == drives[(column + stripe) % len(drives)]
        suffix = "tar.age" if column < self.group["k"] else "parity"
        folder = self.by_uuid.get(listed["drive"])
        path = folder / f"data/{stripe:07d}-{column:02d}.{suffix}" if folder else None
        payload = path.read_bytes() if path is not None and path.is_file() else b""
        return payload if sha256(payload) == listed["sha256"] else None


# --- sections 4 and 7: content ---


def restore(folders: list[Path], allowed_signers: Path, identity: str, target: Path) -> int:
    """Restore a shipment of one group below `target`; return the number of entries."""
    drives = Drives(folders, allowed_signers)
    with tempfile.TemporaryDirectory() as scratch:
        key, catalog = Path(scratch) / "identity.txt", Path(scratch) / "catalog.sqlite"
        key.write_text(identity + "\n")

        def opened(payload: bytes) -> bytes:
            return subprocess.run(["age", "-d", "-i", str(key)], input=payload, check=True, capture_output=True).stdout

        for stripe in range(drives.group["num_stripes"]):
            for column in range(drives.group["k"]):
                if volume := drives.data_volume(stripe, column):
                    subprocess.run(["tar", "-x", "-C", str(target)], input=opened(volume), check=True)
        sealed = (folders[0] / "packtrain/catalog.sqlite.age").read_bytes()
        assert {"bytes": len(sealed), "sha256": sha256(sealed)} == drives.group["catalog"]
        catalog.write_bytes(opened(sealed))
        database = sqlite3.connect(catalog)
        entries = database.execute("SELECT id, path, kind, sha256 FROM files").fetchall()
        for file_id, path, kind, digest in entries:
            place = os.path.join(os.fsencode(target), path)  # noqa: PTH118 - names are bytes
            pieces = database.execute("SELECT number, count FROM pieces WHERE file = ? ORDER BY number", (file_id,))
            names = [b"%b.%06dof%06d" % (place, number, count) for number, count in pieces if count > 1]
            if names:
                Path(os.fsdecode(place)).write_bytes(b"".join(Path(os.fsdecode(name)).read_bytes() for name in names))
                for name in names:
                    Path(os.fsdecode(name)).unlink()
            assert kind != "file" or sha256(Path(os.fsdecode(place)).read_bytes()) == digest
        database.close()
    assert len(entries) == drives.group["num_files"] == drives.shipment["num_files"]
    return len(entries)
