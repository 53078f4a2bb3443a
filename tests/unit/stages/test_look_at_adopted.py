"""`look` shows what lies in adopted shards, out of these shards, and nothing of what the data scan found."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.looking.look import Wanted
from packtrain.engines.processes import ProcessMapper
from packtrain.events import Event, Progress
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.stages.init import init
from packtrain.stages.prepare import prepare
from packtrain.stages.prepare.looking import look
from shard_parts import adopting_folder, samples, tar_of
from source_parts import ignore


def _adopted(root: Path, raw: Path, form: str, recipe: str = "") -> VoyageFolder:
    init(root / "voyage", "test voyage", "consignor")
    folder = adopting_folder(root / "voyage", raw, form, recipe)
    sync_parties(folder)  # values are shown only where the signature of the data scan holds
    prepare(folder, ProcessMapper(0), ignore)
    return folder


def test_pictures_kept_dropped_and_copied_are_those_in_the_shards(tmp_path: Path) -> None:
    raw = tmp_path / "pictures"
    raw.mkdir()
    (raw / "a.tar").write_bytes(tar_of([*samples(6, 1), *samples(6, 1, prefix="again-")]))
    wide = '[[prepare.filter]]\nkind = "image"\nmeasure = "width_pixels"\nmin = 30'
    told: list[Event] = []
    found = look(_adopted(tmp_path, raw, "webdataset", wide), Wanted(), told.append)
    assert Progress("look", "drawing images by lot") in told
    shown = [each for sheet in found.sheets for each in sheet.shown]
    shown += [each for drops in found.filters for each in (*drops.nearest, *drops.farthest)]
    shown += [copies.kept for copies in found.copies]
    assert len(shown) >= 2 + 6 + 2
    assert {thumb.error for each in shown for thumb in each.thumbs} == {""}
    assert all(each.thumbs[0].payload for each in shown)
    assert not found.makings


def test_tables_are_read_where_they_lie_and_what_was_found_in_them_stays_hidden(tmp_path: Path) -> None:
    raw = tmp_path / "tables"
    raw.mkdir()
    mail = [f"secret{number}@example.org" for number in range(100)]
    pq.write_table(pa.table({"n": list(range(100)), "contact": mail}), raw / "t.parquet", row_group_size=30)
    (table,) = look(_adopted(tmp_path, raw, "parquet"), Wanted()).tables
    assert (table.error, table.num_read, table.num_columns) == ("", 100, 2)
    assert [column.name for column in table.columns] == ["n", ""]
    assert table.columns[1].findings
    assert "secret" not in repr(table)
