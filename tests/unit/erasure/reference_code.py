"""The code again, slowly and from its definition alone: log tables, Cauchy rows, Gauss-Jordan; nothing of src."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import xor

POLYNOMIAL = 0x11D

_EXP = [1]
while len(_EXP) < 510:
    doubled = _EXP[-1] << 1
    _EXP.append(doubled ^ POLYNOMIAL if doubled > 255 else doubled)
_LOG = {value: power for power, value in enumerate(_EXP[:255])}


def multiply(a: int, b: int) -> int:
    """Return a * b in GF(2^8)."""
    return _EXP[_LOG[a] + _LOG[b]] if a and b else 0


def inverse(a: int) -> int:
    """Return 1 / a in GF(2^8)."""
    return _EXP[255 - _LOG[a]]


def generator_row(column: int, k: int) -> list[int]:
    """Return the k coefficients by which a column follows from the data columns."""
    if column < k:
        return [int(column == j) for j in range(k)]
    return [inverse(column ^ j) for j in range(k)]


def combine(row: Sequence[int], columns: Sequence[bytes]) -> bytes:
    """Return the sum of coefficient times column, byte by byte."""
    return bytes(
        reduce(xor, (multiply(factor, byte) for factor, byte in zip(row, at, strict=True)))
        for at in zip(*columns, strict=True)
    )


def encode(data: Sequence[bytes], m: int) -> list[bytes]:
    """Return the m parity columns."""
    k = len(data)
    return [combine(generator_row(k + i, k), data) for i in range(m)]


def reconstruct(present: Mapping[int, bytes], k: int, missing: Sequence[int]) -> list[bytes]:
    """Return the missing columns, from the last k present ones (the fast code takes the first)."""
    chosen = sorted(present)[-k:]
    rows = [[*generator_row(column, k), *(int(i == j) for j in range(k))] for i, column in enumerate(chosen)]
    for pivot in range(k):
        swap = next(r for r in range(pivot, k) if rows[r][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        scale = inverse(rows[pivot][pivot])
        rows[pivot] = [multiply(scale, value) for value in rows[pivot]]
        for r in range(k):
            if r != pivot and (factor := rows[r][pivot]):
                rows[r] = [a ^ multiply(factor, b) for a, b in zip(rows[r], rows[pivot], strict=True)]
    data = [combine(row[k:], [present[column] for column in chosen]) for row in rows]
    return [combine(generator_row(column, k), data) for column in missing]
