"""The age files of `tests/vectors/cargo/age`: what may and may not stand in the place of a volume's encryption."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from cargo_vectors.cases import ROOT, Case, identity, signer, write_cases
from packtrain.crypto import age
from packtrain.crypto.age_header import VERSION_LINE, _mac, _stanza_text
from packtrain.crypto.age_recipients import Passphrase, Stanza, encode64, hkdf, wrap

SECTION = "4. Data volumes"
CHUNK = 65_536
_STANZA = "A file with any other stanza, beside it or in its place, MUST be refused"
_HEADER = "a header in another spelling or with a wrong MAC"
_CHUNKS = "a chunk that was altered, moved or left out"
_CUT = "a file that is cut (also at the edge of a chunk)"
_END = "an empty last chunk after others, bytes after the last chunk"


def plaintext(size: int) -> bytes:
    """Return the content of a file: SHAKE-128 of "cargo", as many bytes of it."""
    return hashlib.shake_128(b"cargo").digest(size)


class Maker:
    """Makes one age file from parts that need not fit each other; every file has a key of its own."""

    def __init__(self) -> None:
        self.key, self.nonce = os.urandom(16), os.urandom(16)
        self.recipient = age.recipient_of(identity())

    def stanza(self) -> bytes:
        return _stanza_text(wrap(self.recipient, self.key))

    def header(self, *stanzas: bytes, version: bytes = VERSION_LINE, mac: bytes | None = None) -> bytes:
        head = version + b"".join(stanzas or (self.stanza(),)) + b"---"
        return head + b" " + encode64(_mac(self.key, head) if mac is None else mac) + b"\n"

    def chunk(self, number: int, plain: bytes, *, is_last: bool) -> bytes:
        nonce = number.to_bytes(11, "big") + bytes((is_last,))
        return ChaCha20Poly1305(hkdf(self.key, self.nonce, b"payload")).encrypt(nonce, plain, None)

    def payload(self, plain: bytes) -> list[bytes]:
        """Return the chunks of a plaintext, all right."""
        pieces = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
        return [self.chunk(at, piece, is_last=at == len(pieces) - 1) for at, piece in enumerate(pieces)]

    def file(self, header: bytes, chunks: Sequence[bytes]) -> bytes:
        return header + self.nonce + b"".join(chunks)


def accepted() -> dict[str, tuple[str, str, int]]:
    """Return name -> what is unusual, what allows it, bytes of the plaintext."""
    size = "184 + P + 16 * max(1, ceil(P / 65536)) bytes"
    return {
        "empty": ("no byte: one empty chunk", size, 0),
        "short": ("one chunk that is not full", size, 700),
        "one-full-chunk": ("65536 bytes: one chunk, and no empty one behind it", size, CHUNK),
    }


def rejected() -> dict[str, tuple[str, str, str, bytes]]:
    """Return name -> what is wrong, the rule, the error, the file."""
    make = Maker()
    short = make.payload(plaintext(700))
    good, mine = make.header(), make.stanza()
    ssh = _stanza_text(wrap(signer("consignor").public_line, make.key))
    phrase = _stanza_text(wrap(Passphrase("cargo", work_factor=10), make.key))
    grease = _stanza_text(Stanza("a-grease", ("x",), b"nothing"))
    weak = _stanza_text(Stanza("X25519", (encode64(bytes(32)).decode(),), os.urandom(32)))
    short_body = _stanza_text(Stanza("X25519", (encode64(os.urandom(32)).decode(),), os.urandom(31)))
    stranger = _stanza_text(wrap(age.recipient_of(age.generate_identity()), make.key))
    two = [make.chunk(0, plaintext(CHUNK), is_last=False), make.chunk(1, b"the rest", is_last=True)]
    malformed, wrong_key = "AgeFormatError", "WrongKey"

    def of_header(header: bytes) -> bytes:
        return make.file(header, short)

    return {
        "stanzas-two-to-the-recipient": (
            "two X25519 stanzas",
            _STANZA,
            malformed,
            of_header(make.header(mine, make.stanza())),
        ),
        "stanza-of-another-kind-beside-it": (
            "one that every age program skips",
            _STANZA,
            malformed,
            of_header(make.header(mine, grease)),
        ),
        "stanza-unknown": ("that kind alone", _STANZA, malformed, of_header(make.header(grease))),
        "stanza-scrypt": ("sealed with a passphrase, `cargo`", _STANZA, malformed, of_header(make.header(phrase))),
        "stanza-ssh-ed25519": (
            "sealed to an SSH key, the consignor's",
            _STANZA,
            malformed,
            of_header(make.header(ssh)),
        ),
        "stanza-ssh-ed25519-beside-it": (
            "an SSH key opens it too",
            _STANZA,
            malformed,
            of_header(make.header(mine, ssh)),
        ),
        "stanza-to-another-recipient": (
            "sealed to a key that nobody has",
            "to the recipient in `plan.json`",
            wrong_key,
            of_header(make.header(stranger)),
        ),
        "stanza-share-weak": ("a point that gives no secret", _HEADER, malformed, of_header(make.header(weak))),
        "stanza-body-short": ("31 bytes", _HEADER, malformed, of_header(make.header(short_body))),
        "version-2": (
            "`age-encryption.org/v2`",
            "Version 1 (`age-encryption.org/v1`",
            malformed,
            of_header(make.header(version=b"age-encryption.org/v2\n")),
        ),
        "header-with-carriage-returns": (
            "lines end in CR LF",
            _HEADER,
            malformed,
            of_header(good.replace(b"\n", b"\r\n")),
        ),
        "header-with-padded-base64": (
            "the share ends in `=`",
            _HEADER,
            malformed,
            of_header(make.header(mine.replace(b"\n", b"=\n", 1))),
        ),
        "header-cut": ("it ends in the MAC", _HEADER, malformed, good[:-20]),
        "mac-wrong": ("another 32 bytes", _HEADER, malformed, of_header(make.header(mac=bytes(32)))),
        "mac-missing": ("the dashes alone", _HEADER, malformed, of_header(good[: good.rindex(b"---") + 3] + b"\n")),
        "payload-missing": ("the header alone", _CUT, malformed, good),
        "payload-nonce-alone": ("no chunk at all", _CUT, malformed, make.file(good, ())),
        "chunk-altered": (
            "one bit of a byte",
            _CHUNKS,
            malformed,
            make.file(good, [bytes((short[0][0] ^ 1,)) + short[0][1:]]),
        ),
        "chunk-missing-at-the-start": ("the last chunk alone", _CHUNKS, malformed, make.file(good, two[1:])),
        "chunk-cut": ("it lacks its last byte", _CUT, malformed, make.file(good, [short[0][:-1]])),
        "cut-at-the-edge-of-a-chunk": ("the first of two chunks alone", _CUT, malformed, make.file(good, two[:1])),
        "last-chunk-not-marked": (
            "one chunk, sealed as if another followed",
            _CUT,
            malformed,
            make.file(good, [make.chunk(0, b"data", is_last=False)]),
        ),
        "last-chunk-empty": (
            "a full chunk, then one of no byte",
            _END,
            malformed,
            make.file(good, [two[0], make.chunk(1, b"", is_last=True)]),
        ),
        "byte-after-the-end": ("a byte behind the last chunk", _END, malformed, make.file(good, [*short, b"x"])),
        "chunk-after-the-end": (
            "another last chunk behind the last",
            _END,
            malformed,
            make.file(good, [*short, make.chunk(1, b"more", is_last=True)]),
        ),
    }


def make() -> None:
    """Write all age files and their index."""
    cases: list[Case] = []
    for folder in ("accept", "reject"):
        (ROOT / "age" / folder).mkdir(parents=True, exist_ok=True)
        for old in (ROOT / "age" / folder).iterdir():
            old.unlink()
    for name, (about, rule, size) in accepted().items():
        maker = Maker()
        payload = maker.file(maker.header(), maker.payload(plaintext(size)))
        assert len(payload) == age.ciphertext_bytes(size)
        (ROOT / "age" / "accept" / f"{name}.age").write_bytes(payload)
        cases.append(Case(f"age/accept/{name}", f"{about} ({size} bytes)", "accept", SECTION, rule))
    for name, (about, rule, error, payload) in rejected().items():
        (ROOT / "age" / "reject" / f"{name}.age").write_bytes(payload)
        cases.append(Case(f"age/reject/{name}", about, "refuse", SECTION, rule, error))
    write_cases("age", cases)
