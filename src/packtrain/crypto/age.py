"""age v1 files: what a volume, a catalog and an envelope are encrypted as, and what stock `age` reads.

The payload is a chain of 64 KiB chunks, each with its own tag; the last is marked, so a cut file is found out.

Source: c2sp.org/age, "Payload".
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from packtrain.crypto.age_header import (
    MAC_LINE_BYTES,
    MAX_STANZAS,
    VERSION_LINE,
    X25519_STANZA_BYTES,
    fresh_file_key,
    open_header,
    parse_header,
    seal_header,
)
from packtrain.crypto.age_recipients import (
    MAX_WORK_FACTOR,
    WORK_FACTOR,
    Identity,
    Passphrase,
    Recipient,
    check_recipient,
    generate_identity,
    hkdf,
    is_ssh_identity,
    recipient_of,
)
from packtrain.errors import AgeFormatError, PacktrainError
from packtrain.units import MIB

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    class SupportsReadInto(Protocol):
        """A binary stream that reads into memory of its caller."""

        def readinto(self, buffer: memoryview, /) -> int: ...


__all__ = [
    "CHUNK_BYTES",
    "MAX_WORK_FACTOR",
    "WORK_FACTOR",
    "DecryptReader",
    "EncryptWriter",
    "Identity",
    "Passphrase",
    "Recipient",
    "check_recipient",
    "ciphertext_bytes",
    "decrypt_bytes",
    "encrypt_bytes",
    "encrypt_file",
    "generate_identity",
    "is_passphrase_file",
    "is_ssh_identity",
    "recipient_of",
]

CHUNK_BYTES: Final = 64 * 1024
MAX_ENVELOPE_BYTES: Final = 64 * MIB

_TAG_BYTES: Final = 16
_SEALED_BYTES: Final = CHUNK_BYTES + _TAG_BYTES
_NONCE_BYTES: Final = 16
# 16 chunks a call of the sink: 1 MiB keeps the cost of the call below 0.1 % and the buffer in the cache.
_CHUNKS_PER_PIECE: Final = 16
# Less a call of the source: what was read is still in the second-level cache when it is hashed and decrypted.
_CHUNKS_READ_AT_ONCE: Final = 4


def ciphertext_bytes(plaintext_bytes: int) -> int:
    """Return the exact size of the age file of `plaintext_bytes` bytes with one X25519 stanza."""
    num_chunks = max(1, -(-plaintext_bytes // CHUNK_BYTES))
    header_bytes = len(VERSION_LINE) + X25519_STANZA_BYTES + MAC_LINE_BYTES
    return header_bytes + _NONCE_BYTES + plaintext_bytes + num_chunks * _TAG_BYTES


class EncryptWriter:
    """Writes one age file, with a fresh file key, to a sink.

    `close` writes the last chunk; a file without it is refused by every reader, so after a failure call `discard`
    (leaving the `with` block by an exception does) and never `close`.

    Args:
        sink: takes each piece of ciphertext whole, up to 1 MiB; the memory is used again after the call, so a sink
            that keeps a piece must copy it. A count that it returns must be the piece's length.
        recipient: "age1..." for a volume; several, "ssh-ed25519 AAAA..." or one `Passphrase` for an envelope.

    Raises:
        KeyMalformed: a recipient is not well formed.
    """

    def __init__(
        self, sink: Callable[[memoryview | bytes], object], recipient: Recipient | Sequence[Recipient]
    ) -> None:
        recipients = [recipient] if isinstance(recipient, str | Passphrase) else list(recipient)
        file_key, nonce = fresh_file_key(), os.urandom(_NONCE_BYTES)
        header = seal_header(recipients, file_key)
        self._cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
        self._sink = sink
        self._counter = 0
        # The chunk that may turn out to be the last: it is sealed when a byte follows it, or by `close`.
        self._held = memoryview(bytearray(CHUNK_BYTES))
        self._held_bytes = 0
        self._piece = memoryview(bytearray(_CHUNKS_PER_PIECE * _SEALED_BYTES))
        self._piece_bytes = 0
        self.closed = False
        self.plaintext_bytes = 0
        self.ciphertext_bytes = 0
        self._put(header + nonce)

    def write(self, data: ReadableBuffer, /) -> int:
        """Take all of `data` and return its length in bytes."""
        if self.closed:
            raise ValueError("write to a closed age file")
        view = memoryview(data)
        if view.ndim != 1 or view.itemsize != 1:
            view = view.cast("B")
        total = len(view)
        self.plaintext_bytes += total
        room = CHUNK_BYTES - self._held_bytes
        if total <= room:
            self._hold(view)
            return total
        at = 0
        if self._held_bytes:
            self._hold(view[:room])
            self._seal(self._held, is_last=False)
            at = room
        # Whole chunks are sealed from the caller's memory, but never the last bytes: more may not follow.
        while total - at > CHUNK_BYTES:
            self._seal(view[at : at + CHUNK_BYTES], is_last=False)
            at += CHUNK_BYTES
        self._held_bytes = 0
        self._hold(view[at:])
        return total

    def close(self) -> None:
        """Write the last chunk. The sink stays open; a second call does nothing."""
        if self.closed:
            return
        self._seal(self._held[: self._held_bytes], is_last=True)
        self._flush()
        self.discard()

    def discard(self) -> None:
        """End without the last chunk: what was written so far can never pass for a whole file."""
        self.closed = True
        self._held_bytes = self._piece_bytes = 0

    def writable(self) -> bool:
        """Return True until the file is closed."""
        return not self.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _hold(self, view: memoryview) -> None:
        self._held[self._held_bytes : self._held_bytes + len(view)] = view
        self._held_bytes += len(view)

    def _seal(self, chunk: memoryview, *, is_last: bool) -> None:
        sealed_bytes = len(chunk) + _TAG_BYTES
        if self._piece_bytes + sealed_bytes > len(self._piece):
            self._flush()
        target = self._piece[self._piece_bytes : self._piece_bytes + sealed_bytes]
        self._cipher.encrypt_into(_chunk_nonce(self._counter, is_last=is_last), chunk, None, target)
        self._piece_bytes += sealed_bytes
        self._counter += 1

    def _flush(self) -> None:
        if self._piece_bytes:
            self._put(self._piece[: self._piece_bytes])
            self._piece_bytes = 0

    def _put(self, piece: memoryview | bytes) -> None:
        taken = self._sink(piece)
        if isinstance(taken, int) and taken != len(piece):
            raise OSError(f"the sink took {taken} of {len(piece)} bytes")
        self.ciphertext_bytes += len(piece)


class DecryptReader(io.RawIOBase):
    """Reads the plaintext of one age file; every byte it hands out was authenticated.

    That the file is whole is known only at its end: act on what was read after `read` returned b"".

    Args:
        source: a binary stream, or a function that fills a buffer and returns the count of bytes, 0 at the end.
        identities: "AGE-SECRET-KEY-1..." lines, texts of OpenSSH private keys or passphrases; the first that fits is
            used.
        strict_single_x25519: refuse anything but one X25519 stanza, as cargo format 1 asks of volumes.
        where: what errors name as the place of the fault.

    Raises:
        AgeFormatError: the file is malformed, was altered or cut, or has bytes after its end (also from reading).
        WrongKey: no identity fits.
        KeyMalformed: an identity is malformed.
    """

    def __init__(
        self,
        source: Callable[[memoryview], int] | SupportsReadInto,
        identities: Sequence[Identity],
        *,
        strict_single_x25519: bool = False,
        where: str | None = None,
    ) -> None:
        super().__init__()
        self._read_source = source if callable(source) else source.readinto
        self._where = where
        # One chunk more than is read at once: a chunk is known to be the last only when nothing follows it.
        self._buffer = memoryview(bytearray((_CHUNKS_READ_AT_ONCE + 1) * _SEALED_BYTES))
        self._start = self._end = 0
        self._source_ended = False
        self._counter = 0
        self._last_seen = False
        self._fault: AgeFormatError | None = None
        # A chunk that is larger than what the caller asked for waits here.
        self._scratch = memoryview(bytearray(CHUNK_BYTES))
        self._rest = self._scratch[:0]
        try:
            header = parse_header(self._take_line)
            file_key = open_header(header, identities, strict_single_x25519=strict_single_x25519)
            nonce = self._take(_NONCE_BYTES)
            if len(nonce) != _NONCE_BYTES:
                raise AgeFormatError("the file ends before its payload")
        except PacktrainError as error:
            raise self._placed(error) from error.__cause__
        self._cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` and return the count of bytes, fewer than its length only at the end of the file.

        After an error the content of `buffer` is not to be used.
        """
        target = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(target):
            if self._rest:
                count = min(len(self._rest), len(target) - filled)
                target[filled : filled + count] = self._rest[:count]
                self._rest = self._rest[count:]
                filled += count
                continue
            if self._last_seen:
                break
            # A fault raises at once, though bytes before it were good: a short count would look like the file's end.
            filled += self._open_chunk(target[filled:])
        return filled

    def _open_chunk(self, target: memoryview) -> int:
        """Decrypt the next chunk into `target` if it has room, else into `_rest`; return the bytes put in `target`."""
        if self._fault is not None:
            raise self._fault
        self._fill(_SEALED_BYTES + 1)
        available = self._end - self._start
        is_last = available <= _SEALED_BYTES
        sealed = self._buffer[self._start : self._start + min(available, _SEALED_BYTES)]
        plain_bytes = len(sealed) - _TAG_BYTES
        if plain_bytes < 0 or (plain_bytes == 0 and self._counter > 0):
            raise self._failed("the file is cut, or ends with an empty chunk")
        fits = plain_bytes <= len(target)
        plain = (target if fits else self._scratch)[:plain_bytes]
        try:
            self._cipher.decrypt_into(_chunk_nonce(self._counter, is_last=is_last), sealed, None, plain)
        except InvalidTag as error:
            what = f"chunk {self._counter} was altered, or the file is cut or has bytes after its end"
            raise self._failed(what) from error
        self._start += len(sealed)
        self._counter += 1
        self._last_seen = is_last
        if fits:
            return plain_bytes
        self._rest = plain
        return 0

    def _fill(self, needed: int) -> None:
        """Read until `needed` bytes are buffered or the source has ended."""
        if self._source_ended or self._end - self._start >= needed:
            return
        kept = self._end - self._start
        self._buffer[:kept] = bytes(self._buffer[self._start : self._end])
        self._start, self._end = 0, kept
        while self._end < needed:
            # Into the place it is decrypted from: copying it would keep every other thread from the interpreter.
            count = self._read_source(self._buffer[self._end :])
            if not count:
                self._source_ended = True
                return
            self._end += count

    def _take(self, count: int) -> bytes:
        self._fill(count)
        stop = min(self._start + count, self._end)
        taken = bytes(self._buffer[self._start : stop])
        self._start = stop
        return taken

    def _take_line(self, limit: int) -> bytes:
        line = bytearray()
        while len(line) < limit and not line.endswith(b"\n"):
            self._fill(1)
            seen = bytes(self._buffer[self._start : min(self._end, self._start + limit - len(line))])
            if not seen:
                break
            line += self._take(seen.find(b"\n") + 1 or len(seen))
        return bytes(line)

    def _failed(self, what: str) -> AgeFormatError:
        self._fault = AgeFormatError(what, where=self._where, hint="read it from another drive, or repair the volume")
        return self._fault

    def _placed(self, error: PacktrainError) -> PacktrainError:
        return type(error)(error.what, where=self._where, expected=error.expected, found=error.found, hint=error.hint)


