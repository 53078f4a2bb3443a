"""The model: a small transformer that predicts the next token, and the two ways to spread it over workers."""

from __future__ import annotations

from typing import Final, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as functional
from tokens import FIRST_MARK, KINDS, PADDING, SEQUENCE, VOCABULARY
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

Parallel = Literal["ddp", "fsdp"]
NUM_NEAR: Final = 3


class Block(nn.Module):
    """One layer: causal attention, then a two-layer network, each added to its input (pre-norm)."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(width)
        self.attention_in = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.norm_network = nn.LayerNorm(width)
        self.network_in = nn.Linear(width, 4 * width)
        self.network_out = nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return hidden states of the shape that came in: (batch, sequence, width)."""
        batch, length, width = hidden.shape
        query, key, value = (
            part.view(batch, length, self.num_heads, -1).transpose(1, 2)
            for part in self.attention_in(self.norm_attention(hidden)).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return hidden + self.network_out(functional.gelu(self.network_in(self.norm_network(hidden))))


class Transformer(nn.Module):
    """Next-token prediction over one vocabulary; no dropout, so that no generator's state matters."""

    def __init__(self, width: int = 64, num_layers: int = 2, num_heads: int = 4) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.place = nn.Embedding(len(KINDS) * SEQUENCE, width)  # the tenth token of an image is not that of a table
        self.near = nn.Linear(NUM_NEAR * width, width, bias=False)
        self.blocks = nn.ModuleList(Block(width, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY, bias=False)
        for weights, deviation in ((self.token.weight, 0.3), (self.place.weight, 0.3), (self.head.weight, 0.02)):
            nn.init.normal_(weights, std=deviation)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the loss of each row of tokens (batch, SEQUENCE + 1), in nats: the sum over what is no padding."""
        given, wanted = tokens[:, :-1], tokens[:, 1:]
        places = (given[:, :1] - FIRST_MARK) * SEQUENCE + torch.arange(SEQUENCE, device=tokens.device)
        hidden = self.token(given)
        # Each token sees the two before it at once; attention needs many steps to find them.
        near = [functional.pad(hidden, (0, 0, back, 0))[:, :SEQUENCE] for back in range(NUM_NEAR)]
        hidden = hidden + self.near(torch.cat(near, dim=-1)) + self.place(places)
        for block in self.blocks:
            hidden = block(hidden)
        logits = self.head(self.norm(hidden)).float()
        # bits: flat, as the loss of rows and columns has no deterministic form on accelerators.
        losses = functional.cross_entropy(
            logits.reshape(-1, VOCABULARY), wanted.reshape(-1), ignore_index=PADDING, reduction="none"
        )
        return losses.view(wanted.shape).sum(dim=1)


def shard(model: Transformer, device: torch.device) -> None:
    """Make every parameter one that is spread over all workers (FSDP2), in place; before the optimizer is made."""
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def replicate(model: Transformer, device: torch.device) -> nn.Module:
    """Return the model with gradients that are the mean over all workers (DDP); after a checkpoint was loaded."""
    # bits: DDP rearranges its buckets after its first step, and from three workers on gloo's sums depend on the
    # arrangement; a run that goes on would take that first step again. With find_unused_parameters it never rearranges.
    return DistributedDataParallel(
        model, device_ids=[device.index] if device.type == "cuda" else None, find_unused_parameters=True
    )
