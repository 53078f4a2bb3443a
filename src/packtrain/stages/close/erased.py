"""The custody entry of drives that were really erased: noted by each side alone, the last that is said of a drive."""

from __future__ import annotations

from typing import Final

from packtrain.diligence.hand_over import custody_log, holdings, open_releases
from packtrain.diligence.sanitised import newest_of_each, read_sanitisations
from packtrain.documents.sanitisation import NOT_SANITISED
from packtrain.documents.shipment import Shipment
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder

STAGE: Final = "drives"


def note_erased(folder: VoyageFolder, sink: Sink) -> int:
    """Sign `erased` for each drive that this party sanitised and has not noted yet; return how many entries.

    Nothing is noted of a drive that is not sanitised, nor in a log that was never begun. While a release waits for its
    answer nothing is written: the next run of this, or `close`, does.
    """
    role, trust = folder.voyage_file().voyage.role, folder.trust()
    log = custody_log(folder)
    lines = log.read(trust)
    if not lines:
        return 0
    noted = {line.event.note for line in lines if line.event.verb == "erased" and line.event.by == role}
    shipment = folder.read_signed(Shipment)
    cases = {drive.uuid: drive.case for drive in shipment.drives}
    count = 0
    for drive, found in newest_of_each(each for each in read_sanitisations(folder) if each.record.by == role).items():
        record = found.record
        note = f"{record.label}: {record.result} ({record.method}), sanitisation {found.digest}"
        if record.result == NOT_SANITISED or note in noted or drive not in cases:
            continue
        if waiting := open_releases(holdings(lines, str(log.path)), role):
            text = f"case {', '.join(waiting)} waits for its answer: that {record.label} was erased is noted afterwards"
            sink(Notice(STAGE, text, is_warning=True))
            continue
        log.append(
            "erased",
            shipment=shipment.shipment,
            by=role,
            signer=folder.signer(),
            trust=trust,
            cases=(cases[drive],),
            drives=(drive,),
            note=note,
        )
        count += 1
    return count
