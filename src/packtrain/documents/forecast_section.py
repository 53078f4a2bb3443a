"""[forecast] of voyage.toml: what `plan` cannot know of the voyage, and reckons with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Part, Text

Written = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Chance = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Number = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Price = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class PricesSection(Part, frozen=True, kw_only=True):
    """[forecast.prices]: what one of each costs; what has no price is not counted, and named.

    Attributes:
        drive: one drive.
        case: one case.
        carrier: one case for one trip: a ticket, a courier.
        shipping: one trip of all cases together: freight, insurance, fees.
        link_month: the network for a month; a month that began counts.
        currency: only printed: "EUR".
    """

    drive: Price | None = None
    case: Price | None = None
    carrier: Price | None = None
    shipping: Price | None = None
    link_month: Price | None = None
    currency: Annotated[str, msgspec.Meta(max_length=16)] = ""


class ForecastSection(Part, frozen=True, kw_only=True):
    """[forecast]: links, delays, risks and prices for the forecast of `plan`. No field of it invalidates any stage.

    Days are written as "3", "2..5" or "2..3..7": at least, likely, at most.

    Attributes:
        start: the first day, "2026-12-01"; without it the day on which `plan` runs.
        link: the network to the site, in bits a second: "200 Mbit/s". Without it only carrying is forecast.
        link_free: the part of the network that may be used, 0 to 1. Without it all of it.
        prepare: days of preparing before packing, the same for both ways.
        train: days from the day the data is there to the last step.
        legs: delays between packing and loading, in order: ["flight=1..2", "admit=1..3"].
        customs: days at the border: one more leg, after the first.
        results: what comes home: "500 GB".
        results_by: the way home; without it over the link, where there is one.
        drive_rate: bytes a second of a drive, over its whole surface: "180 MB/s". Without it what `measure` saw.
        source_rate: bytes a second at which the sources can be read.
        store_rate: bytes a second at which the site's store takes them.
        cores: processors of the packing machine. Without it what `measure` saw.
        load_cores: the same of the machine that loads.
        pack_hosts: machines that pack at the same time, each with its bays. Without it one.
        load_hosts: machines that load at the same time. Without it one.
        swap_minutes: to change the drives of a wave.
        yearly_failure: the part of the drives that fail in a year.
        transit_risk: the part of the drives that fail on the way besides.
        case_loss: the part of the cases that are lost as a whole.
        cases_together: how many cases go in one vehicle or by one hand.
        together_part: the part of the losses of cases that takes all of a vehicle.
        bad_batch: how likely all drives are of a bad batch.
        batch_factor: how many times as often drives of a bad batch fail.
        prices: see [forecast.prices].
    """

    start: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")] | None = None
    link: Written | None = None
    link_free: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    prepare: Written | None = None
    train: Written | None = None
    legs: Annotated[tuple[Text, ...], msgspec.Meta(max_length=64)] = ()
    customs: Written | None = None
    results: Written | None = None
    results_by: Literal["link", "drives"] | None = None
    drive_rate: Written | None = None
    source_rate: Written | None = None
    store_rate: Written | None = None
    cores: Number | None = None
    load_cores: Number | None = None
    pack_hosts: Number | None = None
    load_hosts: Number | None = None
    swap_minutes: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    yearly_failure: Chance | None = None
    transit_risk: Chance | None = None
    case_loss: Chance | None = None
    cases_together: Number | None = None
    together_part: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    bad_batch: Chance | None = None
    batch_factor: Annotated[float, msgspec.Meta(ge=1, le=1000)] | None = None
    prices: PricesSection = msgspec.field(default_factory=PricesSection)
