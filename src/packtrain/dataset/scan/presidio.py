"""presidio-analyzer as a second engine: its recognisers of forms and checksums, called one by one on a cell.

Without its `AnalyzerEngine`: that one wants a language model, which it would fetch. What finds names of persons needs
such a model and is not used. Nothing here opens a connection.

Source: presidio-analyzer 2.2.366; ISO 7064, Luhn and Verhoeff for the odds of the checksums.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, Final

from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.errors import MissingDependency

ENGINE: Final = "presidio"
LIBRARIES: Final = ("presidio-analyzer", "phonenumbers")
ENTITIES_VERSION: Final = 1
"""Counted up when the same cells and the same presidio would give other counts."""
LEAST_SCORE: Final = 0.4
"""What presidio gives to a telephone number. Below it are numbers that a word beside them would explain."""
SHORTEST: Final = 7
SIEVE: Final = r"[\pN@]"
"""RE2: every form that is looked for has a digit, or is an e-mail address."""


@dataclass(frozen=True, slots=True)
class Entity:
    """What presidio calls an entity, and what of it makes a finding.

    Attributes:
        name: presidio's.
        recognizer: presidio's class.
        looks_for: in plain words, plural.
        chance: of a million random texts of the form, how many pass; 0: the form itself is the evidence.
        least_share: of a thousand filled cells, how many must pass.
    """

    name: str
    recognizer: str
    looks_for: str
    chance: int
    least_share: int

    @property
    def detector(self) -> str:
        """Return its name in the document."""
        return f"{ENGINE}:{self.name}"


# Left out: what a plain number, a day or any word of letters and digits passes (US_BANK_NUMBER, US_DRIVER_LICENSE,
# passports, DATE_TIME, URL, UUID, postcodes, number plates), numbers of companies, national numbers
# that packtrain checks itself, and what needs a language model.
ENTITIES: Final = (
    Entity("EMAIL_ADDRESS", "EmailRecognizer", "e-mail addresses", 0, 10),
    Entity("PHONE_NUMBER", "PhoneRecognizer", "telephone numbers", 0, 100),
    Entity("CREDIT_CARD", "CreditCardRecognizer", "payment card numbers", 100_000, 250),
    Entity("IBAN_CODE", "IbanRecognizer", "bank accounts (IBAN)", 10_310, 50),
    Entity("IP_ADDRESS", "IpRecognizer", "IP addresses", 0, 250),
    Entity("MAC_ADDRESS", "MacAddressRecognizer", "addresses of network devices", 0, 250),
    Entity("CRYPTO", "CryptoRecognizer", "Bitcoin addresses", 0, 50),
    Entity("US_SSN", "UsSsnRecognizer", "US social security numbers", 0, 500),
    Entity("US_ITIN", "UsItinRecognizer", "US taxpayer numbers", 0, 500),
    Entity("US_MBI", "UsMbiRecognizer", "US Medicare numbers", 0, 250),
    Entity("MEDICAL_LICENSE", "MedicalLicenseRecognizer", "US licences of physicians (DEA)", 100_000, 250),
    Entity("UK_NHS", "NhsRecognizer", "UK NHS numbers", 90_910, 250),
    Entity("AU_TFN", "AuTfnRecognizer", "Australian tax file numbers", 90_910, 250),
    Entity("AU_MEDICARE", "AuMedicareRecognizer", "Australian Medicare numbers", 100_000, 250),
    Entity("CA_SIN", "CaSinRecognizer", "Canadian social insurance numbers", 100_000, 250),
    Entity("FI_PERSONAL_IDENTITY_CODE", "FiPersonalIdentityCodeRecognizer", "Finnish identity codes", 32_260, 250),
    Entity("IN_AADHAAR", "InAadhaarRecognizer", "Indian Aadhaar numbers", 100_000, 250),
    Entity("IN_PAN", "InPanRecognizer", "Indian tax numbers (PAN)", 0, 500),
    Entity("KR_RRN", "KrRrnRecognizer", "Korean registration numbers", 20_000, 250),
    Entity("NG_NIN", "NgNinRecognizer", "Nigerian identity numbers", 100_000, 250),
    Entity("PL_PESEL", "PlPeselRecognizer", "Polish PESEL numbers", 100_000, 250),
    Entity("SE_PERSONNUMMER", "SePersonnummerRecognizer", "Swedish personal numbers", 100_000, 250),
    Entity("TH_TNIN", "ThTninRecognizer", "Thai identity numbers", 100_000, 250),
    Entity("TR_NATIONAL_ID", "TrNationalIdRecognizer", "Turkish identity numbers", 10_000, 250),
    Entity("ZA_ID_NUMBER", "ZaIdNumberRecognizer", "South African identity numbers", 100_000, 250),
)
Engine = Callable[[str], list[str]]
_PHONE: Final = "PHONE_NUMBER"
_EXACT_GROUPING: Final = 3
"""Grouped as the country groups them: presidio's own setting takes 28 % of days written 1.2.1990."""
_NUMBER: Final = re.compile(r"[+-]?\d*[.,]?\d+")
_POINT: Final = re.compile(r"(?<=\d)[.,]\Z")
"""Before what was found: it is the fraction of a number."""


