"""The index of the data set that `load` saw, told to the workers that read it from object storage.

Whoever owns a bucket can put other samples there, and an index that fits them, after the load.
"""

from __future__ import annotations

import os
from typing import Final

from packtrain.errors import IntegrityError

INDEX_FACT: Final = "index.parquet"
"""Under this name the receipt of `load` has the index's SHA-256."""
LOADED_INDEX: Final = "PACKTRAIN_LOADED_INDEX"
"""The variable that tells it: SHA-256, a space, and the place of the data set."""
LOAD_AGAIN: Final = 'see who writes below the prefix of the store, then run "packtrain load" again'


def told_to_workers(sha256: str, place: str) -> dict[str, str]:
    """Return the variable that has workers hold the index of the data set at `place` against its SHA-256."""
    return {LOADED_INDEX: f"{sha256} {place}"}


def require_loaded(sha256: str, place: str) -> None:
    """Refuse another index of the data set at `place` than the one that this process was told of, if it was.

    Raises:
        IntegrityError: so it is.
    """
    expected, _, told_of = os.environ.get(LOADED_INDEX, "").partition(" ")
    # A program may read other data sets too.
    if told_of == place and sha256 != expected:
        raise IntegrityError(
            "index is not the one that was loaded",
            where=place,
            expected=f"SHA-256 {expected[:12]}",
            found=sha256[:12],
            hint=LOAD_AGAIN,
        )
