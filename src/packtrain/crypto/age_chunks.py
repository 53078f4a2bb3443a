"""The chunks of an age file by their number: what is left to read where a part of the file is lost.

Every chunk has its own tag, so one that opens is the one that was sealed; only that the file is whole cannot be known.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from packtrain.crypto.age import CHUNK_BYTES
from packtrain.crypto.age_header import open_header, parse_header
from packtrain.crypto.age_recipients import Identity, hkdf
from packtrain.errors import AgeFormatError

_TAG_BYTES: Final = 16
SEALED_BYTES: Final = CHUNK_BYTES + _TAG_BYTES
"""Length of every chunk but the last."""
_NONCE_BYTES: Final = 16


class ChunkOpener:
    """Opens single chunks of one age file.

    Args:
        head: the first bytes of the file, the whole header and the payload's nonce among them.
        total_bytes: length of the whole file.
        identities: as of `age.DecryptReader`; exactly one X25519 stanza is accepted.

    Attributes:
        payload_offset: where the first chunk begins.
        num_chunks: of the whole file.
        plain_bytes: length of the whole plaintext.

    Raises:
        AgeFormatError: the header is malformed or cut.
        WrongKey: no identity fits.
    """

    def __init__(self, head: bytes, total_bytes: int, identities: Sequence[Identity]) -> None:
        stream = io.BytesIO(head)
        header = parse_header(stream.readline)
        file_key = open_header(header, identities, strict_single_x25519=True)
        nonce = stream.read(_NONCE_BYTES)
        if len(nonce) != _NONCE_BYTES:
            raise AgeFormatError("the file ends before its payload")
        self._cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
        self.payload_offset = stream.tell()
        self._payload_bytes = total_bytes - self.payload_offset
        self.num_chunks = -(-self._payload_bytes // SEALED_BYTES)
        self.plain_bytes = self._payload_bytes - self.num_chunks * _TAG_BYTES

    def sealed_bytes(self, number: int) -> int:
        """Return the length of a sealed chunk."""
        return min(SEALED_BYTES, self._payload_bytes - number * SEALED_BYTES)

    def open(self, number: int, sealed: bytes | memoryview) -> bytes | None:
        """Return the plaintext of a chunk, None if it is not the one that was sealed."""
        try:
            return self._cipher.decrypt(self._nonce(number), bytes(sealed), None)
        except InvalidTag:
            return None

    def open_into(self, number: int, sealed: memoryview, plain: memoryview) -> bool:
        """Put the plaintext of a chunk into `plain`, as long as it is; return False if it is not the one sealed.

        After False what is in `plain` is not to be used.
        """
        try:
            self._cipher.decrypt_into(self._nonce(number), sealed, None, plain)
        except InvalidTag:
            return False
        return True

    def _nonce(self, number: int) -> bytes:
        is_last = number == self.num_chunks - 1
        return number.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")
