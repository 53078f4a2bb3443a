"""forecast: send or carry, of a voyage folder. Writes forecast.json, which no stage reads, until packing began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from packtrain.documents.dataset import Dataset
from packtrain.documents.forecast import Forecast as ForecastDocument
from packtrain.documents.measurement import Measurement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.forecast import measured
from packtrain.forecast.answer import Forecast, forecast
from packtrain.forecast.of_voyage import read_section, voyage_question
from packtrain.forecast.question import Question
from packtrain.forecast.written import LARGEST, forecast_document
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import instant
from packtrain.training.miniature_travels import carried_miniature


@dataclass(frozen=True, slots=True)
class Told:
    """A voyage's forecast.

    Attributes:
        not_written: why forecast.json was not written; "" where it was.
    """

    question: Question
    found: Forecast
    start: date
    not_written: str


def foretell(folder: VoyageFolder, start: date | None) -> Told | None:
    """Return how long, how safe and how dear the voyage is to be; None where there are no bytes to forecast of.

    Args:
        folder: placed already.
        start: the first day; None: the one of voyage.toml, or today.

    Raises:
        StageNotReady: nothing was placed yet.
        VoyageFileError: [forecast] does not say what it should.
    """
    voyage_file = folder.voyage_file()
    section = voyage_file.forecast
    where = str(folder.root / VOYAGE_FILE)
    placement = folder.read(PlacementDocument)
    total_bytes, bytes_from = _cargo(folder, placement)
    first_day = start or read_section(section, where)["start"] or date.today()
    if total_bytes == 0:
        return None
    question = voyage_question(
        total_bytes,
        placement,
        voyage_file.drives,
        section,
        measured.rates_of(folder.read(Measurement)) if folder.has(Measurement) else {},
        measured.training_of(folder.read(Ready)) if folder.has(Ready) else None,
        where,
    )
    found = forecast(question)
    not_written = ""
    if folder.has(Plan):
        # Made now it would be hindsight, and stand beside what happened as if it had been foresight.
        is_kept = folder.has(ForecastDocument)
        not_written = (
            f"forecast.json {'stays as it was' if is_kept else 'is not written: there was none'} when packing began"
        )
    elif max(found.raw_bytes, question.results_bytes) > LARGEST:
        not_written = "forecast.json is not written: no document holds numbers of bytes beyond 9 PB"
    if not not_written:
        folder.write(
            forecast_document(
                question,
                found,
                voyage=voyage_file.voyage.name,
                start=first_day,
                made=instant(),
                bytes_from=bytes_from,
            )
        )
    return Told(question, found, first_day, not_written)


def _cargo(folder: VoyageFolder, placement: PlacementDocument) -> tuple[int, str]:
    """Return the bytes of the cargo, and where they are known from: what was prepared, or else the sources."""
    if folder.has(Dataset):
        dataset = folder.read(Dataset)
        carried = (*dataset.shards, *dataset.files, *carried_miniature(dataset).values())
        return sum(file.bytes for file in carried), "dataset.json"
    return placement.source_bytes, "the sources, before they are prepared"
