"""After a wave: what is known of a group, and which drives to mount next."""

from __future__ import annotations

from collections.abc import Collection

from packtrain.documents.plan import Plan, PlannedDrive
from packtrain.volume.loaded import GroupState, Wanted
from packtrain.volume.syndromes import Scratch
from packtrain.volume.wanted import Knowledge, smallest_set


def next_drives(knowledge: Knowledge, plan: Plan, mounted: Collection[str], scratch: Scratch | None) -> Wanted | None:
    """Return the drives of a group that are wanted next, None if all is there or no drive can help any more.

    Args:
        knowledge: after the wave.
        plan: names the drives.
        mounted: those of the wave, by UUID.
        scratch: the scratch folder, if there is one: then no drives have to be mounted together.
    """
    unseen = knowledge.unseen()
    if unseen:
        return Wanted(1, planned_drives(plan, unseen))
    group = knowledge.group
    # Those that are mounted already, and those with no damage, are the least trouble.
    damaged = {knowledge.stripe(stripe)[column].drive for stripe, column in knowledge.bad}
    order = sorted(group.drives, key=lambda uuid: (uuid not in mounted, uuid in damaged))
    candidates = [uuid for uuid in order if uuid not in knowledge.lost]
    if scratch is not None and (needs := scratch.needs(knowledge)):
        chosen, is_smallest = smallest_set(needs, candidates)
        return Wanted(1, planned_drives(plan, chosen), is_smallest)
    needs = knowledge.needs()
    if not needs:
        return None
    chosen, is_smallest = smallest_set(needs, candidates)
    if set(chosen) <= set(mounted):
        # They were all here, and it was not enough: something lies that no block list shows. More may outvote it.
        chosen, is_smallest = candidates, False
        if set(chosen) <= set(mounted):
            return None
    return Wanted(2, planned_drives(plan, chosen), is_smallest)


def planned_drives(plan: Plan, uuids: Collection[str]) -> tuple[PlannedDrive, ...]:
    """Return drives by UUID, in the order of the plan."""
    return tuple(drive for drive in plan.drives if drive.uuid in uuids)


def group_state(knowledge: Knowledge) -> GroupState:
    """Return what is known of a group."""
    group = knowledge.group
    seen = sum(uuid in knowledge.seen for uuid in group.drives)
    good = knowledge.num_good_drives()
    proven = knowledge.num_proven()
    return GroupState(
        group=group.group,
        k=group.k,
        drives=len(group.drives),
        drives_seen=seen,
        drives_damaged=seen - good,
        drives_lost=sum(uuid in knowledge.lost for uuid in group.drives),
        more_drives=0 if proven == group.num_stripes else max(0, group.k - good),
        stripes=group.num_stripes,
        stripes_proven=proven,
        stripes_provable=knowledge.num_provable(),
        volumes_open=len(knowledge.open()),
    )
