"""The summary as plain values: the document of `packtrain status --json`."""

from __future__ import annotations

from typing import Any

import msgspec

from packtrain.documents.codec import Document
from packtrain.report.drive_view import LETTERS
from packtrain.report.summary import PartyView, Summary
from packtrain.report.training_facts import training_summary
from packtrain.report.wave_view import WavesView


def status_document(summary: Summary) -> dict[str, Any]:
    """Return the document of `packtrain status --json`, with the names that it has had from the beginning."""
    whole = to_builtins(summary)
    party = summary.parties[0]
    return {
        "voyage": summary.name,
        "role": party.role,
        "stages": whole["parties"][0]["states"],
        "waves": _waves(summary.packing),
        "training": whole["training"],
        "next": whole["parties"][0]["next"],
        **whole,
    }


def to_builtins(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain values for `--json`: strings, numbers, lists, objects and null."""

    def plain(document: Document | None) -> Any:
        return msgspec.to_builtins(document) if document is not None else None

    return {
        "name": summary.name,
        "read_at": summary.read_at,
        "parties": [_party(party) for party in summary.parties],
        "survives": summary.placement.statement if summary.placement else None,
        "route": msgspec.to_builtins(summary.route),
        "cases": [msgspec.to_builtins(case) | {"counts": dict(case.counts)} for case in summary.cases],
        "drives": [msgspec.to_builtins(drive) | {"letter": LETTERS[drive.state]} for drive in summary.drives],
        "superseded": dict(summary.superseded),
        "groups": [
            msgspec.to_builtins(group)
            | {
                "stripes_by_columns_left": {str(left): count for left, count in group.stripes_by_columns_left},
                "sentence": group.sentence(),
            }
            for group in summary.groups
        ],
        "packing": msgspec.to_builtins(summary.packing),
        "loading": msgspec.to_builtins(summary.loading),
        "rules": [
            msgspec.to_builtins(rules)
            | {"flags": [msgspec.to_builtins(flag) | {"is_open": flag.is_open} for flag in rules.flags]}
            for rules in summary.rules
        ],
        "card": msgspec.to_builtins(summary.card),
        "shipment": plain(summary.shipment),
        "ready": plain(summary.ready),
        "admission": plain(summary.admission),
        "custody": list(summary.sentences),
        "export_list": plain(summary.export_list),
        "pieces": sum(len(file.pieces) for file in summary.pieces.files) if summary.pieces is not None else None,
        "training": training_summary(summary.training) if summary.training is not None else None,
        "attempts": summary.attempts.to_dict() if summary.attempts is not None else None,
        "inspections": [view.to_dict() for view in summary.inspections],
        "samples_loaded": summary.samples_loaded,
        "plan_actual": summary.plan_actual.to_dict() if summary.plan_actual is not None else None,
        "closed_by": list(summary.closed_by),
        "unread": list(summary.unread),
    }


def _party(party: PartyView) -> dict[str, Any]:
    live = party.live
    return {
        "role": party.role,
        "folder": str(party.folder.root),
        "stages": {receipt.stage: msgspec.to_builtins(receipt) for receipt in party.receipts},
        "states": [msgspec.to_builtins(state) for state in party.seen.stages],
        "next": {"command": party.seen.next_command, "why": party.seen.next_why},
        "custody_entries": len(party.custody),
        "custody_error": party.custody_error,
        "live": None
        if live is None
        else {
            "state": live.state,
            "share": live.share,
            "sentence": live.sentence(),
            "waiting": live.waiting,
            "waited_seconds": live.waited_seconds,
            "told": msgspec.to_builtins(live.live),
        },
    }


def _waves(waves: WavesView | None) -> dict[str, Any] | None:
    if waves is None:
        return None
    bays = [{"location": bay.location, "state": bay.state, "label": bay.label} for bay in waves.bays]
    wanted = {
        "wanted_empty": list(waves.wanted_empty),
        "wanted_again": list(waves.wanted_again),
        "wanted_sources": [{"number": number, "of": list(labels)} for number, labels in waves.wanted_sources],
    }
    counts = {"waves_done": waves.done, "waves": waves.total} if waves.total is not None else {}
    return {**wanted, **counts, "bays": bays}
