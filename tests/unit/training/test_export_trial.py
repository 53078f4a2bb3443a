"""What of a declaration is seen at home: that it finds its tensors and texts, or that nothing could come home."""

import sys
from pathlib import Path

import pytest

from packtrain.training import checks
from packtrain.training.export_trial import judge_export

HERE = Path(sys.executable)
DECLARED = (
    '[text]\nfiles = ["metrics.jsonl", "notes.txt"]\n[[tensors]]\nname = "w"\ndtype = "float32"\nshape = [8, 4]\n'
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that came to its end: a checkpoint with one tensor and another, and one text."""
    import torch
    from torch.distributed.checkpoint.state_dict_saver import save

    folder = tmp_path_factory.mktemp("run")
    draw = torch.Generator().manual_seed(3)
    text = torch.randint(0, 256, (128, 64), generator=draw, dtype=torch.uint8)
    state = {"w": torch.randn(8, 4), "n": torch.ones(3), "t": text}
    save(state, checkpoint_id=folder / "checkpoints" / "step-12", no_dist=True)
    (folder / "results").mkdir()
    (folder / "results" / "notes.txt").write_text("all well")
    return folder


pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]


def _judged(run: Path, program: Path, declared: str | None, checkpoints: str = "checkpoints") -> tuple[str, str]:
    if declared is not None:
        (program / "export.toml").write_text(declared)
    clause = judge_export(HERE, program, run / checkpoints, run / "results", program / "scratch")
    assert clause.clause == checks.EXPORTS
    assert clause.optional
    assert not (program / "scratch").exists()
    return clause.verdict, clause.evidence


def test_what_is_declared_and_there_is_kept(run: Path, tmp_path: Path):
    # metrics.jsonl is made of the step lines, at the site.
    assert _judged(run, tmp_path, DECLARED) == (
        "kept",
        "tensors as declared: 1 (128 B); texts: 2 (8 B); other entries of the checkpoint, which stay: 2",
    )


@pytest.mark.parametrize(
    ("declared", "checkpoints", "verdict", "told"),
    [
        (None, "checkpoints", "not shown", "no export.toml, so nothing may come home"),
        (
            DECLARED.replace("[8, 4]", "[4, 8]"),
            "checkpoints",
            "broken",
            "declared float32 [4, 8], found float32 [8, 4]",
        ),
        (DECLARED.replace('"w"', '"v"'), "checkpoints", "broken", "v: 1 declared, 0 found"),
        (DECLARED.replace("notes", "other"), "checkpoints", "broken", "declared text file is not there"),
        (DECLARED.replace("shape", "form"), "checkpoints", "broken", "form"),
        (
            DECLARED.replace('"w"', '"t"').replace("float32", "uint8").replace("[8, 4]", "[128, 64]"),
            "checkpoints",
            "broken",
            "does not look like weights",
        ),
        (DECLARED, "results", "broken", "there is no complete checkpoint to take tensors from"),
    ],
)
def test_what_could_not_come_home_is_known_before_departure(
    run: Path, tmp_path: Path, declared: str | None, checkpoints: str, verdict: str, told: str
):
    found = _judged(run, tmp_path, declared, checkpoints)
    assert found[0] == verdict
    assert told in found[1]
