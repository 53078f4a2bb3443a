"""litgpt's `pretrain` under packtrain's contract: its own code trains, saves and goes on; this file hands it data.

    python train.py DATA CHECKPOINTS STEPS

What had to be added to litgpt: tokens from the samples of DATA, a data loader that knows its place (litgpt saves it
with the checkpoint if it can say it), and a logger that prints step lines.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

# litgpt compiles every model; a tiny one is trained before that is done, and the site may have no C++ compiler.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import torch
from lightning.fabric.loggers.logger import Logger
from litgpt import pretrain
from litgpt.args import EvalArgs, TrainArgs
from litgpt.config import Config
from litgpt.data import DataModule
from torch.utils.data import DataLoader, Dataset

from packtrain.training.loader import SampleStore

SEQUENCE = 64
BATCH = 4
SAVE_EVERY = 4


class Windows(Dataset[torch.Tensor]):
    """Stretches of SEQUENCE + 1 bytes of the tables, in a fixed shuffled order."""

    def __init__(self, data: Path) -> None:
        store = SampleStore(data, split="train")
        samples = (store[row] for row in range(len(store)))
        payload = b"".join(sample.payload for sample in samples if sample.kind == "table")
        self.tokens = torch.frombuffer(bytearray(payload), dtype=torch.uint8).long()
        places = torch.arange(0, len(self.tokens) - SEQUENCE - 1, SEQUENCE // 2)
        self.places = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(1))]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> torch.Tensor:
        start = int(self.places[number])
        return self.tokens[start : start + SEQUENCE + 1]


class PlacedLoader(DataLoader[torch.Tensor]):
    """A loader whose place is part of the checkpoint: without it, litgpt would take the first samples again."""

    batches_done = 0

    def __iter__(self):
        """Yield batches from the place on, over and over."""
        size = self.batch_size or 1
        while True:
            first = self.batches_done * size
            numbers = [(first + offset) % len(self.dataset) for offset in range(size)]
            self.batches_done += 1
            yield torch.stack([self.dataset[number] for number in numbers])

    def state_dict(self) -> dict[str, int]:
        """Return the place."""
        return {"batches_done": self.batches_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to a place."""
        self.batches_done = state["batches_done"]


class Tables(DataModule):
    """The tables of a packtrain data folder."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.windows = Windows(data)

    def connect(self, tokenizer=None, batch_size=1, max_seq_length=None, **_) -> None:
        """Take what litgpt has decided."""
        self.batch_size = batch_size

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        """Return the loader of training."""
        return PlacedLoader(self.windows, batch_size=self.batch_size)

    def val_dataloader(self) -> DataLoader[torch.Tensor]:
        """Return a loader for litgpt's check of the settings."""
        return DataLoader(self.windows, batch_size=self.batch_size)


class StepLines(Logger):
    """Prints what litgpt logs as packtrain's step lines."""

    name = "step-lines"
    version = 0

    def log_metrics(self, metrics, step=None) -> None:
        """Print one line a step."""
        if "loss" in metrics:
            print(json.dumps({"step": metrics["step"], "loss": metrics["loss"], "samples": BATCH}), flush=True)

    def log_hyperparams(self, *_, **__) -> None:
        """Say nothing."""


def main() -> None:
    """Train with litgpt."""
    data, checkpoints, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    # With each checkpoint litgpt writes what its command line was, and reads it for that.
    sys.argv[1:] = ["tiny"]
    pretrain.choose_logger = lambda *_, **__: StepLines()
    pretrain.setup(
        model_name="tiny",
        model_config=Config(
            name="tiny", block_size=SEQUENCE, vocab_size=256, padded_vocab_size=256, n_layer=2, n_head=2, n_embd=32
        ),
        out_dir=checkpoints,
        precision="32-true",
        resume="auto",
        data=Tables(data),
        train=TrainArgs(
            save_interval=SAVE_EVERY,
            log_interval=1,
            global_batch_size=BATCH,
            micro_batch_size=BATCH,
            lr_warmup_steps=0,
            max_tokens=steps * BATCH * SEQUENCE,
            max_seq_length=SEQUENCE,
            max_norm=1.0,
            min_lr=1e-3,
        ),
        eval=EvalArgs(interval=1_000_000, max_iters=1, final_validation=False),
        optimizer={"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-2}},
        devices=int(os.environ.get("WORLD_SIZE", "1")),
        seed=7,
        logger_name="csv",
    )


if __name__ == "__main__":
    main()
