"""init: a voyage folder with voyage.toml, keys, and the page of public keys that the other parties need."""

from __future__ import annotations

from pathlib import Path

from packtrain import durable
from packtrain.crypto import age, sshsig
from packtrain.documents.parties import Role
from packtrain.documents.voyage_file import decode_voyage_file
from packtrain.errors import VoyageExists
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import own_party, party_section

_TEMPLATES: dict[Role, str] = {
    "consignor": """\
[voyage]
name = "{name}"
role = "consignor"
contact = ""                                  # printed in the README of each drive: whom to call

[sources]
paths = ["data"]                              # tables, images, clips

[prepare]
miniature_samples = 64                        # the true subset that the rehearsal trains on

[drives]
survive = {{ cases = 1, drives = 0 }}           # any one case; `drives` more in each group

# [[drives.case]]                             # one block a case; mount points or folders
# label = "A"
# drives = ["/mnt/a1", "/mnt/a2"]
# carrier = "name of the person"
# seal = "number on the seal"

# [training]
# program = "program"                         # folder with the training program
# command = "train.py --data {{data}} --ckpt {{checkpoints}} --out {{results}} --steps {{steps}}"
# workers = 2
# steps = 1000
# python = "3.12"                             # the site's; the kit is built for it from the program's uv.lock
# groups = ["site"]                           # of that lock: where packtrain itself is
# provided = ["torch==2.13.0"]                # what the site has already
""",
    "operator": """\
[voyage]
name = "{name}"
role = "operator"
""",
    "consignee": """\
[voyage]
name = "{name}"
role = "consignee"

[site]
store = "store"                               # where loaded data goes
engine = "local"

# [training]                                  # once "packtrain load" has brought the kit
# program = "work/kit/program"
# command = "train.py --data {{data}} --ckpt {{checkpoints}} --out {{results}} --steps {{steps}}"  # as home has it
# workers = 2
# steps = 1000
""",
}
_PARTIES_HINT = """
# Paste here the keys/party.toml of the other parties, and read the fingerprints to each other by telephone.
"""


def init(root: Path, name: str, role: Role) -> VoyageFolder:
    """Make a voyage folder and this party's keys; return its handle.

    Keys that are there already are kept, so that a broken `init` can be run again.

    Raises:
        VoyageExists: the folder has a voyage.toml.
        VoyageFileError: the name cannot be one.
    """
    path = root / VOYAGE_FILE
    if path.exists():
        raise VoyageExists("this folder is a voyage already", where=str(path), hint="choose another folder")
    text = _TEMPLATES[role].format(name=name) + _PARTIES_HINT
    decode_voyage_file(text.encode(), str(path))
    keys = root / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    keys.chmod(0o700)
    if not (keys / "signer").exists():
        sshsig.generate_key_pair(keys / "signer", f"packtrain {role}")
    if not (keys / "identity.txt").exists():
        identity = age.generate_identity()
        durable.write_bytes(
            keys / "identity.txt", f"# public key: {age.recipient_of(identity)}\n{identity}\n".encode(), mode=0o600
        )
    durable.write_bytes(path, text.encode())
    folder = VoyageFolder(root)
    durable.write_bytes(keys / "party.toml", party_toml(folder, role).encode())
    return folder


def party_toml(folder: VoyageFolder, role: Role) -> str:
    """Return the section that the other parties paste into [parties] of their voyage.toml: public keys only."""
    own = own_party(folder, folder.voyage_file())
    assert own.role == role, (own.role, role)
    return party_section(own)
