"""TRL's `sft` script under packtrain's contract: its own main trains, saves and goes on; this file hands it data.

    python train.py DATA CHECKPOINTS STEPS

What had to be added to the script: a model and a tokenizer made here (nothing is fetched), the texts of DATA as JSON
lines, the newest whole checkpoint to go on from (the script does not look for one by itself), and a callback for step
lines.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import SFTTrainer
from trl.scripts import sft

from packtrain.training.loader import SampleStore

BATCH = 4  # a worker
SAVE_EVERY = 4


def write_model(folder: Path) -> None:
    """Write a tiny model with random weights, the same ones each time, and a tokenizer of bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>")
    fast.save_pretrained(folder)
    transformers.set_seed(3)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(fast),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=128,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
        )
    ).save_pretrained(folder)


def write_texts(data: Path, folder: Path) -> None:
    """Write the tables as texts, one a line of JSON, as the script's --dataset_name reads a folder."""
    store = SampleStore(data, split="train")
    samples = (store[row] for row in range(len(store)))
    texts = [sample.payload.decode() for sample in samples if sample.kind == "table"]
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def newest(checkpoints: Path) -> str | None:
    """Return the newest checkpoint that is whole: the Trainer writes trainer_state.json last of what it needs."""
    whole = [path for path in checkpoints.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return str(max(whole, key=lambda path: int(path.name.partition("-")[2]))) if whole else None


class StepLines(TrainerCallback):
    """Prints what the Trainer logs as packtrain's step lines."""

    def on_log(self, args, state, control, logs=None, **_) -> None:
        """Print one line a step."""
        if state.is_world_process_zero and logs and "loss" in logs:
            line = {"step": state.global_step, "loss": logs["loss"], "samples": BATCH * args.world_size}
            print(json.dumps(line), flush=True)


class SpeakingTrainer(SFTTrainer):
    """The script's trainer, with step lines."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, callbacks=[StepLines()], **kwargs)


def main() -> None:
    """Train with TRL's script."""
    data, checkpoints, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as made:
        write_model(Path(made) / "model")
        write_texts(data, Path(made) / "texts")
        os.environ["HF_HOME"] = f"{made}/cache"
        resume = newest(checkpoints)
        arguments = [
            *("--model_name_or_path", f"{made}/model", "--dataset_name", f"{made}/texts"),
            *("--output_dir", str(checkpoints), "--max_steps", str(steps), "--save_steps", str(SAVE_EVERY)),
            *("--per_device_train_batch_size", str(BATCH), "--max_length", "128", "--learning_rate", "0.01"),
            *("--logging_steps", "1", "--report_to", "none", "--use_cpu", "--bf16", "false", "--disable_tqdm", "true"),
            *("--lr_scheduler_type", "constant", "--gradient_checkpointing", "false", "--eval_strategy", "no"),
            *(("--resume_from_checkpoint", resume) if resume else ()),
        ]
        sys.modules["trl"].SFTTrainer = SpeakingTrainer
        parser = sft.make_parser()
        script_args, training_args, model_args, dataset_args = parser.parse_args_and_config(args=arguments)[:4]
        sft.main(script_args, training_args, model_args, dataset_args)
        # The work is done: say it. With gloo, the ends of the script's workers can wait for each other for ever.
        if os.environ.get("RANK", "0") == "0" and (mark := os.environ.get("PACKTRAIN_DONE")):
            Path(mark).touch()


if __name__ == "__main__":
    main()
