"""Our parity against that of pyeclib's own encoder, which puts a header of 80 bytes before each fragment."""

import hashlib

import pytest
from pyeclib.ec_iface import ECDriver

from packtrain.erasure.code import Code

FRAGMENT_HEADER_BYTES = 80
COLUMN_BYTES = 4096


@pytest.mark.parametrize(("k", "m"), [(4, 1), (5, 3), (6, 2), (12, 4), (45, 15)])
def test_parity_equals_that_of_pyeclib(k: int, m: int) -> None:
    whole = hashlib.shake_256(b"pyeclib").digest(k * COLUMN_BYTES)
    fragments = ECDriver(k=k, m=m, ec_type="isa_l_rs_cauchy").encode(whole)
    columns = [fragment[FRAGMENT_HEADER_BYTES:] for fragment in fragments]
    assert b"".join(columns[:k]) == whole, "the fragments are no longer a header and a column"
    parity = [bytearray(COLUMN_BYTES) for _ in range(m)]
    Code(k, m).encode(columns[:k], parity)
    assert [bytes(column) for column in parity] == columns[k:]
