"""What may befall the drives of a shipment: one folder a case, holding what differs from the base."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cargo_vectors.accidents import (
    Drives,
    all_of,
    another_plan,
    appended,
    closed_again,
    copied,
    cut,
    flipped,
    linked,
    mint,
    removed,
    signed_by,
)
from cargo_vectors.cases import ROOT, Case, signer, write_cases
from cargo_vectors.loader import lay_out_drive, tree
from packtrain.volume import layout

CASES = ROOT / "shipment" / "cases"
READING, CHAIN, REPLACED = "9. Reading", "3. Documents and signatures", "3. Documents and signatures"
PLAIN = ("plain/A1", "plain/B1", "plain/C1")


@dataclass(frozen=True, slots=True)
class Shipped:
    """One case before it is written.

    Attributes:
        about, outcome, section, rule, error: as of `Case`.
        change: alters the laid-out drives, by label.
        drives: which, in this order; the first names the base.
        dossier: documents that the reader has beforehand.
        lost: of a partial outcome, what does not come back; everything else does.
        verify: what `rescue.py verify` ends with.
    """

    about: str
    outcome: str
    rule: str
    change: Callable[[Drives], None] = lambda drives: None
    drives: Sequence[str] = PLAIN
    error: str = ""
    section: str = READING
    dossier: Sequence[str] = ("plan.json", "shipment.json")
    lost: Sequence[str] = ()
    verify: int = 0


VOLUME, LIST = "data/0000000-00.tar.age", "packtrain/blocks/0000000-00.xxh3"
_PROVEN = "a data volume whose SHA-256 is the one in group.json is proven"
_ERASURE = "a block differs from its list, cannot be read, or is missing because the file is too short"
_LONG = f"long/{'d' * 60}/{'n' * 200}"
_STRIPE_0 = ["a/empty", "a/first", "a/second", "caf%E9", "listed"]
_LOST = "a volume is not a regular file, or is not there"


def shipments() -> dict[str, Shipped]:
    """Return all cases by name."""
    poison = lambda label, name, lists=False: lambda drives: mint(drives[label], name, with_lists=lists)  # noqa: E731
    stripe_0 = ("A1", VOLUME), ("B1", "data/0000000-01.tar.age")
    waves = tuple(f"waves/{label}" for label in ("A1", "A2", "B1", "B2"))
    replaced = ("replaced/A1", "replaced/B1", "replaced/C1")
    signature = "a document without its signature, with one that does not fit, or by a key"
    return {
        "clean": Shipped("three drives as they were packed", "whole", _PROVEN),
        "drives-in-another-order": Shipped(
            "the same, the last first", "whole", _PROVEN, drives=("plain/C1", "plain/A1", "plain/B1")
        ),
        "drive-lost": Shipped(
            "one of 2 + 1", "whole", "Any k of them give back all n", drives=PLAIN[:2], section="1. Words"
        ),
        "bit-flipped-in-a-data-volume": Shipped("one bit", "whole", _ERASURE, flipped("A1", VOLUME), verify=40),
        "bit-flipped-in-a-parity-volume": Shipped(
            "one bit", "whole", _ERASURE, flipped("C1", "data/0000000-02.parity"), verify=40
        ),
        "volume-cut": Shipped(
            "a data volume of half its length", "whole", _ERASURE, cut("A1", VOLUME, 3000), verify=40
        ),
        "volume-missing": Shipped("a data volume is not there", "whole", _LOST, removed("A1", VOLUME), verify=40),
        "volume-is-a-link": Shipped(
            "to a file with the right bytes", "whole", _LOST, linked("A1", VOLUME, "data/beside"), verify=40
        ),
        "bytes-after-a-volumes-end": Shipped(
            "more than group.json says", "whole", "they are not read", appended("A1", VOLUME, b"more"), verify=40
        ),
        "block-list-damaged": Shipped(
            "the volume is whole",
            "whole",
            "the volume is whole if its SHA-256 is that of group.json",
            flipped("A1", LIST, at=3),
            verify=40,
        ),
        "block-list-and-its-volume-damaged": Shipped(
            "nothing says where the damage is",
            "whole",
            "the volume is whole if its SHA-256 is that of group.json, else lost",
            all_of(flipped("A1", LIST, at=3), flipped("A1", VOLUME)),
            verify=40,
        ),
        "catalog-damaged-on-one-drive": Shipped(
            "the others have it",
            "whole",
            "that of another drive of the group",
            flipped("A1", layout.CATALOG),
            verify=40,
        ),
        "catalog-damaged-on-all-drives": Shipped(
            "no name is known",
            "part",
            "without any, the group's files cannot be restored",
            all_of(*(cut(label, layout.CATALOG, 300) for label in ("A1", "B1", "C1"))),
            error="BeyondRepair",
            lost=["*"],
            verify=40,
        ),
        "group-document-damaged-on-one-drive": Shipped(
            "the others have it",
            "whole",
            "the copy of another drive, or of the dossier",
            flipped("A1", layout.GROUP, at=40),
            verify=40,
        ),
        "plan-damaged-on-one-drive": Shipped(
            "the reader has it beforehand",
            "whole",
            "the copy of another drive, or of the dossier",
            flipped("A1", layout.PLAN, at=40),
            verify=40,
        ),
        "tag-manifest-damaged": Shipped(
            "what it names has its digest elsewhere, but for texts",
            "whole",
            "or a file that it names, differs",
            flipped("A1", layout.TAG_MANIFEST, at=3),
            verify=40,
        ),
        "readme-damaged": Shipped(
            "a text for people", "whole", "the file is not used", flipped("A1", layout.README, at=3), verify=40
        ),
        "custody-log-damaged": Shipped(
            "a restore can do without",
            "whole",
            "a restore can do without it",
            flipped("A1", layout.CUSTODY),
            section=CHAIN,
            verify=40,
        ),
        "volume-minted": Shipped(
            "made by a stranger for the public recipient; lists as they were",
            "whole",
            _ERASURE,
            poison("A1", VOLUME),
            verify=40,
        ),
        "volume-minted-with-its-lists": Shipped(
            "the unsigned lists agree with it, what is signed does not",
            "whole",
            "the file is not used",
            poison("A1", VOLUME, True),
            verify=40,
        ),
        "volumes-minted-beyond-the-code": Shipped(
            "both data volumes of a stripe",
            "part",
            "What is lost MUST be listed by name",
            all_of(*(poison(label, name) for label, name in stripe_0)),
            error="BeyondRepair",
            lost=_STRIPE_0,
            verify=41,
        ),
        "damage-beyond-the-code": Shipped(
            "one bit in the last block of both data volumes of a stripe",
            "part",
            "What is lost MUST be listed by name",
            all_of(flipped("A1", VOLUME, at=-20), flipped("B1", "data/0000000-01.tar.age", at=-20)),
            error="BeyondRepair",
            lost=_STRIPE_0,
            verify=41,
        ),
        "two-drives-lost": Shipped(
            "of 2 + 1: what lies on the third comes back",
            "part",
            "What is lost MUST be listed by name",
            drives=PLAIN[:1],
            error="BeyondRepair",
            lost=["caf%E9", "listed", _LONG, "na%25%0A%20name", "nothing", "sparse", "tool", "zz/last", "zz/link"],
            verify=41,
        ),
        "drive-open": Shipped(
            "without its closing record",
            "refuse",
            "open: it was never closed, or is being repaired",
            removed("B1", layout.DRIVE, f"{layout.DRIVE}.sig"),
            error="DriveNotClosed",
            verify=40,
        ),
        "signature-missing": Shipped(
            "drive.json without one",
            "refuse",
            signature,
            removed("B1", f"{layout.DRIVE}.sig"),
            error="SignatureMissing",
        ),
        "signature-of-another-document": Shipped(
            "that of group.json under drive.json",
            "refuse",
            signature,
            copied("B1", f"{layout.GROUP}.sig", f"{layout.DRIVE}.sig"),
            error="SignatureInvalid",
        ),
        "closing-record-altered": Shipped(
            "one bit of drive.json",
            "refuse",
            signature,
            flipped("B1", layout.DRIVE, at=30),
            error="SignatureInvalid",
        ),
        "all-signed-by-a-stranger": Shipped(
            "every digest and signature fits, and the key is not the consignor's",
            "refuse",
            "by a key that `allowed_signers` does not name for it",
            lambda drives: signed_by(drives, signer("stranger")),
            error="UntrustedSigner",
        ),
        "shipments-mixed": Shipped(
            "a drive of another shipment of the same consignor",
            "refuse",
            "a drive of another shipment, or of another plan of the same attempt",
            drives=("plain/A1", "plain/B1", "waves/A1"),
            error="ForeignDrive",
            verify=0,
        ),
        "plans-mixed": Shipped(
            "a drive of another plan of the same attempt",
            "refuse",
            "a drive of another shipment, or of another plan of the same attempt",
            another_plan,
            error="ForeignDrive",
            dossier=("plan.json",),
            verify=0,
        ),
        "drive-rolled-back": Shipped(
            "a drive of the attempt before",
            "refuse",
            "a drive of an earlier attempt, or one that was replaced",
            drives=("plain/A1", "earlier/B1", "plain/C1"),
            error="SupersededDrive",
            verify=41,
        ),
        "drive-twice": Shipped(
            "a drive and a copy of it",
            "refuse",
            "two drives that stand in one place of the plan",
            drives=(*PLAIN, "plain/B1"),
            error="DuplicateDrive",
            verify=40,
        ),
        "drive-closed-again": Shipped(
            "signed anew by its consignor, after shipment.json",
            "refuse",
            "a drive whose `drive.json` or group.json is not the one that `shipment.json` names",
            closed_again,
            error="ForeignDrive",
        ),
        "drive-replaced": Shipped(
            "one came in the place of a drive that failed",
            "whole",
            "they mean the one whose `replaces` begins with that UUID",
            drives=replaced,
            section=REPLACED,
        ),
        "drive-replaced-and-another-lost": Shipped(
            "what the new drive holds makes up for it",
            "whole",
            "they mean the one whose `replaces` begins with that UUID",
            drives=replaced[:2],
            section=REPLACED,
        ),
        "drive-that-failed-in-its-place": Shipped(
            "the one that was replaced",
            "refuse",
            "a reader MUST refuse it by name",
            drives=("replaced/A1", "replaced/old-B1", "replaced/C1"),
            section=REPLACED,
            error="SupersededDrive",
        ),
        "drive-that-failed-beside-the-new-one": Shipped(
            "both, and no shipment.json beforehand",
            "refuse",
            "or of another drive at hand, is superseded",
            section=REPLACED,
            drives=(*replaced, "replaced/old-B1"),
            error="SupersededDrive",
            dossier=("plan.json",),
            verify=40,
        ),
        "waves": Shipped("two groups, all drives", "whole", _PROVEN, drives=waves),
        "waves-each-with-a-drive-lost": Shipped("one of 1 + 1 in each", "whole", _PROVEN, drives=waves[1:3]),
        "wave-withheld": Shipped(
            "shipment.json says that it is missing",
            "part",
            "What is lost MUST be listed by name",
            drives=waves[:2],
            error="BeyondRepair",
            lost=["e"],
        ),
        "wave-withheld-and-nothing-says-so": Shipped(
            "no shipment.json: drives of the first wave have none",
            "refuse",
            "a wave that is withheld looks like this",
            drives=waves[:2],
            error="IncompleteKnowledge",
            dossier=("plan.json",),
        ),
        "file-through-a-link": Shipped(
            "signed by the consignor: `door` leads to `folder`, and `door/planted` follows it",
            "part",
            "No member is written, and no link made, through a symbolic link or a file",
            section="4. Data volumes",
            drives=("file-through-a-link/A1", "file-through-a-link/B1"),
            error="HostileArchive",
        ),
        "other-name-than-the-catalog": Shipped(
            "signed by the consignor: `said` in the catalog is `planted` in the volume",
            "part",
            "names, kinds, lengths, targets and extended attributes of members are not those of the catalog",
            section="4. Data volumes",
            error="HostileArchive",
            drives=("other-name-than-the-catalog/A1", "other-name-than-the-catalog/B1"),
        ),
    }


# --- writing ---------------------------------------------------------------------------------------------------------


def make_cases() -> None:
    """Write all cases and their index."""
    shutil.rmtree(CASES, ignore_errors=True)
    made = shipments()
    for name, shipped in made.items():
        with tempfile.TemporaryDirectory() as root:
            _write(name, shipped, Path(root))
    listed = [Case(f"shipment/{n}", s.about, s.outcome, s.section, s.rule, s.error) for n, s in made.items()]
    write_cases("shipment", listed)


def _write(name: str, shipped: Shipped, root: Path) -> None:
    base = shipped.drives[0].split("/")[0]
    own = [drive.split("/")[1] for drive in shipped.drives if drive.startswith(f"{base}/")]
    before = {label: lay_out_drive(base, label, root / "before" / label) for label in own}
    after = {label: lay_out_drive(base, label, root / "after" / label) for label in own}
    shipped.change(after)
    expect: dict[str, object] = {
        "base": base,
        "drives": list(shipped.drives),
        "dossier": list(shipped.dossier),
        "remove": {},
        "links": {},
        "outcome": shipped.outcome,
        "error": shipped.error,
        "rescue_verify": shipped.verify,
    }
    if shipped.outcome == "part":
        names = [str(entry["name"]) for entry in tree(base)]
        expect["lost"] = names if shipped.lost == ["*"] else list(shipped.lost)
    for label in before:
        removed_names, links = _difference(before[label], after[label], CASES / name / label)
        if removed_names:
            expect["remove"] = {**dict(expect["remove"]), label: removed_names}  # pyright: ignore[reportCallIssue, reportArgumentType]
        if links:
            expect["links"] = {**dict(expect["links"]), label: links}  # pyright: ignore[reportCallIssue, reportArgumentType]
    (CASES / name).mkdir(parents=True, exist_ok=True)
    (CASES / name / "expect.json").write_text(json.dumps(expect, indent=1) + "\n")


def _difference(before: Path, after: Path, target: Path) -> tuple[list[str], dict[str, str]]:
    """Write what is new or other; return what is gone, and what is a link now."""
    had = {path.relative_to(before) for path in before.rglob("*") if path.is_file()}
    has = {path.relative_to(after) for path in after.rglob("*") if path.is_file() or path.is_symlink()}
    links = {name.as_posix(): str((after / name).readlink()) for name in sorted(has) if (after / name).is_symlink()}
    for name in sorted(has):
        if name.as_posix() in links or (name in had and (after / name).read_bytes() == (before / name).read_bytes()):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(after / name, target / name)
    return [name.as_posix() for name in sorted(had - has)], links
