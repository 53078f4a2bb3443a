"""The site operator's verdict as a gate: what is done with a shipment goes on while it is to admit."""

from __future__ import annotations

from packtrain.documents.admission import Admission
from packtrain.errors import AdmissionHeld, AdmissionRefused
from packtrain.record.folder import VoyageFolder


def require_admitting(folder: VoyageFolder) -> None:
    """Refuse under a verdict that is another than to admit; where there is none yet, it is not this gate's to ask.

    Raises:
        AdmissionHeld, AdmissionRefused: so it is.
        SignatureMissing, UntrustedSigner: it is not signed by the operator.
    """
    if not folder.has(Admission):
        return
    admission, where = folder.read_signed(Admission), str(folder.document_path(Admission))
    if admission.verdict == "refuse":
        raise AdmissionRefused("the site operator refused this shipment", where=where, hint=_reasons(admission))
    if admission.verdict == "hold":
        raise AdmissionHeld("the site operator holds this shipment", where=where, hint=_reasons(admission))


def _reasons(admission: Admission) -> str:
    found = [f"{check.check}: {check.detail}" for check in admission.checks if check.outcome in ("hold", "refuse")]
    return "; ".join(found)[:1000] or "ask the site operator why"
