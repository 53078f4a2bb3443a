"""What the tests on clusters prepare: some hundred small images and clips, and what a local run makes of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from netns_hosts import with_source_tree
from packtrain.engines.processes import ProcessMapper
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare import prepare
from source_parts import clip, ignore, jpeg, tree, voyage_folder

RECIPE = "image_crop_pixels = 32\nclip_frames = 10\nshard_bytes = 4000000\nminiature_samples = 8"
NUM_SOURCES = 240
NUM_CLIPS = 80  # a clip weighs 2 MiB more than its bytes: these are some twenty units of work


def prepared_here(root: Path) -> Path:
    """Make `raw`, and in `voyage` what a local run makes of it; return `root`."""
    for number in range(NUM_SOURCES):
        path = root / "raw" / f"{number % 7}" / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(320, 256, number))
    (root / "raw" / "clips").mkdir()
    for number in range(NUM_CLIPS):
        (root / "raw" / "clips" / f"{number:04}.mp4").write_bytes(clip(30 + number % 5, 160, 128))
    made = [sys.executable, "-m", "packtrain", "init", str(root / "voyage"), "--role", "consignor", "--name", "hosts"]
    subprocess.run(made, check=True, capture_output=True, timeout=60, env=with_source_tree(os.environ))
    prepare(voyage_folder(root / "voyage", root / "raw", RECIPE), ProcessMapper(2), ignore)
    return root


def nothing_prepared(whole: Path, root: Path, settings: str) -> VoyageFolder:
    """Return a voyage folder over the same sources, with nothing prepared, and with more in its [prepare]."""
    shutil.copytree(whole / "voyage" / "keys", root / "keys")
    return voyage_folder(root, whole / "raw", f"{RECIPE}\n{settings}")


def is_same(folder: VoyageFolder, whole: Path) -> bool:
    """Return whether a data set is that of the local run, byte for byte."""
    return tree(folder.work / "dataset") == tree(whole / "voyage" / "work" / "dataset")


def receipts(folder: VoyageFolder) -> dict[str, tuple[int, int]]:
    """Return inode and time of every unit's receipt."""
    found = (folder.work / "prepare" / "units").glob("*/*.receipt.json")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}
