"""Weights of every usual kind are let through; bytes that were written as numbers are not."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from packtrain.training.number_shapes import BLOCK_NUMBERS, Judge, Values

pytestmark = pytest.mark.needs_torch


def judge(tensor: Any, values: Values = "weights") -> tuple[list[str], Judge]:
    import torch

    content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    found = Judge(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), values)
    size = BLOCK_NUMBERS * tensor.element_size()
    return [what for at in range(0, len(content), size) if (what := found.look(content[at : at + size]))], found


def modules() -> list[Any]:
    from torch import nn

    tied = nn.Linear(64, 3000, bias=False)
    embedding = nn.Embedding(3000, 64, padding_idx=0)
    tied.weight = embedding.weight
    return [
        nn.Linear(64, 1024),
        nn.Linear(16, 4096),
        nn.LayerNorm(8192),
        embedding,
        tied,
        nn.BatchNorm2d(4096),
        nn.Conv2d(16, 64, 3),
        nn.ConvTranspose2d(64, 64, 4),
        nn.LSTM(64, 128),
        nn.GRU(64, 128),
        nn.TransformerEncoderLayer(128, 4, 512),
        nn.Bilinear(32, 32, 32),
    ]


def test_fresh_modules_of_every_kind_and_width_of_numbers_are_let_through() -> None:
    import torch

    torch.manual_seed(6)
    num_tensors = 0
    for module in modules():
        for name, tensor in module.state_dict().items():
            forms: list[Any] = [tensor]
            if tensor.is_floating_point():
                forms += [tensor.to(dtype) for dtype in (torch.bfloat16, torch.float16, torch.float64)]
                forms += [tensor.bfloat16().float(), tensor.half().float()]  # trained narrow, kept wide
            for form in forms:
                num_tensors += 1
                assert judge(form)[0] == [], (module, name, form.dtype)
    assert num_tensors > 100


INITS = ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "eye_")


@pytest.mark.parametrize("init", [*INITS, "trunc_normal_", "zeros_", "ones_", "uniform_", "normal_"])
def test_fresh_weights_of_every_initialisation_are_let_through(init: str) -> None:
    import torch

    torch.manual_seed(7)
    for shape in ((256, 256), (64, 64), (1024, 32)):
        tensor = torch.empty(shape)
        getattr(torch.nn.init, init)(tensor)
        for form in (tensor, tensor.bfloat16(), tensor.half()):
            assert judge(form)[0] == []


def test_weights_of_evenly_drawn_intervals_are_let_through() -> None:
    # Their lowest bits are far from even where the width is three times a power of two, or so.
    import torch

    draw = torch.Generator().manual_seed(8)
    for fan in range(1, 200):
        assert judge(torch.empty(64, 64).uniform_(-(fan**-0.5), fan**-0.5, generator=draw))[0] == []


UNUSUAL: dict[str, Callable[[Any], Any]] = {
    "pruned": lambda w: w * (w.abs() > 0.03),
    "pruned, narrow": lambda w: (w * (w.abs() > 0.03)).bfloat16(),
    "two of four": lambda w: w * (w.reshape(-1, 4).argsort(1) < 2).reshape(w.shape),
    "second moments": lambda w: w**2,
    "norms in 16 bits": lambda w: (w.reshape(-1)[:8192].abs() + 0.7).bfloat16(),
    "rows of many widths": lambda w: w * 10.0 ** -(__import__("torch").arange(len(w))[:, None] % 7),
    "decayed to nothing": lambda w: w * 1e-38,
    "no rows trained": lambda w: __import__("torch").cat([w, w[:1].expand(600, -1)]),
    "positions": lambda w: (
        __import__("torch").arange(600.0)[:, None] * (-0.01 * __import__("torch").arange(512)).exp()
    ).sin(),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_weights_are_let_through(kind: str) -> None:
    import torch

    weights = torch.randn(600, 512, generator=torch.Generator().manual_seed(3)) * 0.02
    assert judge(UNUSUAL[kind](weights))[0] == []


def test_a_trained_model_is_let_through() -> None:
    import torch
    from torch import nn

    torch.manual_seed(9)
    model = nn.Sequential(
        nn.Embedding(97, 64), nn.Flatten(), nn.Linear(256, 128), nn.LayerNorm(128), nn.Linear(128, 97)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        rows = torch.randint(97, (32, 5))
        loss = nn.functional.cross_entropy(model(rows[:, :4]), rows[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(97) * 0.75  # pyright: ignore[reportPossiblyUnboundVariable]
    judged = [judge(tensor) for tensor in model.state_dict().values()]
    assert [found for found, _ in judged] == [[]] * len(judged)
    assert sum(each.num_judged for _, each in judged) > 40_000


# --- bytes -----------------------------------------------------------------------------------------------------------


def random_bytes(count: int) -> Any:
    import torch

    return torch.frombuffer(bytearray(random.Random(5).randbytes(count)), dtype=torch.uint8)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("way", ["as it counts", "from 0 to 1", "around 0", "called floats"])
@pytest.mark.parametrize("shape", ["matrix", "vector", "part of a matrix"])
def test_random_bytes_are_seen(way: str, dtype: str, shape: str) -> None:
    import torch

    kind = getattr(torch, dtype)
    raw = random_bytes(8 << 13)
    number = {
        "as it counts": lambda: raw.to(kind)[:8192],
        "from 0 to 1": lambda: (raw.float() / 255).to(kind)[:8192],
        "around 0": lambda: ((raw.float() - 128) / 128).to(kind)[:8192],
        "called floats": lambda: raw.view(kind).nan_to_num()[:8192],
    }[way]()
    if shape == "matrix":
        number = number.reshape(64, 128)
    if shape == "part of a matrix":
        # A block is judged by itself: what lies in another hides nothing, and nothing in it.
        weights = torch.randn(1024, 128, generator=torch.Generator().manual_seed(2)).to(kind)
        number = torch.cat([weights, number.repeat(8).reshape(512, 128)])
    found, _ = judge(number)
    assert found


def test_a_row_that_repeats_itself_excuses_no_bytes_behind_it() -> None:
    import torch

    row = torch.randn(1, 64, generator=torch.Generator().manual_seed(1)).expand(512, -1)
    assert not judge(row)[0]
    assert judge(torch.cat([row, (random_bytes(1 << 15).float() / 255).reshape(512, 64)]))[0]


def test_bytes_between_other_numbers_are_seen_from_a_third_of_them_on() -> None:
    import torch

    weights = torch.randn(256, 256, generator=torch.Generator().manual_seed(1))
    as_numbers = (random_bytes(1 << 16).float() / 255).reshape(256, 256)
    third = torch.arange(256)[:, None].add(torch.arange(256)) % 3 == 0
    assert judge(torch.where(third, as_numbers, weights))[0]
    grouped = weights[:64].repeat(4, 1)
    assert not judge(grouped)[0], "rows that come again are weights, as heads that begin alike"


def test_few_values_leave_where_that_is_declared() -> None:
    import torch

    quantised = (torch.randn(128, 128).clamp(-1, 1) * 7).round() / 7
    assert judge(quantised)[0]
    assert not judge(quantised, "few")[0]
    assert judge(torch.arange(4096), "weights")[0] and judge(torch.zeros(2000, dtype=torch.bool), "few")[0]
    assert not judge(torch.arange(4096), "any")[0]
    assert not judge(torch.tensor(7))[0], "a counter of steps"


def test_declared_few_values_do_not_excuse_bytes_that_are_called_floats() -> None:
    import torch

    assert judge(random_bytes(1 << 16).view(torch.float32).nan_to_num(), "few")[0]


def test_what_is_not_judged_is_counted() -> None:
    import torch

    _, small = judge(torch.randn(1000))
    assert (small.num_judged, small.num_not_judged) == (0, 1000)
    _, large = judge(torch.randn(100_000))
    assert (large.num_judged, large.num_not_judged) == (100_000, 0)
    _, declared = judge(random_bytes(4096).float(), "any")
    assert (declared.num_judged, declared.num_not_judged) == (0, 4096)
