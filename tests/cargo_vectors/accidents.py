"""What befalls drives: each returns, or is, a change of laid-out drives by label."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cargo_vectors.cases import ROOT, signer
from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.drive import Drive
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.volume import layout, tar
from packtrain.volume.bag import manifest
from packtrain.volume.block_list import BlockHasher, encode_block_list
from packtrain.volume.discover import parse_manifest

Drives = dict[str, Path]


def flip(drives: Drives, label: str, name: str, at: int = 700) -> None:
    payload = bytearray((drives[label] / name).read_bytes())
    payload[at] ^= 1
    (drives[label] / name).write_bytes(payload)


def flipped(label: str, *names: str, at: int = 700) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        for name in names:
            flip(drives, label, name, at)

    return change


def removed(label: str, *names: str) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        for name in names:
            (drives[label] / name).unlink()

    return change


def minted() -> bytes:
    """Return a volume that anyone can make, for the recipient is public."""
    member = tar.header(b"a/first", "file", 6, 0o644, 0) + b"poison" + tar.padding(6)
    recipient = decode(Plan, (ROOT / "shipment/bases/plain/dossier/plan.json").read_bytes(), "plan").recipient
    return age.encrypt_bytes(member + tar.END_OF_ARCHIVE, [recipient])


def relist(drive: Path, listing: str, name: str) -> None:
    entries = parse_manifest((drive / listing).read_bytes(), listing)
    entries[name] = sha256_bytes((drive / name).read_bytes())
    (drive / listing).write_bytes(manifest(entries))


def mint(drive: Path, name: str, *, with_lists: bool) -> None:
    """Put a minted volume in the place of one; if asked, make every unsigned list agree with it."""
    payload = minted()
    (drive / name).write_bytes(payload)
    if with_lists:
        hasher = BlockHasher()
        hasher.update(payload)
        blocks = f"packtrain/blocks/{Path(name).name.split('.')[0]}.xxh3"
        (drive / blocks).write_bytes(encode_block_list(hasher.finish()[1]))
        relist(drive, layout.MANIFEST, name)
        relist(drive, layout.TAG_MANIFEST, blocks)
        relist(drive, layout.TAG_MANIFEST, layout.MANIFEST)


def signed_by(drives: Drives, stranger: SshSigner) -> None:
    """Sign all documents of all drives anew, with every digest right."""
    for drive in drives.values():
        for name, kind in ((layout.PLAN, Plan), (layout.GROUP, Group)):
            (drive / f"{name}.sig").write_text(stranger.sign(namespace(kind), (drive / name).read_bytes()))
            relist(drive, layout.TAG_MANIFEST, f"{name}.sig")
        body = json.loads((drive / layout.DRIVE).read_bytes())
        body["tagmanifest"] = sha256_bytes((drive / layout.TAG_MANIFEST).read_bytes())
        sign(drive, layout.DRIVE, Drive, body, stranger)
    for drive in drives.values():
        body = json.loads((drive / layout.SHIPMENT).read_bytes())
        for listed in body["drives"]:
            listed["record"] = sha256_bytes((drives[listed["label"]] / layout.DRIVE).read_bytes())
        sign(drive, layout.SHIPMENT, Shipment, body, stranger)


def sign(
    drive: Path, name: str, kind: type[Plan | Group | Drive | Shipment], body: dict[str, object], key: SshSigner
) -> None:
    payload = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (drive / name).write_bytes(payload)
    (drive / f"{name}.sig").write_text(key.sign(namespace(kind), payload))


def closed_again(drives: Drives) -> None:
    """Sign the closing record of a drive anew, by its consignor, with another time."""
    record = decode(Drive, (drives["B1"] / layout.DRIVE).read_bytes(), "drive")
    body = json.loads(encode(record)) | {"closed": "2031-01-01T00:00:00Z"}
    sign(drives["B1"], layout.DRIVE, Drive, body, signer("consignor"))


def another_plan(drives: Drives) -> None:
    """Sign another plan of the same attempt, and a closing record that names it."""
    body = json.loads((drives["B1"] / layout.PLAN).read_bytes()) | {"contact": "somebody else"}
    sign(drives["B1"], layout.PLAN, Plan, body, signer("consignor"))
    plan = sha256_bytes((drives["B1"] / layout.PLAN).read_bytes())
    for name in (layout.PLAN, f"{layout.PLAN}.sig"):
        relist(drives["B1"], layout.TAG_MANIFEST, name)
    body = json.loads((drives["B1"] / layout.DRIVE).read_bytes())
    body |= {"plan": plan, "tagmanifest": sha256_bytes((drives["B1"] / layout.TAG_MANIFEST).read_bytes())}
    sign(drives["B1"], layout.DRIVE, Drive, body, signer("consignor"))


def linked(label: str, name: str, beside: str) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        path = drives[label] / name
        (drives[label] / beside).write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(Path(beside).name)

    return change


def all_of(*changes: Callable[[Drives], None]) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        for one in changes:
            one(drives)

    return change


def copied(label: str, name: str, over: str) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        (drives[label] / over).write_bytes((drives[label] / name).read_bytes())

    return change


def cut(label: str, name: str, length: int) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        (drives[label] / name).write_bytes((drives[label] / name).read_bytes()[:length])

    return change


def appended(label: str, name: str, payload: bytes) -> Callable[[Drives], None]:
    def change(drives: Drives) -> None:
        (drives[label] / name).write_bytes((drives[label] / name).read_bytes() + payload)

    return change