def require() -> None:
    """Pass where presidio is installed.

    Raises:
        MissingDependency: it is not.
    """
    if importlib.util.find_spec("presidio_analyzer") is None:
        raise _missing("no presidio_analyzer")


def versions() -> dict[str, str]:
    """Return the versions of presidio and of the library it reads telephone numbers with.

    Raises:
        MissingDependency: they are not installed.
    """
    try:
        return {name: metadata.version(name) for name in LIBRARIES}
    except metadata.PackageNotFoundError as error:
        raise _missing(f"no {error.name}") from error


def identity() -> str:
    """Return what a scan by this engine is invalidated by.

    Raises:
        MissingDependency: presidio is not installed.
    """
    found = " ".join(f"{name} {version}" for name, version in versions().items())
    return f"{ENGINE} {ENTITIES_VERSION} {found}"


def _missing(found: str) -> MissingDependency:
    return MissingDependency(
        "the second engine of the data scan is not installed",
        where='voyage.toml, [prepare] scan_also_with = "presidio"',
        expected="packtrain[pii]",
        found=found,
        hint="pip install 'packtrain[pii]', or take the line out: packtrain's own detectors run in any case",
    )


@cache
def engine() -> Engine:
    """Return what says which of `ENTITIES` a text holds, by `Entity.name`; made once a process, in some seconds.

    Raises:
        MissingDependency: presidio is not installed, or too old.
    """
    # It writes what it looks at to this log (the IBAN that it fails to check), and no value may be in a log.
    logging.getLogger("presidio-analyzer").disabled = True
    try:
        known: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
        recognizers = [
            (
                each.name,
                getattr(known, each.recognizer)(**({"leniency": _EXACT_GROUPING} if each.name == _PHONE else {})),
            )
            for each in ENTITIES
        ]
        tldextract: Any = importlib.import_module("tldextract")
    except (ImportError, AttributeError) as error:
        raise _missing(str(error)[:200]) from error
    # As it comes, the first e-mail address makes it fetch the list of domain endings, and keep it in the user's home.
    domain: Any = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def is_under_an_ending(address: str) -> bool:
        return domain(address).fqdn != ""

    for name, recognizer in recognizers:
        if name == "EMAIL_ADDRESS":
            recognizer.validate_result = is_under_an_ending

    def look(text: str) -> list[str]:
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)  # digits of full width are digits
        text = text[:MAX_TEXT]
        return [name for name, recognizer in recognizers if _holds(name, recognizer, text)]

    return look


def _holds(name: str, recognizer: Any, text: str) -> bool:
    is_phone = name == _PHONE
    # Four of five random numbers of ten digits, and most fractions below one, could be telephone numbers.
    if is_phone and _NUMBER.fullmatch(text):
        return False
    for each in recognizer.analyze(text, [name], None) or ():
        is_number = is_phone and _NUMBER.fullmatch(text[each.start : each.end].strip("()[] "))
        if each.score >= LEAST_SCORE and not is_number and not _POINT.search(text, 0, each.start):
            return True
    return False
