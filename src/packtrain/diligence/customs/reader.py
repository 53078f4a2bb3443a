"""From words to exact values: money, weights, countries, days. What is not answered is collected, not raised."""

from __future__ import annotations

import datetime
import re
from typing import Final, NoReturn

from packtrain.diligence.answer_reader import is_answer
from packtrain.diligence.countries import check_country
from packtrain.diligence.customs.answers import GoodsAnswers, Number, PartyAnswers
from packtrain.documents.customs import CustomsParty, GoodsKind
from packtrain.documents.declared_party import NO_ONE
from packtrain.errors import CustomsFileError

_DECIMAL: Final = re.compile(r"(?P<whole>[0-9]{1,12})(?:\.(?P<part>[0-9]{1,6}))?")
_HS: Final = re.compile(r"[0-9]{4}(\.?[0-9]{2}){1,3}")
_DECIMALS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905
}
"""ISO 4217: currencies whose minor unit is not a hundredth."""
_MAX_LINE: Final = 512


def decimals_of(currency: str) -> int:
    """Return how many digits a currency's minor unit has."""
    return _DECIMALS.get(currency, 2)


class CustomsReader:
    """Reads the answers of one customs.toml.

    Attributes:
        missing: questions without an answer, in the order they were asked.
    """

    def __init__(self, where: str) -> None:
        self.missing: list[str] = []
        self.where = where

    def line(self, field: str, answer: str) -> str:
        """Return a text; "none" is spelled small; "?" where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "?"
        text = answer.strip()
        if len(text) > _MAX_LINE:
            self.refuse(field, f"at most {_MAX_LINE} characters", f"{len(text)}")
        return NO_ONE if text.casefold() == NO_ONE else text

    def country(self, field: str, answer: str) -> str:
        """Return a country's code; "ZZ" where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "ZZ"
        return check_country(
            answer, self.where, field, error=CustomsFileError, expected="two letters of ISO 3166-1, for example NL"
        )

    def day(self, field: str, answer: str) -> str:
        """Return a day as YYYY-MM-DD; a far one where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "9999-12-31"
        try:
            return datetime.date.fromisoformat(answer.strip()).isoformat()
        except ValueError:
            self.refuse(field, "a day, such as 2027-03-31", answer)

    def currency(self, field: str, answer: str) -> str:
        """Return a currency's three letters; "XXX" where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "XXX"
        code = answer.strip().upper()
        if not re.fullmatch(r"[A-Z]{3}", code):
            self.refuse(field, "three letters of ISO 4217, such as EUR", answer)
        return code

    def hs_code(self, field: str, answer: str) -> str:
        """Return a tariff code; zeros where it is missing."""
        if not is_answer(answer):
            self.missing.append(field)
            return "0000.00"
        if not _HS.fullmatch(answer.strip()):
            self.refuse(field, "six to ten digits, such as 8523.51", answer)
        return answer.strip()

    def exact(self, field: str, answer: Number, digits: int, *, least: int = 0, most: int = 10**12) -> int:
        """Return a decimal in units of its last digit: "412.50" with two digits is 41250; `least` where it is missing.

        Raises:
            CustomsFileError: no decimal, finer than `digits`, or out of range.
        """
        if answer is None or (isinstance(answer, str) and not is_answer(answer)):
            self.missing.append(field)
            return least
        match = _DECIMAL.fullmatch(str(answer).strip())
        example = f"a number in quotes with at most {digits} decimals" if digits else "a whole number"
        if match is None or len((match["part"] or "").rstrip("0")) > digits:
            self.refuse(field, f"{example}, a point before the decimals and no other signs", str(answer))
        value = int(match["whole"]) * 10**digits + int((match["part"] or "").rstrip("0").ljust(digits, "0") or "0")
        if not least <= value <= most:
            self.refuse(field, f"{example}, more than nothing" if value < least else f"at most {most} parts", answer)
        return value

    def party(self, place: str, row: PartyAnswers) -> CustomsParty:
        """Return a party; each field that is missing is named."""
        return CustomsParty(
            name=self.line(f"{place}.name", row.name),
            address=self.line(f"{place}.address", row.address),
            country=self.country(f"{place}.country", row.country),
            tax_id=self.line(f"{place}.tax_id", row.tax_id),
            eori=self.line(f"{place}.eori", row.eori),
            contact=self.line(f"{place}.contact", row.contact),
        )

    def goods(self, place: str, row: GoodsAnswers, decimals: int) -> GoodsKind:
        """Return a kind of goods; each field that is missing is named."""
        return GoodsKind(
            description=self.line(f"{place}.description", row.description),
            make=self.line(f"{place}.make", row.make),
            model=self.line(f"{place}.model", row.model),
            hs_code=self.hs_code(f"{place}.hs_code", row.hs_code),
            origin=self.country(f"{place}.origin", row.origin),
            value=self.exact(f"{place}.value_each", row.value_each, decimals, least=1),
            net_grams=self.exact(f"{place}.net_kg_each", row.net_kg_each, 3, least=1, most=10**9),
            lithium=self.line(f"{place}.lithium", row.lithium),
            export_class=self.line(f"{place}.export_class", row.export_class),
        )

    def refuse(self, field: str, expected: str, found: object) -> NoReturn:
        """Raise CustomsFileError for an answer that cannot be right."""
        raise CustomsFileError(
            f"{field} cannot be right",
            where=self.where,
            expected=expected,
            found=str(found)[:80],
            hint="correct that line; docs/how-to/papers-for-customs.md shows each field",
        )
