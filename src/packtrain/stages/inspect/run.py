"""One inspection: each host by itself, all hosts together, the miniature's run again; then the sheet, signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from packtrain.diligence.verdict import require_admitting
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode
from packtrain.documents.dataset import Dataset
from packtrain.documents.inspection import Finding, Inspection, is_fault
from packtrain.documents.kit import Kit
from packtrain.documents.promised_section import PromisedSection
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.errors import AdmissionHeld, AdmissionRefused, DocumentError, HostUnfit, SiteUnfit
from packtrain.events import Notice, Progress, Sink
from packtrain.ports import Engine, HostsWanted
from packtrain.record.dataset_folder import DATASET_NAME
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.training.site import across, miniature_again
from packtrain.training.site.kit_needs import needs_of_kit
from packtrain.training.site.machine import HostTask, KitNeeds, ask_python
from packtrain.training.site.seen import Seen, said_by
from packtrain.units import counted

STAGE: Final = "inspect"
_TOLD: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is inspected.

    Attributes:
        python: the interpreter that will train.
        hosts: on which hosts.
        seconds: each writing, reading and computing on a host takes no longer.
    """

    python: Path
    hosts: HostsWanted
    seconds: float


class BoundMapper(Protocol):
    """Runs jobs on hosts that are named: what a site of many hosts is looked at by."""

    def hosts(self) -> tuple[str, ...]:
        """Return the names of the hosts that take jobs now."""
        ...

    def map_bound(
        self, run: Callable[[HostTask], tuple[Finding, ...]], jobs: Iterable[tuple[str, HostTask]]
    ) -> Iterator[tuple[str, HostTask, Any]]:
        """Yield each job with its host and what came of it: findings, or an object whose `why` says why nothing."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What an inspection needs of the world.

    Attributes:
        engine: starts programs on all hosts.
        look: looks at the host that it runs on; a function of a module, so that other hosts can import it.
        open_mapper: opens what runs it on each host; None where this machine is the only one. It is closed before the
            engine joins the same cluster: a process joins one but once at a time.
        unfit: hosts that mapper and engine found unfit to take work and left out, by name; it grows as they are used.
    """

    engine: Engine
    look: Callable[[HostTask], tuple[Finding, ...]]
    open_mapper: Callable[[], AbstractContextManager[BoundMapper]] | None
    unfit: Mapping[str, HostUnfit]


def preview(folder: VoyageFolder, wanted: Wanted, engine: str) -> dict[str, Any]:
    """Return what would be inspected, as plain values; nothing is run or written."""
    site = folder.voyage_file().site
    task = _host_task(folder, wanted, is_alone=engine == "local")
    return {
        "engine": engine,
        "python": str(wanted.python),
        "folders": list(task.folders),
        "kit": f"Python {task.kit.python}, torch {task.kit.torch or 'none'}" if task.kit.python else None,
        "promised": site.promised is not None,
        "miniature": _why_no_miniature(folder) or "is run again",
        "most_seconds_of_a_host": round(3 * len(task.folders) * wanted.seconds + wanted.seconds + 30),
    }


def inspect(folder: VoyageFolder, wanted: Wanted, world: World, sink: Sink) -> Inspection:
    """Inspect the site, write and sign inspection.json, return it.

    Args:
        folder: the consignee's or the operator's voyage folder.
        wanted: what is inspected.
        world: see `World`.
        sink: takes events.

    Raises:
        SiteUnfit: something is bad, or was promised and not shown; the sheet is written all the same.
    """
    place = folder.work / "inspection"
    across.clear(place)
    by = folder.voyage_file().voyage.role
    assert by != "consignor"  # `Voyage.inspect` refuses it, and its signature would not count
    try:
        findings, names = _look(folder, wanted, world, place, sink)
        sheet = _sheet(folder, by, world.engine.name, findings, names)
    finally:
        # Copies of samples do not stay; the logs do, which a finding names.
        shutil.rmtree(place / "miniature" / "data", ignore_errors=True)
    folder.write_signed(sheet, folder.signer())
    sink(Progress(STAGE, "signed", done_items=1, total_items=1, unit="sheets"))
    if not sheet.is_fit:
        raise SiteUnfit(
            f"{counted(len(sheet.faults), 'finding')} of {len(sheet.findings)} make this site unfit: "
            + "; ".join(_said(one) for one in sheet.faults[:_TOLD]),
            where=str(folder.document_path(Inspection)),
            expected="nothing bad, and all shown that was promised",
            hint="the signed sheet lists all of them with what mends each; then inspect again",
        )
    return sheet


