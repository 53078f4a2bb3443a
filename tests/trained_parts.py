"""Three voyage folders after `train`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packtrain.digest import sha256_tree
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.record.folder import VoyageFolder
from site_parts import site_after_load, write_program, write_training

NUM_ROWS = 1500
LARGE_DECLARATION = f"""
[[tensors]]
name = "model.weight"
dtype = "float32"
shape = [{NUM_ROWS}, 512]
"""


def trained_site(
    root: Path, declaration: str, state: Mapping[str, Any], texts: Mapping[str, str] | None = None
) -> dict[Role, VoyageFolder]:
    """Make the folders below `root`, each under the name of its role; return them.

    Args:
        root: takes the folders.
        declaration: export.toml of the program.
        state: what the newest checkpoint holds.
        texts: what the program wrote into its results, by name; with them go the metrics that `train` writes.
    """
    folders = site_after_load(root)
    for role in ("consignor", "consignee"):
        write_program(folders[role], "", declaration)
        write_training(folders[role])
    guest = folders["consignee"]
    save_state(guest, state)
    (guest.work / "results").mkdir()
    for name, text in (texts or {}).items():
        (guest.work / "results" / name).write_text(text)
    if texts:
        guest.logs.mkdir(exist_ok=True)
        (guest.logs / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0, "samples": 8}\n')
    write_train_receipt(guest)
    return folders


def site_with_large_weights(root: Path) -> dict[Role, VoyageFolder]:
    """Make the folders with weights that are worth compressing."""
    import torch

    weights = 0.02 * torch.randn(NUM_ROWS, 512, generator=torch.Generator().manual_seed(3))
    return trained_site(root, LARGE_DECLARATION, {"model": {"weight": weights}})


def save_state(folder: VoyageFolder, state: Mapping[str, Any]) -> Path:
    """Write the checkpoint of the last step, which must not be there; return it."""
    from torch.distributed.checkpoint.state_dict_saver import save

    place = folder.work / "checkpoints" / "step-00000004"
    save(dict(state), checkpoint_id=place, no_dist=True)
    return place


def write_train_receipt(folder: VoyageFolder) -> None:
    """Write the receipt of a training under the program as it lies there."""
    folder.write_receipt(
        Receipt(
            stage="train",
            inputs={"program": sha256_tree(folder.root / "program")},
            outputs={},
            counts={"steps": 4},
            facts={"python": sys.executable},
            seconds=1.0,
            finished="2026-11-21T08:09:10Z",
            versions={},
        )
    )
