"""Three voyage folders after `train`, with weights that are worth compressing."""

import sys
from pathlib import Path

from packtrain.digest import sha256_tree
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.record.folder import VoyageFolder
from site_parts import site_after_load, write_program, write_training

NUM_ROWS = 1500
DECLARATION = f"""
[[tensors]]
name = "model.weight"
dtype = "float32"
shape = [{NUM_ROWS}, 512]
"""


def trained_site(root: Path, names: dict[Role, str]) -> dict[Role, VoyageFolder]:
    """Make the folders under these names below `root`; return them by role."""
    import torch
    from torch.distributed.checkpoint.state_dict_saver import save

    folders = site_after_load(root / "made")
    for role, name in names.items():
        if role != "operator":
            write_program(folders[role], "", DECLARATION)
            write_training(folders[role])
        folders[role].root.rename(root / name)
    found: dict[Role, VoyageFolder] = {role: VoyageFolder(root / name) for role, name in names.items()}
    guest = found["consignee"]
    weights = 0.02 * torch.randn(NUM_ROWS, 512, generator=torch.Generator().manual_seed(3))
    save({"model": {"weight": weights}}, checkpoint_id=guest.work / "checkpoints" / "step-00000004", no_dist=True)
    (guest.work / "results").mkdir()
    guest.write_receipt(
        Receipt(
            stage="train",
            inputs={"program": sha256_tree(guest.root / "program")},
            outputs={},
            counts={"steps": 4},
            facts={"python": sys.executable},
            seconds=1.0,
            finished="2026-11-21T08:09:10Z",
            versions={},
        )
    )
    return found
