"""What each kind of source becomes. A kind is one function: an open source in, pieces and setbacks out."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from packtrain.dataset.kinds.piece import OpenSource, Piece, Setback, Tally
from packtrain.dataset.kinds.registry import KINDS
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection


def pieces(kind: Kind, source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield what a source of this kind becomes.

    Raises:
        Damaged: the source as a whole is of no use; what was yielded of it before is void.
    """
    # Imported here: a worker that reads tables loads no video library.
    module, _, function = KINDS[kind].reader.partition(":")
    return getattr(importlib.import_module(module), function)(source, recipe)
