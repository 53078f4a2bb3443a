"""Hypothesis strategies made from the annotations of documents, so that a new field is drawn without being told."""

from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

_LARGEST = 2**53 - 1
# Control characters, quotes, letters outside ASCII and outside the first plane; no lone surrogates: JSON has none.
_CHARACTERS = st.characters(exclude_categories=("Cs",))


# Once for each type and pattern: Hypothesis looks a strategy over when it first draws from it, which takes longer than
# to draw, and tests ask for these anew at every example.
@cache
def documents(document_type: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return a strategy of valid instances of a document type."""
    return _of(inspect.type_info(document_type))


def _of(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StructType():
            fields = {field.name: _of(field.type) for field in info.fields}
            return st.builds(info.cls, **fields)
        case inspect.StrType(pattern=r"\A[0-9a-f]{64}\Z"):
            return st.binary(min_size=32, max_size=32).map(bytes.hex)  # from_regex is slow, and this one is everywhere
        case inspect.StrType(pattern=str() as pattern):
            return _matching(pattern, info.max_length or 10**9)
        case inspect.StrType():
            return st.text(_CHARACTERS, min_size=info.min_length or 0, max_size=min(info.max_length or 20, 20))
        case inspect.IntType():
            return st.integers(
                info.ge if info.ge is not None else -_LARGEST, info.le if info.le is not None else _LARGEST
            )
        case inspect.FloatType():
            least = info.ge if info.gt is None else info.gt
            is_open = info.gt is not None
            return st.floats(least, info.le, exclude_min=is_open, allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.UnionType():
            return st.one_of([_of(member) for member in info.types])
        case inspect.VarTupleType():
            return st.lists(_of(info.item_type), min_size=info.min_length or 0, max_size=3).map(tuple)
        case inspect.DictType():
            return st.dictionaries(_of(info.key_type), _of(info.value_type), max_size=3)
        case _:
            raise NotImplementedError(info)


@cache
def _matching(pattern: str, max_length: int) -> st.SearchStrategy[str]:
    return st.from_regex(pattern).filter(lambda text: len(text) <= max_length)
