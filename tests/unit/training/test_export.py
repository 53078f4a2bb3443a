"""Default deny: what is declared leaves, in the form that is declared, and nothing else."""

import contextlib
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from packtrain.documents.export_list import ExportedTensor
from packtrain.errors import ExportDenied
from packtrain.training.checkpoints import newest_checkpoint
from packtrain.training.export import (
    ExportRules,
    TensorRule,
    _check_contents,
    check_text,
    checkpoint_to_export,
    choose_tensors,
    read_rules,
    read_safetensors_header,
    take_tensors,
    values_of,
)

HERE = Path(sys.executable)


def tensor(name: str, *shape: int, dtype: str = "float32") -> ExportedTensor:
    total = 4
    for side in shape:
        total *= side
    return ExportedTensor(name=name, dtype=dtype, shape=shape, bytes=total)


def rules(*lines: TensorRule) -> ExportRules:
    return ExportRules(tensors=lines)


def test_only_declared_tensors_are_chosen_and_the_rest_is_named() -> None:
    found = [tensor("model.b.0.w", 2, 3), tensor("model.b.1.w", 2, 3), tensor("optimizer.m", 2, 3)]
    chosen, stay = choose_tensors(
        rules(TensorRule(name="model.b.*.w", dtype="float32", shape=(2, 3), count=2)), found, ""
    )
    assert [found.name for found in chosen] == ["model.b.0.w", "model.b.1.w"]
    assert stay == ("optimizer.m",)


@pytest.mark.parametrize(
    "found",
    [
        [],
        [tensor("w", 3, 2)],
        [tensor("w", 6)],
        [tensor("w", 2, 3, dtype="float64")],
        [tensor("W", 2, 3)],
        [tensor("xw", 2, 3)],
    ],
    ids=["missing", "transposed", "flat", "other dtype", "other case", "longer name"],
)
def test_a_checkpoint_that_differs_from_its_declaration_is_denied(found: list[ExportedTensor]) -> None:
    with pytest.raises(ExportDenied):
        choose_tensors(rules(TensorRule(name="w", dtype="float32", shape=(2, 3))), found, "")


def test_a_star_stands_for_a_number_and_nothing_else() -> None:
    found = [tensor("b.0.w", 1), tensor("b.0.more.w", 1), tensor("b.data.w", 1)]
    chosen, _ = choose_tensors(rules(TensorRule(name="b.*.w", dtype="float32", shape=(1,))), found, "")
    assert [found.name for found in chosen] == ["b.0.w"]


def test_one_tensor_more_than_declared_is_denied() -> None:
    found = [tensor("b.0.w", 1), tensor("b.1.w", 1)]
    with pytest.raises(ExportDenied, match="1 declared, 2 found"):
        choose_tensors(rules(TensorRule(name="b.*.w", dtype="float32", shape=(1,))), found, "")


@pytest.mark.parametrize("name", ["b.104975.w", "b.128.w", "b.01.w", "b.\u0661.w"])
def test_numbers_in_names_carry_no_bytes(name: str) -> None:
    lines = rules(TensorRule(name="b.*.w", dtype="float32", shape=(1,), count=2))
    choose_tensors(lines, [tensor("b.0.w", 1), tensor("b.127.w", 1)], "")
    with pytest.raises(ExportDenied):
        choose_tensors(lines, [tensor("b.0.w", 1), tensor(name, 1)], "")


def test_a_tensor_that_two_lines_find_is_denied_and_so_are_kinds_that_do_not_leave() -> None:
    star, name = (TensorRule(name=name, dtype="float32", shape=(1,)) for name in ("b.*.w", "b.0.w"))
    with pytest.raises(ExportDenied, match="declared twice"):
        choose_tensors(rules(star, name), [tensor("b.0.w", 1)], "")
    with pytest.raises(ExportDenied, match="do not leave"):
        choose_tensors(
            rules(TensorRule(name="w", dtype="complex64", shape=(1,))), [tensor("w", 1, dtype="complex64")], ""
        )


def test_what_is_said_of_the_numbers_of_a_tensor_is_found_by_its_name() -> None:
    lines = rules(
        TensorRule(name="a", dtype="int64", shape=(1,), values="any"),
        TensorRule(name="b.*", dtype="float32", shape=(1,), values="few"),
        TensorRule(name="c", dtype="float32", shape=(1,)),
    )
    assert values_of(lines, [tensor(name, 1) for name in ("a", "b.3", "c", "d")]) == {"a": "any", "b.3": "few"}


def test_a_program_without_a_declaration_exports_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportDenied, match="declares nothing"):
        read_rules(tmp_path)


def test_a_typo_in_the_declaration_is_denied_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "export.toml").write_text('[[tensors]]\nname = "w"\ndtype = "float32"\nshapes = [1]\n')
    with pytest.raises(ExportDenied) as caught:
        read_rules(tmp_path)
    assert 'did you mean "shape"?' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.pt", b"x"),
        ("m.pkl", pickle.dumps({})),
        ("m.json", pickle.dumps({"a": 1})),
        ("m.txt", b"\xff\xfe"),
        ("m.txt", b"a\0b"),
        ("m", b"text"),
    ],
)
def test_a_declared_file_that_is_no_text_is_denied(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportDenied):
        check_text(tmp_path / name)


