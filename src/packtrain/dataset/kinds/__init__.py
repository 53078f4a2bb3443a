"""What each kind of source becomes. A kind is one function: an open source in, pieces and setbacks out."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.dataset.kinds.piece import OpenSource, Piece, Setback, Tally
from packtrain.documents.dataset import Kind
from packtrain.documents.voyage_file import RecipeSection


def pieces(kind: Kind, source: OpenSource, recipe: RecipeSection) -> Iterator[Piece | Setback | Tally]:
    """Yield what a source of this kind becomes.

    Raises:
        Damaged: the source as a whole is of no use; what was yielded of it before is void.
    """
    # Imported here: a worker that reads tables loads no video library.
    if kind == "table":
        from packtrain.dataset.kinds.tables import pieces_of_table

        return pieces_of_table(source, recipe)
    if kind == "image":
        from packtrain.dataset.kinds.images import pieces_of_image

        return pieces_of_image(source, recipe)
    from packtrain.dataset.kinds.clips import pieces_of_clip

    return pieces_of_clip(source, recipe)
