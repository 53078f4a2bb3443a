"""Three voyage folders that know each other's keys, as after the exchange of party.toml."""

import shutil
from pathlib import Path

from packtrain.documents.parties import ROLES, Role
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.stages.init import init, party_toml


def three_parties(root: Path, name: str = "test voyage") -> dict[Role, VoyageFolder]:
    """Make the folders consignor, operator and consignee below `root`; return them by role, parties.json written."""
    folders: dict[Role, VoyageFolder] = {role: init(root / role, name, role) for role in ROLES}
    sections = "\n".join(party_toml(folders[role], role) for role in ROLES)
    for role, folder in folders.items():
        (folder.root / VOYAGE_FILE).write_text(f'[voyage]\nname = "{name}"\nrole = "{role}"\n\n{sections}')
        sync_parties(folder)
    return folders


def copy_of_parties(made: Path, root: Path) -> dict[Role, VoyageFolder]:
    """Copy a folder that holds the three to `root`, which must not be there; return the copies by role."""
    shutil.copytree(made, root)
    return {role: VoyageFolder(root / role) for role in ROLES}