def _said(finding: Finding) -> str:
    of = f"{finding.hosts[0]}: " if len(finding.hosts) == 1 else ""
    return f"{of}{finding.what}: {finding.found}"


def _look(
    folder: VoyageFolder, wanted: Wanted, world: World, place: Path, sink: Sink
) -> tuple[list[Finding], tuple[str, ...]]:
    promised = folder.voyage_file().site.promised or PromisedSection()
    is_alone = world.open_mapper is None
    sink(Progress(STAGE, "looking at each host", done_items=0, total_items=3, unit="parts"))
    findings = list(_hosts(folder, wanted, world, is_alone=is_alone))
    looked = _own_names(findings)
    if world.unfit and not looked:
        # There is no host that could take part in anything.
        return _of_unfit(world.unfit), tuple(world.unfit)
    # Who is left out does not come: to wait for it would be in vain.
    least = max(wanted.hosts.least - len(world.unfit), 1)
    wanted = replace(wanted, hosts=replace(wanted.hosts, least=least))
    sink(Progress(STAGE, "looking at all hosts together", done_items=1, total_items=3, unit="parts"))
    num_accelerators = _accelerators(findings)
    with_accelerators = num_accelerators > 0 and bool(ask_python(str(wanted.python)).get("cuda"))
    num_workers = max(num_accelerators, 1)
    if with_accelerators and is_alone and num_accelerators < 2:
        num_workers = 1
    task = across.AcrossTask(
        python=wanted.python,
        folder=place,
        hosts=wanted.hosts,
        num_workers=num_workers,
        with_accelerators=with_accelerators,
        each_rank=is_alone,
        promised=promised,
    )
    together, names = across.look_across(task, world.engine, sink)
    findings += together
    hosts = looked or names or ("this host",)
    seen = Seen(*hosts)
    if not is_alone and 0 < len(names) < len(looked):
        told = f"{len(names)} of the {counted(len(looked), 'host')} that were looked at: {across.joined(names)}"
        seen.not_shown("hosts that took part together", told)
    sink(Progress(STAGE, "running the miniature again", done_items=2, total_items=3, unit="parts"))
    _miniature(folder, wanted, world.engine, place / "miniature", seen, sink, is_alone=is_alone)
    unfit = {name: error for name, error in world.unfit.items() if name not in hosts}
    return [*findings, *seen.findings, *_of_unfit(world.unfit)], (*hosts, *unfit)


def _of_unfit(unfit: Mapping[str, HostUnfit]) -> list[Finding]:
    findings: list[Finding] = []
    for name, error in unfit.items():
        seen = Seen(name)
        told = error.what + (f": {error.found}" if error.found else "")
        seen.bad(
            "host", told, error.hint or "", asked=error.expected or "it sees the voyage folder and has our versions"
        )
        findings += seen.findings
    return findings


def _hosts(folder: VoyageFolder, wanted: Wanted, world: World, *, is_alone: bool) -> Iterator[Finding]:
    task = _host_task(folder, wanted, is_alone=is_alone)
    if world.open_mapper is None:
        yield from world.look(task)
        return
    with world.open_mapper() as mapper:
        names = mapper.hosts()
        looked = list(mapper.map_bound(world.look, [(name, task) for name in names]))
    looked.sort(key=lambda each: names.index(each[0]))  # they come as they end: the sheet has one order
    for name, _, found in looked:
        if isinstance(found, tuple):
            yield from said_by(name, found)  # pyright: ignore[reportUnknownArgumentType]
        elif name not in world.unfit:
            seen = Seen(name)
            remedy = "look at this host: it takes jobs, and its job ended without an answer"
            seen.bad("host", str(getattr(found, "why", found)), remedy, asked="it answers")
            yield from seen.findings


