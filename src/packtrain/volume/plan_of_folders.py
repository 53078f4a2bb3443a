"""The plan of a shipment that never travels: folders play the drives, one group, each drive a case of its own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from packtrain import __version__
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.record.receipts import instant
from packtrain.volume import layout


def plan_of_folders(
    labels: Mapping[str, str], num_data: int, *, cargo: str, total_bytes: int, recipient: str, contact: str = ""
) -> Plan:
    """Return the plan; its purpose is a rehearsal, and it caps the cargo at its own bytes.

    Args:
        labels: by the UUID of each drive, in the order of the group.
        num_data: k; what is left of the drives is parity.
        cargo: its digest.
        total_bytes: of the cargo.
        recipient: whose key opens it.
        contact: who is to be asked.
    """
    num_parity = len(labels) - num_data
    return Plan(
        shipment=str(uuid.uuid4()),
        attempt=1,
        purpose="rehearsal",
        declaration=None,
        recipient=recipient,
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=layout.volume_target_bytes(total_bytes, num_data),
        cases=tuple(labels.values()),
        drives=tuple(
            PlannedDrive(uuid=drive, label=label, serial=f"folder-{drive[:8]}", case=label)
            for drive, label in labels.items()
        ),
        groups=(PlannedGroup(group=0, k=num_data, m=num_parity, drives=tuple(labels)),),
        survive=Survive(cases=num_parity, drives=0),
        cargo=cargo,
        # No more than what it was made for: what never travels is no way to carry cargo unadmitted.
        byte_cap=total_bytes,
        contact=contact,
        created=instant(),
        software=f"packtrain {__version__}",
    )