def test_a_declared_file_that_is_a_link_is_denied(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("rows")
    (tmp_path / "m.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ExportDenied):
        check_text(tmp_path / "m.txt")


def test_the_checkpoint_that_is_exported_is_the_one_that_the_rehearsal_judges(tmp_path: Path) -> None:
    # Times in the order that a copy may give them: the export once went by these.
    for number, name in enumerate(("step-10", "step-9", ".step-11.part"), start=1):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".metadata").touch()
        os.utime(tmp_path / name / ".metadata", (number, number))
    (tmp_path / "step-12").mkdir()
    (tmp_path / "step-12" / "__0_0.distcp").touch()
    assert checkpoint_to_export(tmp_path) == newest_checkpoint(tmp_path) == tmp_path / "step-10"


def test_a_folder_without_a_complete_checkpoint_is_denied(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"pickle")
    with pytest.raises(ExportDenied):
        checkpoint_to_export(tmp_path)


def safetensors(header: dict[str, Any], data: bytes) -> bytes:
    raw = json.dumps(header, separators=(",", ":")).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def entry(start: int, end: int, shape: tuple[int, ...] = (1,)) -> dict[str, Any]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def test_a_safetensors_file_lists_its_tensors(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(safetensors({"a": entry(0, 4), "b": entry(4, 12, (2,))}, bytes(12)))
    assert read_safetensors_header(tmp_path / "w") == (tensor("a", 1), tensor("b", 2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        (2**63).to_bytes(8, "little") + b"{}",
        (100).to_bytes(8, "little") + b"{}",
        safetensors({"a": entry(0, 4)}, bytes(5)),
        safetensors({"a": entry(4, 8)}, bytes(8)),
        safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)),
        safetensors({"a": {**entry(0, 4), "more": 1}}, bytes(4)),
        pickle.dumps({"a": 1}),
    ],
    ids=["empty", "huge header", "cut header", "bytes after", "bytes before", "overlap", "unknown field", "pickle"],
)
def test_a_file_that_is_not_exactly_safetensors_is_denied(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ExportDenied):
        read_safetensors_header(tmp_path / "w")


# --- from real checkpoints -------------------------------------------------------------------------------------------


def save(folder: Path, state: dict[str, Any]) -> Path:
    from torch.distributed.checkpoint.state_dict_saver import save as save_checkpoint

    save_checkpoint(state, checkpoint_id=folder, no_dist=True)
    return folder


@pytest.mark.needs_torch
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_declared_tensors_leave_a_real_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    weights = torch.randn(8, 4)
    folder = save(tmp_path / "ck", {"model": {"w": weights, "n": torch.ones(3)}, "secret": {"rows": "1,2,3"}})
    (tmp_path / "out").mkdir()
    taken = take_tensors(
        HERE, folder, rules(TensorRule(name="model.w", dtype="float32", shape=(8, 4))), tmp_path / "out"
    )
    assert taken.left == ("model.n", "secret.rows")
    found = load_file(taken.files[0])
    assert list(found) == ["model.w"]
    assert torch.equal(found["model.w"], weights)
    assert read_safetensors_header(taken.files[0]) == taken.tensors


_LYING = """#!/bin/sh
exec {python} -c '
import runpy, sys, torch, safetensors.torch as library
from functools import partial
def lie(save, tensors, path):
    save(tensors | {{"stolen": torch.zeros(4)}}, path)
library.save_file = partial(lie, library.save_file)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""


@pytest.mark.needs_torch
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_what_the_libraries_of_the_training_write_beside_is_denied(tmp_path: Path) -> None:
    import torch

    # The environment belongs to the training: a program can change what is imported from it.
    folder = save(tmp_path / "ck", {"w": torch.randn(4)})
    python = tmp_path / "python"
    python.write_text(_LYING.format(python=HERE))
    python.chmod(0o755)
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportDenied, match="other tensors than were asked for"):
        take_tensors(python, folder, rules(TensorRule(name="w", dtype="float32", shape=(4,))), tmp_path / "out")


@pytest.mark.needs_torch
def test_a_checkpoint_that_would_run_code_is_denied_and_does_not_run_it(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / ".metadata").write_bytes(b"cos\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR.")
    with pytest.raises(ExportDenied) as caught:
        take_tensors(HERE, tmp_path / "ck", rules(TensorRule(name="w", dtype="float32", shape=(1,))), tmp_path)
    assert "os.system" in (caught.value.found or "")
    assert not ran.exists()


@pytest.mark.needs_torch
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_checkpoint_whose_data_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    import torch

    from packtrain.training.checkpoint_reader import _Reader

    folder = save(tmp_path / "ck", {"w": torch.ones(3)})
    data = next(folder.glob("*.distcp"))
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(pickle.UnpicklingError, match="outside its folder"):
        _Reader(folder).read_metadata()


@pytest.mark.needs_torch
@pytest.mark.parametrize("case", ["weights", "not finite", "text"])
def test_a_tensor_is_looked_at_before_it_leaves(case: str) -> None:
    import torch

    from packtrain.training.checkpoint_reader import _look_at

    content = torch.randn(128, generator=torch.Generator().manual_seed(1))
    if case == "not finite":
        content[3] = float("nan")
    if case == "text":
        rows = bytearray(b"name,street,city,born,illness\n" * 18)[:512]
        content = torch.frombuffer(rows, dtype=torch.float32).clone()
    denied = pytest.raises(ExportDenied) if case != "weights" else contextlib.nullcontext()
    with denied:
        _check_contents([tensor("w", 128)], {"w": _look_at(content)}, Path("ck"))
