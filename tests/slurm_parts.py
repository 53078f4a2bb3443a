"""A training of 40 steps under Slurm: how tests set it up, start it, and read what became of it."""

import json
import subprocess
from typing import Any

from packtrain.record.folder import VoyageFolder
from site_parts import COMMAND, write_training
from slurm_node import SlurmNode, processes_with

STEPS = 40


def set_training(
    folder: VoyageFolder, *, steps: int = STEPS, slow: float = 0.2, more: str = "", hosts: str = "least = 2"
) -> None:
    """Write [training] and [site] of voyage.toml."""
    write_training(folder, steps=steps, workers=2, command=f"{COMMAND} --slow {slow}", more=more)
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write(f'engine = "slurm"\n{hosts if "slurm_arguments" in hosts else ""}\n[site.hosts]\n')
        stream.write(hosts if "slurm_arguments" not in hosts else "least = 2")
        stream.write("\n")


def weights(folder: VoyageFolder) -> dict[str, int]:
    return json.loads((folder.work / "results" / "weights.json").read_text())


def attempts(folder: VoyageFolder) -> list[dict[str, Any]]:
    path = folder.logs / "train" / "attempts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def steps(folder: VoyageFolder) -> list[list[Any]]:
    path = folder.logs / "train" / "steps.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def seen(folder: VoyageFolder, rank: int) -> list[list[str]]:
    """Return what a rank saw in each of its lives: host, address and port of rank 0, world, first step, local rank."""
    path = folder.work / "results" / f"seen-{rank}.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def saved(folder: VoyageFolder) -> int:
    path = folder.work / "checkpoints" / "state.json"
    return json.loads(path.read_text())["step"] if path.exists() else 0


def start(slurm: SlurmNode, folder: VoyageFolder) -> "subprocess.Popen[str]":
    return slurm.start_packtrain("train", str(folder.root))


def ended(run: "subprocess.Popen[str]", seconds: float = 300) -> str:
    _, told = run.communicate(timeout=seconds)
    assert "Traceback" not in told
    return told


def jobs(slurm: SlurmNode) -> list[str]:
    return slurm.run("squeue", "--noheader", "--format=%i").stdout.split()


def processes(slurm: SlurmNode) -> list[int]:
    return [process for host in slurm.nodes.values() for process in processes_with(host, "train.py")]
