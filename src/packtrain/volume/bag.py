"""The text files that make a drive a BagIt bag (RFC 8493) and tell a stranger what it is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from packtrain import __version__
from packtrain.documents.plan import Plan, PlannedDrive, PlannedGroup

BAGIT_TXT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

_PURPOSES: Final = {
    "cargo": "part of a shipment of data",
    "rehearsal": "part of a REHEARSAL shipment: a sample for testing, not the cargo",
    "home": "part of a shipment of results on its way home",
}

_README: Final = """\
WHAT THIS IS

This drive is {purpose}, written by packtrain {version} (cargo format 1).

    shipment   {shipment}, attempt {attempt}
    drive      {label} (number {number} of {count}), case {case}
    drive id   {uuid}

{contact}
The data on it is encrypted. Without the shipment's key nobody can read names or contents, but anybody can check whether
the drive is whole. Please do not write to it: mount it read-only.


IS THE DRIVE WHOLE? (no key needed)

    sha256sum -c manifest-sha256.txt
    sha256sum -c tagmanifest-sha256.txt

The drive is also a BagIt bag (RFC 8493); any BagIt validator accepts it. Who signed it is checked against a list of
signers that you must have from the sender by another way, never from this drive:

    ssh-keygen -Y verify -f allowed_signers -I consignor -n packtrain-drive@v1 \\
        -s packtrain/drive.json.sig < packtrain/drive.json

drive.json names the SHA-256 of tagmanifest-sha256.txt, and that file names all the others.


HOW TO RESTORE BY HAND (with the key, without packtrain)

You need age (https://age-encryption.org), tar, and the shipment's key: a line AGE-SECRET-KEY-1... in a file, here
called identity.txt. It came by another way than the drives. The sender's copy is an age file to the sender:

    age -d -i sender-identity.txt shipment.consignor.age      prints it after "identity"

(the identity may be an SSH key file; a copy under a passphrase opens without -i, age asks for it)

1. For each drive of the shipment, one after the other, in any order: go to its top folder, then unpack all its data
   volumes into one and the same folder (here /restored):

    for volume in data/*.tar.age; do
        [ -e "$volume" ] || continue        # this drive may hold parity alone
        age -d -i identity.txt "$volume" | tar -x -C /restored -f - || echo "DAMAGED: $volume"
    done

   Work as an ordinary user: as root, tar also sets the owners and set-user-id bits of the machine that packed this.
   GNU tar takes extended attributes along with --xattrs. Modes and times of folders that are not empty, and hard
   links of files larger than a volume, are in the catalog alone (step 3; packtrain/spec.md, section 7).

2. Files larger than a volume were cut into pieces NAME.000001of000007 and so on. Join them:

    cd /restored
    find . -type f -name '*.000001of[0-9][0-9][0-9][0-9][0-9][0-9]' | while IFS= read -r first; do
        name="${{first%.000001of*}}"; total="${{first##*.000001of}}"
        set -- "$name".[0-9][0-9][0-9][0-9][0-9][0-9]of"$total"
        if [ "$#" -ne "$(expr "$total" + 0)" ]; then
            echo "INCOMPLETE: $name, $# pieces of $total"      # they stay as they are
        elif cat "$@" > "$name"; then
            rm "$@"
        fi
    done

3. To see which files belong to this drive's group, with their SHA-256:

    age -d -i identity.txt packtrain/catalog.sqlite.age > catalog.sqlite
    sqlite3 catalog.sqlite "select sha256, cast(path as text) from files where kind = 'file'"

If a drive is lost or a volume damaged: of every stripe (the first number in a volume's name) any {k} of the {n} volumes
of this group give back all the others, also many half-damaged volumes together. With nothing but Python 3.8 or later:

    python3 packtrain/rescue.py damage DRIVE DRIVE ...                   lists the damage of these drives
    python3 packtrain/rescue.py repair DRIVE DRIVE ... --onto FOLDER     writes what was lost into a folder
    python3 packtrain/rescue.py commands DRIVE DRIVE ... --onto FOLDER   prints the age and tar commands

packtrain itself does it on loading ("packtrain load"). packtrain/spec.md has the mathematics, enough to write it anew.
"""


def spec() -> bytes:
    """Return the specification of cargo format 1, as it lies on every drive."""
    return resources.files("packtrain.volume").joinpath("cargo-1.md").read_bytes()


def rescue() -> bytes:
    """Return the program that verifies and repairs drives with the standard library of Python alone."""
    return resources.files("packtrain.volume").joinpath("rescue.py").read_bytes()


def readme(plan: Plan, group: PlannedGroup, drive: PlannedDrive) -> bytes:
    """Return README.txt of one drive: no name, place or content but the contact that the sender chose to print."""
    contact = " ".join(plan.contact.split())
    return _README.format(
        purpose=_PURPOSES[plan.purpose],
        version=__version__,
        shipment=plan.shipment,
        attempt=plan.attempt,
        label=drive.label,
        number=_number(plan, drive),
        count=len(plan.drives),
        case=drive.case,
        uuid=drive.uuid,
        contact=f"If you found it, please tell: {contact}\n" if contact else "",
        k=group.k,
        n=group.k + group.m,
    ).encode("utf-8")


def bag_info(plan: Plan, drive: PlannedDrive, payload_bytes: int, num_payload_files: int, bagging_date: str) -> bytes:
    """Return bag-info.txt of one drive; `bagging_date` is YYYY-MM-DD."""
    contact = " ".join(plan.contact.split())
    fields = [
        ("Bag-Software-Agent", f"packtrain {__version__}"),
        ("Bagging-Date", bagging_date),
        ("External-Identifier", drive.uuid),
        ("Bag-Group-Identifier", plan.shipment),
        ("Bag-Count", f"{_number(plan, drive)} of {len(plan.drives)}"),
        ("Payload-Oxum", f"{payload_bytes}.{num_payload_files}"),
        *([("Contact-Name", contact)] if contact else []),
    ]
    return "".join(f"{name}: {value}\n" for name, value in fields).encode("utf-8")


def manifest(digests: Mapping[str, str]) -> bytes:
    """Return a manifest of names and SHA-256, sorted, in the form that `sha256sum -c` reads."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode("ascii")


def _number(plan: Plan, drive: PlannedDrive) -> int:
    return 1 + next(index for index, planned in enumerate(plan.drives) if planned.label == drive.label)
