"""The recipe's identity: of all of it, and of the part that touches one kind."""

from __future__ import annotations

from typing import Final

import msgspec
import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Kind
from packtrain.documents.voyage_file import RecipeSection

RECIPE_VERSION: Final = 1
"""Counted up when the same recipe would give other samples: every unit is then read again."""

_FIELDS_OF_KIND: Final[dict[Kind, tuple[str, ...]]] = {
    "table": ("table_block_rows",),
    "image": ("image_crop_pixels",),
    "clip": ("clip_frames", "clip_size_pixels"),
}
_WHERE: Final = ("engine", "ray_address", "slurm_arguments")
"""Where units of work are run: no byte of the data set depends on it, so nothing runs again for it."""
_NOT_OF_SAMPLES: Final = ("scan_also_with", *_WHERE)


def recipe_digest(recipe: RecipeSection) -> str:
    """Return the SHA-256 of the recipe: of all that decides what the samples are, so not of who scans them."""
    fields = {name: value for name, value in msgspec.to_builtins(recipe).items() if name not in _NOT_OF_SAMPLES}
    return _digest({"recipe_version": RECIPE_VERSION, "recipe": fields})


def told_on_the_card(recipe: RecipeSection) -> dict[str, object]:
    """Return the fields of the recipe that the card shows: all but where it was run."""
    return {name: value for name, value in msgspec.to_builtins(recipe).items() if name not in _WHERE}


def recipe_digest_of_kind(recipe: RecipeSection, kind: Kind) -> str:
    """Return the SHA-256 of what touches one kind: another crop size leaves the units of tables as they are."""
    fields = {name: getattr(recipe, name) for name in _FIELDS_OF_KIND[kind]}
    return _digest({"recipe_version": RECIPE_VERSION, "kind": kind, "recipe": fields})


def _digest(value: dict[str, object]) -> str:
    return sha256_bytes(rfc8785.dumps(value))  # pyright: ignore[reportArgumentType]
