"""Programs that obey the contract without torch, and some that break a clause of it; a voyage folder to rehearse in."""

import hashlib
import json
import random
import textwrap
from collections.abc import Mapping
from pathlib import Path

from packtrain.documents.dataset import DataFile, Dataset, SampleCount, Shard
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.stages.init import init

COMMAND = "train.py {data} {checkpoints} {steps}"

# One number is trained; a checkpoint is a file with that number and the step. Marks are where the variants differ.
PROGRAM = """\
import json, os, signal, sys, time
from pathlib import Path

asked = []
data, checkpoints, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
rank = int(os.environ["RANK"])
{START}
samples = sum(path.stat().st_size for path in sorted(data.rglob("*.bin")))
saved = sorted(checkpoints.glob("step-????.json"))
state = json.loads(saved[-1].read_text()) if saved else {{"step": 0, "weight": 1.0 + samples % 7}}
{RESUMED}
while state["step"] < steps:
    time.sleep(0.1)
    loss = state["weight"] ** 2
    state = {{"step": state["step"] + 1, "weight": state["weight"] * 0.9}}
{STEP}
    if rank == 0:
        {LINE}
        if state["step"] % {EVERY} == 0 or state["step"] == steps{OR_ASKED}:
{SAVE}
{END}
"""
SAVE = """\
            part = checkpoints / "unfinished.part"
            part.write_text(json.dumps(state))
            part.rename(checkpoints / f"step-{state['step']:04d}.json")
"""
LISTEN = "signal.signal(signal.SIGTERM, lambda *_: asked.append(1))"
EXIT_75 = "    if asked: sys.exit(75)"
LINE = 'print(json.dumps({"step": state["step"], "loss": loss, "samples": 4}), flush=True)'
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "good": {},
    "begins again": {"RESUMED": 'state = {"step": 0, "weight": 1.0 + samples % 7}'},
    "forgets the weight": {"RESUMED": 'state["weight"] += 0.25 * bool(saved)'},
    "takes other samples": {"LINE": LINE.replace('"samples": 4', '"samples": 4 + bool(saved)')},
    "skips steps": {"RESUMED": 'state["step"] += 4 * bool(saved)'},
    "differs each time": {"STEP": "    loss += time.time_ns() % 1000 / 1e6"},
    "stops when asked": {"START": LISTEN, "OR_ASKED": " or asked", "END": EXIT_75},
    "says that it saved": {"START": LISTEN, "END": EXIT_75},
    "grows with its workers": {"LINE": LINE.replace('"samples": 4', '"samples": 2 * int(os.environ["WORLD_SIZE"])')},
    "wants two workers": {"START": "assert os.environ['WORLD_SIZE'] == '2', 'two workers, please'"},
    # Saved at other steps than it is disturbed at: between the old one and the new it has none.
    "keeps one": {"EVERY": "4", "SAVE": "            [old.unlink() for old in checkpoints.glob('step-*')]\n" + SAVE},
    "says nothing of a full disk": {
        "SAVE": f"            try:\n{textwrap.indent(SAVE, '    ')}            except OSError:\n                pass\n"
    },
    "saves without renaming": {"SAVE": SAVE.replace('"unfinished.part"', "f\"step-{state['step']:04d}.json\"")},
    "saves too seldom": {"EVERY": "1000"},
    "never saves": {"EVERY": "1000 == 1 or False", "LINE": LINE + "\n        continue"},
    "speaks no lines": {"LINE": "pass"},
    "speaks each line twice": {"LINE": f"{LINE}; {LINE}"},
    "names no losses": {"LINE": LINE.replace('"loss": loss, ', "")},
    "stops early": {"START": "steps = 5"},
    "saves before its first step": {
        "RESUMED": "saved or rank or (checkpoints / 'step-0000.json').write_text(json.dumps(state))"
    },
    # What it goes on from it makes anew: the file says nothing.
    "saves no weights": {
        "SAVE": SAVE.replace("json.dumps(state)", "'{}'"),
        "RESUMED": (
            "state = {'step': int(saved[-1].stem[5:]) if saved else 0, 'weight': 1.0 + samples % 7}\n"
            "for _ in range(state['step']): state['weight'] *= 0.9"
        ),
    },
    "loss is not a number": {"STEP": "    loss = float('nan') if state['step'] == 5 else loss"},
    "loss grows": {"STEP": "    loss = 1.0 + state['step']"},
    "fails": {"STEP": "    assert state['step'] < 3, 'out of memory, say'"},
    "ignores the number of steps": {"START": "steps = 17"},
    "phones home by another program": {
        "START": (
            "import subprocess\n"
            "for host in ('192.0.2.1', 'nowhere.example'):\n"
            "    subprocess.run(['bash', '-c', f'exec 3<>/dev/tcp/{host}/9'], stderr=subprocess.DEVNULL, check=False)"
        )
    },
    "phones home": {
        "START": (
            "import urllib.request\n"
            "try:\n"
            "    urllib.request.urlopen('http://192.0.2.1/metrics', timeout=0.1)\n"
            "except OSError:\n"
            "    pass"
        )
    },
}


