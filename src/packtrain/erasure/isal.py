"""ISA-L through ctypes: where the library is found, and its functions with types.

The `pyeclib` wheel carries a current ISA-L (with the GFNI kernels that distributions often lack); calling it directly
saves the copies and the fragment headers of pyeclib's own interface. ctypes drops the interpreter lock for each call.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.metadata
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain.errors import MissingDependency

_log = logging.getLogger(__name__)

_WHEEL: Final = "pyeclib"
_FIELD_CHECK: Final = (2, 0x8E)  # the inverse of 2 under polynomial 0x11d; under 0x11b it would be 0x8d


@dataclass(frozen=True, slots=True)
class Isal:
    """The functions of ISA-L that the code needs; all pointers are addresses, see ISA-L's erasure_code.h."""

    init_tables: Callable[[int, int, Any, Any], None]
    encode_data: Callable[[int, int, int, Any, Any, Any], None]
    encode_data_update: Callable[[int, int, int, int, Any, Any, Any], None]
    gen_cauchy1_matrix: Callable[[Any, int, int], None]
    invert_matrix: Callable[[Any, Any, int], int]
    path: str


@functools.cache
def load_isal() -> Isal:
    """Return ISA-L, from the pyeclib wheel or else from the system.

    Raises:
        MissingDependency: no usable library was found.
    """
    tried: list[str] = []
    for path in _candidates():
        try:
            library = _bind(ctypes.CDLL(path), path)
        except (OSError, AttributeError) as error:
            tried.append(f"{path}: {error}")
            continue
        if _inverse_of(library, _FIELD_CHECK[0]) == _FIELD_CHECK[1]:
            _log.debug("ISA-L is %s", path)
            return library
        tried.append(f"{path}: computes in another field than 0x11d")
    raise MissingDependency(
        "ISA-L, the erasure code library, is missing",
        expected="libisal of the pyeclib wheel, or libisal.so.2",
        found="; ".join(tried) or "no such library",
        hint="install the pyeclib wheel for this platform, or the system package libisal2",
    )


def _candidates() -> Iterator[str]:
    try:
        distribution = importlib.metadata.distribution(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        listed = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
        # An installer may leave out the list of files; the folder beside the package has a fixed name.
        beside = Path(str(distribution.locate_file(f"{_WHEEL}.libs")))
        listed += sorted(beside.glob("libisal*")) if beside.is_dir() else []
        for path in listed:
            if path.name.startswith("libisal") and ".so" in path.name and path.is_file():
                yield str(path)
    yield ctypes.util.find_library("isal") or "libisal.so.2"


def _bind(library: ctypes.CDLL, path: str) -> Isal:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.ec_init_tables.argtypes = [number, number, pointer, pointer]
    library.ec_init_tables.restype = None
    library.ec_encode_data.argtypes = [number, number, number, pointer, pointer, pointer]
    library.ec_encode_data.restype = None
    library.ec_encode_data_update.argtypes = [number, number, number, number, pointer, pointer, pointer]
    library.ec_encode_data_update.restype = None
    library.gf_gen_cauchy1_matrix.argtypes = [pointer, number, number]
    library.gf_gen_cauchy1_matrix.restype = None
    library.gf_invert_matrix.argtypes = [pointer, pointer, number]
    library.gf_invert_matrix.restype = number
    return Isal(
        library.ec_init_tables,
        library.ec_encode_data,
        library.ec_encode_data_update,
        library.gf_gen_cauchy1_matrix,
        library.gf_invert_matrix,
        path,
    )


def _inverse_of(library: Isal, value: int) -> int:
    # Row 2 of the matrix for k = 1 is inv(2 XOR 0).
    matrix = (ctypes.c_ubyte * (value + 1))()
    library.gen_cauchy1_matrix(matrix, value + 1, 1)
    return matrix[value]