def encrypt_bytes(payload: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Return an age file of `payload` that any one of `recipients` opens (1 to 32 of them).

    Raises:
        KeyMalformed: a recipient is not well formed.
    """
    assert 1 <= len(recipients) <= MAX_STANZAS, len(recipients)
    sealed = io.BytesIO()
    with EncryptWriter(sealed.write, recipients) as writer:
        writer.write(payload)
    return sealed.getvalue()


def decrypt_bytes(blob: bytes, identities: Sequence[Identity], max_bytes: int = MAX_ENVELOPE_BYTES) -> bytes:
    """Return the plaintext of an age file held in memory.

    Raises:
        AgeFormatError: it is malformed, altered or cut, or its plaintext is longer than `max_bytes`.
        WrongKey: no identity fits.
        KeyMalformed: an identity is malformed.
    """
    reader = DecryptReader(io.BytesIO(blob), identities)
    # The blob is in memory, so its length bounds the plaintext: nothing larger than the caller holds is allocated.
    plain = reader.read(min(max_bytes, len(blob)) + 1)
    if len(plain) > max_bytes:
        raise AgeFormatError("the content is longer than allowed", expected=f"at most {max_bytes} bytes")
    return plain


def is_passphrase_file(blob: bytes) -> bool:
    """Return whether an age file in memory is sealed with a passphrase; nothing is stretched to find out.

    Raises:
        AgeFormatError: its header is malformed.
    """
    return parse_header(io.BytesIO(blob).readline).has_passphrase


def encrypt_file(source: Path, target: BinaryIO, recipient: Recipient) -> int:
    """Encrypt a file to an open stream and return the bytes written.

    Raises:
        KeyMalformed: the recipient is not well formed.
        OSError: reading or writing failed; what was written is then no valid age file.
    """
    with source.open("rb", buffering=0) as stream, EncryptWriter(target.write, recipient) as writer:
        while piece := stream.read(MIB):
            writer.write(piece)
    return writer.ciphertext_bytes


def _chunk_nonce(counter: int, *, is_last: bool) -> bytes:
    return counter.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")
