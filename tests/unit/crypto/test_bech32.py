import pytest

from packtrain.crypto import bech32


@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    ],
)
def test_valid_strings_of_bip_173_are_read(text: str) -> None:
    prefix, payload = bech32.decode(text)
    assert bech32.encode(prefix, payload) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "A12uEL5L",  # mixed case
        "a12uel5m",  # checksum
        "pzry9x0s0muk",  # no separator
        "1pzry9x0s0muk",  # empty prefix
        "x1b4n0q5v",  # character outside the alphabet
        "li1dgmt3",  # checksum too short
        "\x7f1axkwrx",  # prefix not printable
        "a1\u212auel5l",  # a letter that is ASCII only in lower case
        "a" * 300,
        "",
    ],
)
def test_a_malformed_string_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bech32.decode(text)


def test_padding_that_is_not_zero_is_refused() -> None:
    # One byte is two symbols; the last 2 bits of the second are padding. Same checksum rule, other padding.
    good = bech32.encode("age", b"\x00")
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    for last in alphabet[1:4]:
        body = [0, alphabet.index(last)]
        values = [ord(c) >> 5 for c in "age"] + [0] + [ord(c) & 31 for c in "age"] + body
        check = bech32._polymod([*values, *[0] * 6]) ^ 1  # pyright: ignore[reportPrivateUsage]
        text = "age1q" + last + "".join(alphabet[check >> 5 * (5 - i) & 31] for i in range(6))
        with pytest.raises(ValueError, match="padding"):
            bech32.decode(text)
    assert bech32.decode(good) == ("age", b"\x00")


def test_one_wrong_character_anywhere_is_refused() -> None:
    good = bech32.encode("age", bytes(range(32)))
    for at in range(len(good)):
        wrong = good[:at] + ("q" if good[at] != "q" else "p") + good[at + 1 :]
        with pytest.raises(ValueError, match=r"\w"):
            bech32.decode(wrong)
