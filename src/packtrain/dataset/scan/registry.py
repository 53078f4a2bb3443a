"""All detectors of values, and which of them a cell of a given length is shown to."""

from __future__ import annotations

from typing import Final

from packtrain.dataset.scan import (
    be_national,
    cl_rut,
    cn_resident,
    coordinates,
    de_steuer_id,
    email,
    es_dni,
    fr_nir,
    iban,
    ip_address,
    it_codice_fiscale,
    my_mykad,
    nl_bsn,
    payment_card,
    phone,
    sg_nric,
    uk_nino,
    us_ssn,
)
from packtrain.dataset.scan.detector import MAX_TEXT, Detector

DETECTORS: Final[tuple[Detector, ...]] = tuple(
    module.DETECTOR
    for module in (
        payment_card,
        iban,
        email,
        phone,
        ip_address,
        coordinates,
        us_ssn,
        cn_resident,
        sg_nric,
        my_mykad,
        nl_bsn,
        be_national,
        fr_nir,
        es_dni,
        it_codice_fiscale,
        cl_rut,
        de_steuer_id,
        uk_nino,
    )
)
OF_DIGITS: Final = tuple(tuple(each for each in DETECTORS if n in each.digits) for n in range(MAX_TEXT + 1))
OF_MIXED: Final = tuple(tuple(each for each in DETECTORS if n in each.mixed) for n in range(MAX_TEXT + 1))
SIEVE: Final = "|".join(f"(?:{each.sieve})" for each in DETECTORS)
INSIDE: Final = tuple(each for each in DETECTORS if each.inside is not None)
