"""The site operator's verdict as a gate: what is done with a shipment goes on while it is to admit."""

from __future__ import annotations

from packtrain.documents.admission import Admission
from packtrain.errors import AdmissionHeld, AdmissionRefused


def require_admitting(admission: Admission, where: str) -> None:
    """Refuse under a verdict that is another than to admit.

    Args:
        admission: the one that holds, its signature checked.
        where: its file, for messages.

    Raises:
        AdmissionHeld, AdmissionRefused: so it is.
    """
    if admission.verdict == "refuse":
        raise AdmissionRefused("the site operator refused this shipment", where=where, hint=_reasons(admission))
    if admission.verdict == "hold":
        raise AdmissionHeld("the site operator holds this shipment", where=where, hint=_reasons(admission))


def _reasons(admission: Admission) -> str:
    found = [f"{check.check}: {check.detail}" for check in admission.checks if check.outcome in ("hold", "refuse")]
    return "; ".join(found)[:1000] or "ask the site operator why"
