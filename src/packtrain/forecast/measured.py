"""What `measure` and the rehearsal saw, as figures of a question: each with when and where."""

from __future__ import annotations

from pathlib import Path

from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.measurement import Measurement, Work
from packtrain.documents.ready import Ready
from packtrain.errors import DocumentError
from packtrain.forecast.durations import Days
from packtrain.forecast.steps import MACHINE_SPREAD


def read_measurement(path: Path) -> Measurement:
    """Return what `measure --into` wrote.

    Raises:
        DocumentError: there is no such file, or it is none.
    """
    hint = 'make one with "packtrain measure --into FILE"'
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", where=str(path), hint=hint) from error
    return decode(Measurement, payload, str(path))


def rates_of(measurement: Measurement) -> dict[str, tuple[float, str]]:
    """Return field of `Question` -> its value, and when and where it was measured. What was not measured is not there.

    Args:
        measurement: of the machine that packs.
    """
    machine = measurement.machine
    where = f"{measurement.made} on {machine.processor or 'this machine'}, {machine.cores} cores"
    found: dict[str, float | None] = {
        "cores": machine.cores,
        "pack_core_seconds_per_gb": _core_seconds(machine.pack, machine.cores),
        "load_core_seconds_per_gb": _core_seconds(machine.load, machine.cores),
    }
    found |= {"write_rate": measurement.write_rate_in_wave(), "read_rate": measurement.read_rate_in_wave()}
    source = measurement.source.read if measurement.source is not None else None
    store = measurement.store.write if measurement.store is not None else None
    found |= {"source_rate": source.bytes_per_second if source is not None else None}
    found |= {"store_rate": store.bytes_per_second if store is not None else None}
    of_drives = f"{where}{_how_drives(measurement)}"
    return {
        name: (value, of_drives if name in ("write_rate", "read_rate") else where)
        for name, value in found.items()
        if value is not None and value >= (1 if name.endswith("_rate") else 1e-9)
    }


def training_of(sheet: Ready) -> Days | None:
    """Return how long the training takes at the site, by the rehearsal's sheet; None where it does not say."""
    days = sheet.measurements.get("training_days_at_the_site")
    if days is None or days < 0:
        return None
    low, likely, high = (days * factor for factor in MACHINE_SPREAD)
    return Days(low, likely, high)


def _core_seconds(work: Work | None, num_cores: int) -> float | None:
    """Return the seconds of one core for each 10**9 bytes: by the wall clock, waiting and turns of threads included.

    Processor time alone would have it that all cores are always busy: packing takes up to several times as long.
    """
    if work is None:
        return None
    by_clock = num_cores * 1e9 / work.bytes_per_second if work.bytes_per_second >= 1 else 0.0
    return max(work.cpu_seconds_per_gb, by_clock)


def _how_drives(measurement: Measurement) -> str:
    """Return what the rates of drives do not show, in words."""
    together = len(measurement.together.drives) if measurement.together is not None else 1
    is_short = any(one.is_short and one.is_written for one in measurement.drives)
    return f", {together} at once" * (together > 1) + ", less than their caches hold" * is_short
