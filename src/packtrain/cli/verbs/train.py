"""packtrain train"""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import Terminal


@click.command("train")
@folder_argument
@click.option(
    "--python", type=click.Path(path_type=Path), default=None, help="Interpreter for the workers (default: this one)."
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray", "slurm"]),
    default=None,
    help="What starts the workers: on this machine, or on many hosts (default: [site] engine of voyage.toml).",
)
@json_option
def command(folder: Path, python: Path | None, engine: str | None, as_json: bool) -> None:
    """Run the training program on the loaded data, restarting lost workers, to its last step.

    On a terminal loss, rate, restarts and place in the data are drawn as they come.
    """
    from packtrain.record.folder import VoyageFolder
    from packtrain.report.training_curve import TrainingCurve, read_steps
    from packtrain.report.training_facts import STEPS, samples_loaded

    if python is not None:
        # Workers start in the program's folder, so a path from here, or a name on PATH, is made whole first.
        python = Path(shutil.which(python) or python).absolute()
    # What was trained before this call is in the chart from the start.
    log = VoyageFolder(folder).logs / STEPS
    terminal = Terminal(read_steps(log) or TrainingCurve(), samples_loaded(VoyageFolder(folder)))
    answer_receipt(open_voyage(folder, terminal).train(python, engine), as_json=as_json)
