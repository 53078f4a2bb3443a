"""withdraw: take sources out of the data set, or let them back in. Writes withdrawals.json; `prepare` does the rest.

The decision is signed before anything is touched: whatever happens from then on, `prepare` is stale, and brings the
data set to what the document says.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from packtrain.dataset.holdings import Holdings, is_at_or_below, matches
from packtrain.dataset.looking.look import PAGE_NAME
from packtrain.dataset.sources import SourceFile, Sources, role_of
from packtrain.digest import sha256_file
from packtrain.documents.export_list import ExportList
from packtrain.documents.plan import Plan
from packtrain.documents.withdrawals import MAX_WITHDRAWALS, Withdrawal, Withdrawals
from packtrain.errors import SourceUnreadable, VoyageFileError
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant, is_packed_otherwise
from packtrain.training.known_run import Asked, known_run
from packtrain.training.replay import INDEX_NAME, IndexRows, in_ranges, steps_of

STAGE: Final = "withdraw"
_MAX_STEPS_TEXT: Final = 4000
Decision = Literal["withdrawn", "restored"]


@dataclass(slots=True)
class Touched:
    """One source that is asked about, and what the data set holds of it.

    Attributes:
        because: why it is among them: "asked for", or "same bytes as NAME".
        steps: which training steps saw its samples; "" where no training is known.
    """

    name: str
    sha256: str | None
    because: str
    stands: Decision
    samples: list[str] = field(default_factory=list[str])
    shards: set[str] = field(default_factory=set[str])
    num_drops: int = 0
    steps: str = ""


@dataclass(slots=True)
class Outlook:
    """What a withdrawal, or its undoing, touches.

    Attributes:
        equals: samples of other sources that are the same bytes and leave as well: key and source.
        stay_out: samples of other sources that were dropped for one of these: key, source and reason.
        steps: which training steps saw any of it, or the same bytes elsewhere; "" where no training is known.
        run_from: where seed, batch, order and steps were found.
        notes: what to do beside it: drives and results.
    """

    decision: Decision
    sources: list[Touched]
    equals: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    stay_out: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    steps: str = ""
    run_from: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])

    @property
    def changed(self) -> list[Touched]:
        """Return the sources about which something new is decided."""
        return [source for source in self.sources if source.stands != self.decision]

    @property
    def num_samples(self) -> int:
        """Return how many samples of these sources are in the data set."""
        return sum(len(source.samples) for source in self.sources)

    @property
    def shards(self) -> list[str]:
        """Return the shards that hold any of them."""
        return sorted({shard for source in self.sources for shard in source.shards})

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "decision": self.decision,
            "sources": [
                {
                    "name": source.name,
                    "sha256": source.sha256,
                    "because": source.because,
                    "stood": source.stands,
                    "samples": source.samples,
                    "shards": sorted(source.shards),
                    "drops": source.num_drops,
                    "steps": source.steps or None,
                }
                for source in self.sources
            ],
            "shards": self.shards,
            "same_bytes_elsewhere": [{"key": key, "source": source} for key, source in self.equals],
            "stay_out": [{"key": key, "source": source, "reason": why} for key, source, why in self.stay_out],
            "steps": self.steps or None,
            "run_from": self.run_from,
            "notes": self.notes,
        }


def look(folder: VoyageFolder, asked: Sequence[str], decision: Decision, run: Asked) -> Outlook:
    """Return what a decision about these sources touches; nothing is written.

    Args:
        folder: the consignor's voyage folder.
        asked: names of sources, folders or patterns of them, or paths on this machine.
        decision: "withdrawn", or "restored" to undo it.
        run: what is said of the training that may have seen them.

    Raises:
        SourceUnreadable: nothing here has such a name.
        VoyageFileError: the sources are one folder that is carried as it is, or shards that were adopted.
    """
    sources = _sources(folder)
    held = folder.read_signed(Withdrawals).in_force() if folder.has(Withdrawals) else {}
    with Holdings(folder.work / "dataset") as holdings:
        known: dict[str, str | None] = {source.name: source.sha256 for source in holdings.sources()}
        known |= {name: entry.sha256 for name, entry in held.items()}
        outlook = Outlook(decision, _chosen(sources, known, held, asked, decision))
        by_name = {source.name: source for source in outlook.sources}
        holdings.choose(by_name)
        for row in holdings.samples():
            by_name[row["source"]].samples.append(row["key"])
            by_name[row["source"]].shards.add(row["shard"])
        for row in holdings.drops():
            by_name[row["source"]].num_drops += 1
        outlook.equals = [(row["key"], row["source"]) for row in holdings.equals()]
        outlook.stay_out = [(row["key"], row["source"], row["reason"]) for row in holdings.dropped_for()]
    _tell_steps(folder, outlook, run)
    _tell_drives(folder, outlook)
    return outlook


def record(folder: VoyageFolder, outlook: Outlook, reason: str) -> None:
    """Sign what is decided anew into withdrawals.json; where nothing is, it stays as it is.

    And clear what shows the data set as it was: the place of a rehearsal that was cut off, the page of pictures, and
    what a query spilled.

    Raises:
        KeyMissing: keys/signer is not there.
        VoyageFileError: so many withdrawals do not fit one document.
    """
    before = folder.read_signed(Withdrawals).entries if folder.has(Withdrawals) else ()
    at = instant()
    added = tuple(
        Withdrawal(
            source=source.name,
            sha256=source.sha256,
            decision=outlook.decision,
            reason=reason,
            decided_on=at,
            num_samples=len(source.samples),
            steps=_shortened(source.steps),
        )
        for source in outlook.changed
    )
    if len(before) + len(added) > MAX_WITHDRAWALS:
        raise VoyageFileError(
            "so many withdrawals do not fit one document",
            where=str(folder.document_path(Withdrawals)),
            expected=f"at most {MAX_WITHDRAWALS} entries",
            found=f"{len(before) + len(added)}",
            hint="take the folder out of [sources] paths instead",
        )
    if added:
        voyage = folder.voyage_file().voyage.name
        folder.write_signed(Withdrawals(voyage=voyage, entries=(*before, *added)), folder.signer())
    shutil.rmtree(folder.work / "rehearsal", ignore_errors=True)
    shutil.rmtree(folder.work / "prepare" / "spill", ignore_errors=True)  # of a `look` or `prepare` that was killed
    for path in folder.work.glob(f"{PAGE_NAME}*"):  # and a page that was not written to its end
        path.unlink(missing_ok=True)


def _sources(folder: VoyageFolder) -> Sources:
    section = folder.voyage_file().sources
    if section is None or not section.paths or section.form == "folder":
        raise VoyageFileError(
            "there are no prepared sources to withdraw from",
            where=str(folder.root / "voyage.toml"),
            hint='a folder that is carried as it is (form = "folder") is changed on disk, and packed again',
        )
    if section.form != "files":
        raise VoyageFileError(
            "shards that were adopted are carried as they are, and cannot be cut",
            where=str(folder.root / "voyage.toml"),
            found=f'form = "{section.form}"',
            hint="make the shards anew without it where they were made, and prepare again",
        )
    return Sources([folder.resolve(text) for text in section.paths], folder.root)


def _chosen(
    sources: Sources,
    known: dict[str, str | None],
    held: dict[str, Withdrawal],
    asked: Sequence[str],
    decision: Decision,
) -> list[Touched]:
    """Return the sources that are meant, and those that are the same bytes as one of them."""
    wanted: list[tuple[str, Callable[[str, str], bool]]] = []
    for text in asked:
        wanted.append((text, is_at_or_below if _is_name(sources, known, text) else matches))
        # A place on disk is never a pattern: a file may be called "a[1].csv", or "*.csv".
        if (below := sources.name_of(Path(text))) is not None:
            wanted.append((below, is_at_or_below if os.path.lexists(text) else matches))
    found = {name for name in known if any(is_meant(name, text) for text, is_meant in wanted)}
    if decision == "restored":
        found &= set(held)
    else:
        # What lies on disk and was not prepared yet: it is read once, for its digest.
        for entry in sources.walk():
            is_data = isinstance(entry, SourceFile) and role_of(entry.name) not in (None, "paper")
            if is_data and entry.name not in known and any(is_meant(entry.name, text) for text, is_meant in wanted):
                found.add(entry.name)
                known[entry.name] = sha256_file(sources.path_of(entry.name))
    if not found:
        raise SourceUnreadable(
            "no source of this name is withdrawn" if decision == "restored" else "no source of this name is known",
            where=", ".join(asked),
            hint="names are those of work/dataset/sources.parquet; a folder or a pattern names all below it",
        )
    digests: dict[str, str] = {}
    for name in sorted(found):
        if (digest := known[name]) is not None:
            digests.setdefault(digest, name)
    stands: dict[bool, Decision] = {True: "withdrawn", False: "restored"}
    touched = [Touched(name, known[name], "asked for", stands[name in held]) for name in sorted(found)]
    for name, digest in sorted(known.items()):
        if name not in found and digest in digests and (decision == "withdrawn" or name in held):
            touched.append(Touched(name, digest, f"same bytes as {digests[digest]}", stands[name in held]))
    return touched


def _is_name(sources: Sources, known: Collection[str], text: str) -> bool:
    """Return whether this is a source's own name, or a folder's, whatever signs of a pattern are in it."""
    label = text.partition("/")[0]
    is_on_disk = label in sources.labels() and "\0" not in text and os.path.lexists(sources.path_of(text.rstrip("/")))
    return is_on_disk or any(is_at_or_below(name, text) for name in known)


def _tell_steps(folder: VoyageFolder, outlook: Outlook, asked: Asked) -> None:
    found = known_run(folder, asked)
    outlook.run_from = found.origins
    root = folder.work / "dataset"
    if found.run is None or not (root / INDEX_NAME).is_file():
        return
    if "index" in found.origins:
        outlook.notes.append(f"which steps saw it cannot be said here: {found.origins['index']}")
        return
    rows = IndexRows(root)
    numbers = rows.numbers_by_source({source.name for source in outlook.sources})
    for source in outlook.sources:
        source.steps = in_ranges(steps_of(rows, found.run, numbers.get(source.name, [])))
    # The same bytes under another name were seen as well.
    equal = rows.numbers_of({key for key, _ in outlook.equals}) if outlook.equals else []
    outlook.steps = in_ranges(steps_of(rows, found.run, [*itertools.chain(*numbers.values()), *equal]))


def _tell_drives(folder: VoyageFolder, outlook: Outlook) -> None:
    """Say which drives hold what is withdrawn, and whether what was trained on it came home."""
    if outlook.decision == "restored" or not folder.has(Plan):
        return
    attempt = folder.read_signed(Plan).attempt
    told = outlook.notes
    if is_packed_otherwise(folder):
        told.append(f"drives of attempt {attempt} were packed from another data set than the one here: look into it")
    elif outlook.num_samples:
        told.append(f"drives of attempt {attempt} hold it: pack again")
    if folder.has(ExportList):
        told.append(
            f"results came home that were trained on it, in steps {outlook.steps}"
            if outlook.steps
            else "results came home; which steps saw it is not known here: give --steps and --global-batch"
        )


def _shortened(steps: str) -> str:
    return steps if len(steps) <= _MAX_STEPS_TEXT else steps[:_MAX_STEPS_TEXT].rpartition(",")[0] + ", and more"
