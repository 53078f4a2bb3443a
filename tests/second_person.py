"""A second person of a party: its reviewer."""

from pathlib import Path

from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties


def with_reviewer(folder: VoyageFolder, root: Path) -> Path:
    """Give the party of a folder a second person; return that person's private key."""
    generate_key_pair(root / "second", "")
    key = SshSigner.load(root / "second").public_line
    own = (folder.keys / "party.toml").read_text()
    path = folder.root / VOYAGE_FILE
    head, _, rest = path.read_text().partition(own)
    path.write_text(f'{head}{own}reviewer = "{key}"\n{rest}')
    sync_parties(folder)
    return root / "second"
