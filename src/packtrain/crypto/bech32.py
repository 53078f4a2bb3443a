"""Bech32 (BIP 173) as age uses it: lower or upper case, no limit of 90 characters, 8-bit payloads."""

from __future__ import annotations

from typing import Final

_SYMBOLS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES: Final = {symbol: value for value, symbol in enumerate(_SYMBOLS)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_SYMBOLS: Final = 6
_MAX_TEXT: Final = 256


def encode(prefix: str, payload: bytes) -> str:
    """Return `payload` in Bech32 under `prefix`, lower case."""
    symbols = _regroup(payload, 8, 5, pad=True)
    check = _polymod([*_expand(prefix), *symbols, *[0] * _CHECKSUM_SYMBOLS]) ^ 1
    symbols += [check >> 5 * (_CHECKSUM_SYMBOLS - 1 - i) & 31 for i in range(_CHECKSUM_SYMBOLS)]
    return prefix + "1" + "".join(_SYMBOLS[symbol] for symbol in symbols)


def decode(text: str) -> tuple[str, bytes]:
    """Return prefix (lower case) and payload of a Bech32 string.

    Raises:
        ValueError: mixed case, a foreign character, a wrong checksum, or padding that is not zero.
    """
    if len(text) > _MAX_TEXT or not text.isascii():
        raise ValueError("too long, or not ASCII")
    if text.lower() != text and text.upper() != text:
        raise ValueError("upper and lower case are mixed")
    prefix, separator, body = text.lower().rpartition("1")
    if not separator or not prefix or len(body) < _CHECKSUM_SYMBOLS:
        raise ValueError("no separator, or too short")
    if any(not "!" <= character <= "~" for character in prefix):
        raise ValueError("the prefix holds a character that is not printable")
    try:
        symbols = [_VALUES[character] for character in body]
    except KeyError as error:
        raise ValueError("a character that is not of the Bech32 alphabet") from error
    if _polymod([*_expand(prefix), *symbols]) != 1:
        raise ValueError("the checksum does not fit: a character is wrong or missing")
    return prefix, bytes(_regroup(symbols[:-_CHECKSUM_SYMBOLS], 5, 8, pad=False))


def _polymod(symbols: list[int]) -> int:
    state = 1
    for symbol in symbols:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ symbol
        for bit, term in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= term
    return state


def _expand(prefix: str) -> list[int]:
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def _regroup(groups: bytes | list[int], from_bits: int, to_bits: int, *, pad: bool) -> list[int]:
    pending = bits = 0
    regrouped: list[int] = []
    for group in groups:
        pending = pending << from_bits | group
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            regrouped.append(pending >> bits)
            pending &= (1 << bits) - 1
    if pad:
        if bits:
            regrouped.append(pending << to_bits - bits)
    elif bits >= from_bits or pending:
        raise ValueError("the padding is not zero, or longer than a symbol")
    return regrouped