def write_program(folder: Path, variant: str) -> Path:
    """Write train.py of a variant; return its folder."""
    marks = dict.fromkeys(("START", "RESUMED", "STEP", "OR_ASKED", "END"), "")
    marks |= {"LINE": LINE, "EVERY": "3", "SAVE": SAVE, **VARIANTS[variant]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(PROGRAM.format(**marks))
    return folder


def make_voyage(
    root: Path, *, variant: str, wheels: Path, provided: tuple[str, ...], steps: int = 12, hang: bool = False
) -> VoyageFolder:
    """Make a consignor's folder with a program, and a data set of which only the miniature is there."""
    init(root, "rehearsal test", "consignor")
    write_program(root / "program", variant)
    with (root / "voyage.toml").open("a") as stream:
        stream.write(
            f'[training]\nprogram = "program"\ncommand = "{COMMAND}"\nworkers = 2\nrehearsal_steps = {steps}\n'
            f"rehearsal_hang = {str(hang).lower()}\nsite_samples_per_second = 4000\n"
            f'wheels = "{wheels}"\nprovided = {json.dumps(list(provided))}\n'
        )
    folder = VoyageFolder(root)
    sync_parties(folder)
    folder.write(_make_miniature(folder.work / "dataset" / "miniature"))
    return folder


def _make_miniature(root: Path) -> Dataset:
    draw = random.Random(3)
    files = {"index.parquet": draw.randbytes(2000)} | {
        f"shards/image-{number:06d}.bin": draw.randbytes(180_000) for number in range(6)
    }
    for name, payload in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(payload)
    return describe_miniature(root)


def describe_miniature(root: Path) -> Dataset:
    """Return dataset.json of a data set whose miniature lies in a folder: index.parquet and shards."""
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    digests = {name: hashlib.sha256(payload).hexdigest() for name, payload in files.items()}
    shards = tuple(
        Shard(name=name, kind="image", split="train", bytes=len(payload), sha256=digests[name], num_samples=4)
        for name, payload in files.items()
        if name.startswith("shards/")
    )
    index = DataFile(name="index.parquet", bytes=len(files["index.parquet"]), sha256=digests["index.parquet"])
    return Dataset(
        name="tiny",
        recipe="0" * 64,
        sources="0" * 64,
        num_sources=1,
        source_bytes=1,
        counts=(
            SampleCount(
                kind="image",
                num_samples=24,
                num_rejects=0,
                num_filtered=0,
                num_duplicates=0,
                num_near_duplicates=0,
                num_withdrawn=0,
            ),
        ),
        shards=shards,
        files=(index,),
        miniature_shards=shards,
        miniature_files=(index,),
    )