def _host_task(folder: VoyageFolder, wanted: Wanted, *, is_alone: bool) -> HostTask:
    site = folder.voyage_file().site
    store = folder.resolve(site.store)
    folders = [str(store if store.is_dir() else folder.work)]
    if not is_alone and site.hosts.folder is not None:
        folders.append(site.hosts.folder)
    return HostTask(
        python=str(wanted.python),
        folders=tuple(folders),
        kit=needs_of_kit(folder.read_signed(Kit)) if folder.has(Kit) else KitNeeds(),
        promised=site.promised or PromisedSection(),
        seconds=wanted.seconds,
        is_alone=is_alone,
    )


def _accelerators(findings: Iterable[Finding]) -> int:
    """Return how many accelerators each host has: the least of them, as all ranks take part."""
    found = [
        int(one.value)
        for finding in findings
        if finding.what == "accelerators"
        for one in finding.figures
        if one.name == "accelerators"
    ]
    return min(found, default=0)


def _own_names(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(name for one in findings if len(one.hosts) == 1 for name in one.hosts if "/" not in name)
    )


def _dataset(folder: VoyageFolder) -> Dataset | None:
    path = folder.resolve(folder.voyage_file().site.store) / DATASET_NAME
    try:
        with path.open("rb") as stream:
            return decode(Dataset, stream.read(MAX_DOCUMENT_BYTES + 1), str(path))
    except (OSError, DocumentError):
        return None


def _why_no_miniature(folder: VoyageFolder) -> str:
    """Return why the miniature cannot be run here; empty where it can."""
    voyage = folder.voyage_file()
    if not folder.has(Ready) or not folder.has(Kit):
        return "no ready sheet and kit are here: nothing was rehearsed, or the cargo did not come yet"
    if voyage.voyage.role != "consignee" or folder.receipt("load") is None:
        return "the cargo is not loaded here"
    if voyage.training is None:
        return "voyage.toml has no [training]"
    if not folder.resolve(voyage.training.program).is_dir():
        return f"{voyage.training.program} is not there"
    if folder.store_place() is not None:
        return "the store is object storage, from which the miniature is not fetched"
    try:
        require_admitting(folder)
    except (AdmissionHeld, AdmissionRefused) as error:
        return f"{error.what}: {error.hint}"
    if _dataset(folder) is None:
        return "the store holds no dataset.json: the cargo is a folder as it was, which has no miniature"
    return ""


def _miniature(
    folder: VoyageFolder,
    wanted: Wanted,
    engine: Engine,
    place: Path,
    seen: Seen,
    sink: Sink,
    *,
    is_alone: bool,
) -> None:
    if why := _why_no_miniature(folder):
        seen.not_shown(miniature_again.WHAT, why)
        return
    training, dataset = folder.voyage_file().training, _dataset(folder)
    sheet = folder.read_signed(Ready)
    assert training is not None and dataset is not None
    # On one host as many workers as at home, so that losses can be the same to the last bit.
    num_workers = sheet.undisturbed.num_workers if is_alone and sheet.undisturbed is not None else training.workers
    task = miniature_again.MiniatureTask(
        python=wanted.python,
        program_folder=folder.resolve(training.program),
        command=training.command,
        folder=place,
        store=folder.resolve(folder.voyage_file().site.store),
        hosts=replace(wanted.hosts, checkpoint_copies=0),
        num_workers=num_workers,
        stall_seconds=training.stall_seconds,
    )
    sink(Notice(STAGE, f"the rehearsal's run again, {num_workers} workers a host"))
    miniature_again.run_again(task, dataset, sheet, engine, sink, seen)


def _sheet(
    folder: VoyageFolder,
    by: Literal["operator", "consignee"],
    engine: str,
    findings: list[Finding],
    hosts: tuple[str, ...],
) -> Inspection:
    return Inspection(
        shipment=folder.read_signed(Shipment).shipment if folder.has(Shipment) else None,
        by=by,
        engine=engine,
        hosts=hosts,
        kit=folder.digest(Kit) if folder.has(Kit) else None,
        ready=folder.digest(Ready) if folder.has(Ready) else None,
        promised=folder.voyage_file().site.promised,
        findings=tuple(findings),
        is_fit=not any(map(is_fault, findings)),
        finished=instant(),
    )
