"""Rehearses the way home: what export.toml declares is taken out of the undisturbed run's last checkpoint.

Nothing of it leaves. A declaration that is wrong is part of the kit, so at the site nobody could mend it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from packtrain.documents.ready import Clause
from packtrain.errors import ExportDenied, PacktrainError
from packtrain.training import checks
from packtrain.training.metrics import METRICS_NAME
from packtrain.units import format_bytes

_DECLARATION: Final = "export.toml"


def judge_export(python: Path, program: Path, checkpoints: Path, results: Path, scratch: Path) -> Clause:
    """Return EXPORTS.

    Args:
        python: the interpreter of the training environment.
        program: the program's folder, where export.toml lies.
        checkpoints: of a run that came to its end.
        results: of the same run.
        scratch: a folder for what is taken; it is removed again.
    """
    if not os.path.lexists(program / _DECLARATION):
        return checks.not_shown(checks.EXPORTS, f"the program has no {_DECLARATION}, so nothing may come home")
    try:
        # Not above: this needs numpy, which a kit may lack.
        from packtrain.training.export import (
            check_text,
            checkpoint_to_export,
            read_rules,
            take_tensors,
            values_of,
        )
        from packtrain.training.guard import search_weights
        from packtrain.training.needles import Needles
    except ModuleNotFoundError as error:
        return checks.not_shown(checks.EXPORTS, f"it cannot be tried from this kit: {error}")
    scratch.mkdir(parents=True)
    try:
        rules = read_rules(program)
        taken = take_tensors(python, checkpoint_to_export(checkpoints), rules, scratch)
        # There is nothing to look for yet; but numbers that the site would refuse are refused here.
        search_weights(taken.files, Needles([]), values_of(rules, taken.tensors))
        num_bytes = 0
        for name in rules.text.files:
            path = results / name
            # Where the program writes none, packtrain makes it of the step lines.
            if name != METRICS_NAME or path.exists():
                if not os.path.lexists(path):
                    raise ExportDenied("declared text file is not there", where=f"{{results}}/{name}")
                num_bytes += len(check_text(path))
    except PacktrainError as error:
        # Optional is whether a program declares anything. One that does, and wrongly, brings nothing home.
        return checks.broken(checks.EXPORTS, error.message)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    weights = format_bytes(sum(tensor.bytes for tensor in taken.tensors))
    return checks.kept(
        checks.EXPORTS,
        f"tensors as declared: {len(taken.tensors)} ({weights}); texts: {len(rules.text.files)} "
        f"({format_bytes(num_bytes)}); other entries of the checkpoint, which stay: {len(taken.left)}",
    )
