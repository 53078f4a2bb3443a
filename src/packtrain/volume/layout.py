"""Names and places of cargo format 1: which file is called what, and which drive holds which column."""

from __future__ import annotations

from typing import Final

from packtrain.units import GIB, KIB

README: Final = "README.txt"
BAGIT: Final = "bagit.txt"
BAG_INFO: Final = "bag-info.txt"
MANIFEST: Final = "manifest-sha256.txt"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
PLAN: Final = "packtrain/plan.json"
GROUP: Final = "packtrain/group.json"
SHIPMENT: Final = "packtrain/shipment.json"
DRIVE: Final = "packtrain/drive.json"
READY: Final = "packtrain/ready.json"
CATALOG: Final = "packtrain/catalog.sqlite.age"
CUSTODY: Final = "packtrain/custody.jsonl"
SPEC: Final = "packtrain/spec.md"
RESCUE: Final = "packtrain/rescue.py"
KIT_PREFIX: Final = "packtrain/kit/"
SIGNATURE_SUFFIX: Final = ".sig"

SMALLEST_VOLUME_BYTES: Final = 256 * KIB
LARGEST_VOLUME_BYTES: Final = 4 * GIB
STRIPES_WANTED: Final = 32


def volume_name(stripe: int, column: int, k: int) -> str:
    """Return a volume's file name: "data/0000017-03.tar.age" (column < k) or "data/0000017-13.parity"."""
    return f"data/{stripe:07d}-{column:02d}.{'tar.age' if column < k else 'parity'}"


def blocks_name(stripe: int, column: int) -> str:
    """Return the file name of a volume's block list."""
    return f"packtrain/blocks/{stripe:07d}-{column:02d}.xxh3"


def drive_of(stripe: int, column: int, num_drives: int) -> int:
    """Return the position in the group of the drive that holds a column: parity moves on by one drive a stripe."""
    return (column + stripe) % num_drives


def volume_target_bytes(total_bytes: int, k: int) -> int:
    """Return the plaintext bytes a data volume aims at: about 32 stripes, between 256 KiB and 4 GiB."""
    return min(max(total_bytes // (STRIPES_WANTED * k), SMALLEST_VOLUME_BYTES), LARGEST_VOLUME_BYTES)


def piece_name(name: bytes, number: int, count: int) -> bytes:
    """Return the name of one piece of a cut file, counted from 1: b"NAME.000001of000007"; `cat` joins them in order."""
    return name + b".%06dof%06d" % (number, count)
