"""Memory does not grow with the list: four times the entries, the same peak."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import list_files
from list_files import csl_entry
from packtrain.diligence.lists import json_stream, scratch, store
from packtrain.diligence.lists.formats import read, source_of
from packtrain.diligence.lists.reading import Tally
from packtrain.documents.list_record import ListFormat
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.units import KIB

FEW, MANY = 250, 1000


def csl_json(number: int) -> str:
    return json.dumps({"results": [csl_entry(id=f"e{n}", name=f"Quagga Shipping {n} LLC") for n in range(number)]})


def eu_xml(number: int) -> str:
    head, entity, tail = list_files.EU_XML.partition("  <sanctionEntity")
    entity, end, _ = (entity + tail).partition("</sanctionEntity>\n")
    entities = ((entity + end).replace("EU.1.1", f"EU.1.{n}").replace("Quagga", f"Quagga {n}") for n in range(number))
    return head + "".join(entities) + "</export>"


def eu_csv(number: int) -> str:
    heading = list_files.EU_CSV.splitlines()[0]
    width = heading.count(";") + 1
    rows = (
        ";".join(
            {1: str(n % (number // 2)), heading.split(";").index("NameAlias_WholeName"): f"Quagga {n}"}.get(column, "")
            for column in range(width)
        )
        for n in range(number)
    )
    return heading + "\n" + "\n".join(rows) + "\n"


def ftm(number: int) -> str:
    lines = (
        {"id": f"a{n}", "schema": "Address", "properties": {"full": [f"{n} Quay Street"]}, "target": False}
        if n % 2
        else {
            "id": f"c{n}",
            "schema": "Company",
            "properties": {"name": [f"Quagga {n}"], "addressEntity": [f"a{n + 1}"]},
            "target": True,
        }
        for n in range(number)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def peak_bytes(folder: VoyageFolder, list_format: ListFormat, path: Path) -> int:
    tracemalloc.start()
    try:
        with store.EntryWriter(folder, "a-list") as writer:
            for party in read(list_format, source_of(list_format, [path], {}), Tally("a-list")):
                writer.add(party)
            assert writer.num_entries > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("list_format", "make"),
    [("csl-json", csl_json), ("eu-xml", eu_xml), ("eu-csv", eu_csv), ("opensanctions-ftm", ftm)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_memory_is_flat(
    tmp_path: Path, list_format: ListFormat, make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is held on purpose is made small, so that few entries fill it.
    monkeypatch.setattr(store, "_BATCH", 50)
    monkeypatch.setattr(scratch, "_BATCH", 50)
    monkeypatch.setattr(json_stream, "_PIECE_BYTES", 16 * KIB)
    (tmp_path / VOYAGE_FILE).write_text("")
    folder = VoyageFolder(tmp_path)
    peaks: dict[int, int] = {}
    for number in (FEW, FEW, MANY):  # the first fills caches of the interpreter
        path = tmp_path / "list"
        path.write_text(make(number), encoding="utf-8")
        peaks[number] = peak_bytes(folder, list_format, path)

    assert peaks[MANY] < peaks[FEW] + 64 * KIB, peaks
