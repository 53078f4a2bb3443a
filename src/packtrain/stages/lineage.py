"""lineage: from a sample to the file it was made from and the drives it travels on; from a file to all it became."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from packtrain.dataset.holdings import Holdings, KnownSource
from packtrain.documents.dataset import Dataset
from packtrain.documents.plan import Plan
from packtrain.documents.withdrawals import Withdrawals
from packtrain.errors import SourceUnreadable
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_packed_otherwise
from packtrain.training.known_run import Asked, known_run
from packtrain.training.replay import INDEX_NAME, IndexRows, in_ranges, steps_of


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What is known of one sample or one source: facts by name in the order they are told, and lists of rows."""

    what: str
    name: str
    facts: dict[str, str]
    rows: dict[str, list[dict[str, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"what": self.what, "name": self.name, "facts": self.facts, **self.rows}


def lineage(folder: VoyageFolder, root: Path, name: str, asked: Asked) -> Ancestry:
    """Return what is known of a sample by its key, or of a source by its name.

    Args:
        folder: any party's voyage folder.
        root: where its data set lies.
        name: a key of the index or of drops.parquet, or a name of sources.parquet or of a withdrawal.
        asked: what is said of the training, for the steps.

    Raises:
        SourceUnreadable: there is neither.
    """
    with Holdings(root) as holdings:
        row = holdings.sample(name)
        if row is not None:
            return _of_sample(folder, root, holdings, row, asked)
        drop = holdings.drop(name)
        if drop is not None:
            return _of_drop(holdings, drop)
        source = next((each for each in holdings.sources() if each.name == name), None)
        decided = _decisions(folder, name)
        holdings.choose([name])
        # A file of no type that is prepared is no source, and was set aside.
        if source is None and not decided and not any(True for _ in holdings.rejects()):
            raise SourceUnreadable(
                "neither a sample nor a source has this name",
                where=str(root),
                found=name,
                hint="keys are in index.parquet and drops.parquet, names of sources (no folders) in sources.parquet",
            )
        return _of_source(folder, root, holdings, name, source, decided, asked)


def _of_sample(folder: VoyageFolder, root: Path, holdings: Holdings, row: dict[str, Any], asked: Asked) -> Ancestry:
    is_table = row["kind"] == "table"
    place = f"row {row['offset']}, {row['length']} rows" if is_table else f"byte {row['offset']}, {row['length']} bytes"
    facts = {
        "kind": str(row["kind"]),
        "sha256": str(row["sha256"]),
        "source": str(row["source"]),
        "source sha256": str(row["source_sha256"]),
        "place in it": _place(row["detail"]),
        "licence files": _licence(holdings, row["source"]),
        "recipe": str(row["recipe"]),
        "split": str(row["split"]),
        "shard": f"{row['shard']}: {place}",
        **_travel(folder, str(row["shard"])),
        "seen in steps": _steps(folder, root, asked, source=None, key=row["key"]),
    }
    return Ancestry("sample", row["key"], facts, {})


def _of_drop(holdings: Holdings, row: dict[str, Any]) -> Ancestry:
    measured = "" if row["value"] is None else f", {row['value']:g} against {row['limit']:g}"
    facts = {
        "kind": str(row["kind"]),
        "sha256": str(row["sha256"]),
        "source": str(row["source"]),
        "source sha256": str(row["source_sha256"]),
        "licence files": _licence(holdings, row["source"]),
        "dropped": f"{row['reason']}: {row['rule']}{measured}",
        "kept instead": f"{row['kept_key']} of {row['kept_source']}" if row["kept_key"] else "nothing",
    }
    return Ancestry("dropped sample", row["key"], facts, {})


def _of_source(
    folder: VoyageFolder,
    root: Path,
    holdings: Holdings,
    name: str,
    source: KnownSource | None,
    decided: list[dict[str, Any]],
    asked: Asked,
) -> Ancestry:
    samples, drops, rejects = list(holdings.samples()), list(holdings.drops()), list(holdings.rejects())
    facts: dict[str, str] = {}
    if source is not None:
        facts = {
            "kind": source.kind,
            "bytes": str(source.num_bytes),
            "sha256": source.sha256 or "never read",
            "licence files": source.licence or "none",
        }
    facts |= {"samples": str(len(samples)), "dropped": str(len(drops)), "set aside": str(len(rejects))}
    if decided:
        last = decided[-1]
        facts["decided"] = f"{last['decision']} on {last['decided_on']}: {last['reason'] or 'no reason given'}"
    seen = decided[-1]["steps"] if decided and not samples else ""
    facts["seen in steps"] = seen or _steps(folder, root, asked, source=name, key=None)
    rows = {
        "samples": [{each: row[each] for each in ("key", "split", "shard", "offset", "length")} for row in samples],
        "drops": [{each: row[each] for each in ("key", "reason", "rule", "kept_key", "kept_source")} for row in drops],
        "rejects": [{each: row[each] for each in ("stage", "place", "error")} for row in rejects],
        "withdrawals": decided,
    }
    return Ancestry("source", name, facts, rows)


def _place(detail: str) -> str:
    fields: dict[str, Any] = json.loads(detail)
    return ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()) or "all of it"


def _licence(holdings: Holdings, name: str) -> str:
    return next((each.licence for each in holdings.sources() if each.name == name), "") or "none"


def _decisions(folder: VoyageFolder, name: str) -> list[dict[str, Any]]:
    if not folder.has(Withdrawals):
        return []
    return [msgspec.to_builtins(each) for each in folder.read_signed(Withdrawals).entries if each.source == name]


def _travel(folder: VoyageFolder, shard: str) -> dict[str, str]:
    """Return on which drives a shard travels, as far as it can be said without a key."""
    told: dict[str, str] = {}
    if folder.has(Dataset):
        record = next((each for each in folder.read(Dataset).shards if each.name == shard), None)
        if record is not None:
            told["shard sha256"] = record.sha256
    if not folder.has(Plan):
        return {**told, "drives": "not packed"}
    plan = folder.read_signed(Plan)
    if is_packed_otherwise(folder):
        return {**told, "drives": f"attempt {plan.attempt} was packed from another data set than the one here"}
    label = {drive.uuid: drive.label for drive in plan.drives}
    groups = [", ".join(label[drive] for drive in group.drives) for group in plan.groups]
    where = (
        f"attempt {plan.attempt}, drives {groups[0]}"
        if len(groups) == 1
        else (f"attempt {plan.attempt}, one of {len(groups)} groups: " + "; ".join(groups))
    )
    return {**told, "drives": where, "volume": "in the drives' catalogs, which the shipment's key opens"}


def _steps(folder: VoyageFolder, root: Path, asked: Asked, *, source: str | None, key: str | None) -> str:
    known = known_run(folder, asked)
    run = known.run
    if run is None:
        return "no training is known here"
    if "index" in known.origins:
        return f"not known: {known.origins['index']}"
    if not (root / INDEX_NAME).is_file():
        return "not known: there is no index here"
    rows = IndexRows(root)
    numbers = (
        rows.numbers_of([key]) if key is not None else rows.numbers_by_source([source or ""]).get(source or "", [])
    )
    return in_ranges(steps_of(rows, run, numbers))
