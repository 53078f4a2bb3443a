"""ISO 3166-1 alpha-2 codes, so that "UK" and "GB" are not two countries and "XX" is none.

The 249 officially assigned codes, and XK (Kosovo), which is user-assigned and in wide use. The list says which
codes are spelled right and nothing else: which country is under which control is a later, dated rule pack.
"""

from __future__ import annotations

from typing import Final

from packtrain.errors import DeclarationFileError, PacktrainError

CODES: Final = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA
    GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
    MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS
    RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW
    TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - 250 strings in quotes read worse than a table
)
_OFTEN_MEANT: Final = {"UK": "GB", "EL": "GR"}


def check_country(
    text: str,
    where: str,
    field: str,
    *,
    error: type[PacktrainError] = DeclarationFileError,
    expected: str = "two letters of ISO 3166-1, for example NL, or undisclosed",
) -> str:
    """Return the code in capitals.

    Raises:
        DeclarationFileError, or `error`: it is no ISO 3166-1 code of two letters.
    """
    code = text.strip().upper()
    if code in CODES:
        return code
    meant = _OFTEN_MEANT.get(code)
    raise error(
        f"{field} is no country code",
        where=where,
        expected=expected,
        found=text[:32],
        hint=f'did you mean "{meant}"?' if meant else "look the code up in ISO 3166-1",
    )
