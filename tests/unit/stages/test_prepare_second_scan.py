"""The second engine of the data scan inside `prepare`: asked for, missing, switched on, and without a network."""

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.dataset import work_units
from packtrain.dataset.recipe import recipe_digest
from packtrain.dataset.scan import presidio
from packtrain.dataset.sources import SourceFile
from packtrain.diligence.scan_findings import findings_of
from packtrain.documents.data_scan import DataScan
from packtrain.documents.dataset import Dataset, Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.documents.voyage_file import decode_voyage_file
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import MissingDependency, VoyageFileError
from packtrain.events import Event
from packtrain.record.folder import VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.stages.prepare import inputs, prepare
from source_parts import csv_text, ignore, png, voyage_folder

ASKED = 'scan_also_with = "presidio"'
CELLS = [f'{i},"(212) 555-{i:04d}","secret{i} paid from GB82 WEST 1234 5698 7654 3{i % 10}"' for i in range(40)]
needs_presidio = pytest.mark.skipif(
    importlib.util.find_spec("presidio_analyzer") is None, reason="presidio-analyzer is not installed (the extra pii)"
)


def _folder(root: Path, recipe: str) -> VoyageFolder:
    raw = root / "raw"
    raw.mkdir(exist_ok=True)
    if not any(raw.iterdir()):
        (raw / "people.csv").write_text("id,value,note\n" + "\n".join(CELLS) + "\n")
        (raw / "plain.csv").write_bytes(csv_text(40))
        (raw / "a.png").write_bytes(png())
    folder = voyage_folder(root / "voyage", raw, recipe)
    if not (folder.keys / "identity.txt").exists():
        (folder.keys / "identity.txt").write_text(age.generate_identity() + "\n")
        sync_parties(folder)
    return folder


def _unit_id(kind: Kind, recipe: RecipeSection) -> str:
    (unit,) = work_units.slice_sources([(kind, SourceFile("raw/a", 1, 1))], recipe, 1 << 20)
    return unit.unit_id


def test_an_engine_that_is_asked_for_and_not_installed_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "presidio" in name else True)
    folder = _folder(tmp_path, ASKED)
    with pytest.raises(MissingDependency) as caught:
        prepare(folder, ProcessMapper(0), ignore)
    assert caught.value.hint is not None and "packtrain[pii]" in caught.value.hint
    assert not folder.work.exists()


def test_a_version_without_the_recognisers_is_told_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer.predefined_recognizers", os)
    presidio.engine.cache_clear()
    with pytest.raises(MissingDependency):
        presidio.engine()


def test_another_engine_is_a_mistake_in_the_file() -> None:
    text = b'[voyage]\nname = "x"\n[prepare]\nscan_also_with = "other"\n'
    with pytest.raises(VoyageFileError):
        decode_voyage_file(text, "voyage.toml")


def test_the_engine_and_its_version_are_in_the_identity_of_tables_and_not_in_that_of_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, asked = RecipeSection(), RecipeSection(scan_also_with="presidio")
    assert recipe_digest(plain) == recipe_digest(asked)
    ids = {_unit_id("table", plain)}
    for version in ("2.2.366", "2.2.367"):
        monkeypatch.setattr(presidio, "versions", lambda version=version: {"presidio-analyzer": version})
        ids.add(_unit_id("table", asked))
        assert _unit_id("image", asked) == _unit_id("image", plain)
    assert len(ids) == 3


def test_switching_it_on_or_off_makes_prepare_stale_whether_or_not_it_is_installed(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "")
    prepare(folder, ProcessMapper(0), ignore)
    assert is_fresh(folder, "prepare", inputs(folder))
    folder = _folder(tmp_path, ASKED)
    assert not is_fresh(folder, "prepare", inputs(folder))
    folder = _folder(tmp_path, "")
    assert is_fresh(folder, "prepare", inputs(folder))


@needs_presidio
def test_what_it_finds_stands_beside_the_own_findings_with_its_version_and_no_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = _folder(tmp_path, "")
    prepare(first, ProcessMapper(0), ignore)
    own, dataset = first.read_signed(DataScan), first.read(Dataset)
    assert not [each for each in own.detectors if each.name.startswith("presidio")]

    folder = _folder(tmp_path, ASKED)
    events: list[Event] = []
    with caplog.at_level(logging.DEBUG):
        receipt = prepare(folder, ProcessMapper(0), events.append)
    scan = folder.read_signed(DataScan)
    version = presidio.versions()["presidio-analyzer"]
    added = [each for each in scan.columns if each not in own.columns]
    assert {each.detector.partition(":")[0] for each in added} == {"presidio"}
    phones = next(each for each in added if each.detector == "presidio:PHONE_NUMBER" and each.column == 2)
    assert (phones.num_hits, phones.num_sampled, phones.is_finding) == (40, 40, True)
    told = "\n".join(findings_of(folder) or ())
    assert f"telephone numbers (presidio-analyzer {version}) in 40 of 40" in told
    assert receipt.versions["presidio-analyzer"] == version
    assert receipt.counts["units_reused"] == 1  # the picture; tables are scanned anew
    assert [shard.sha256 for shard in folder.read(Dataset).shards] == [shard.sha256 for shard in dataset.shards]
    said = [caplog.text, *map(str, events)]
    said += [path.read_text() for place in ("documents", "receipts") for path in (folder.root / place).iterdir()]
    said += [path.read_text() for path in (folder.work / "prepare").rglob("*.receipt.json")]
    assert not [text for text in said if "secret" in text or "555-" in text or "GB82" in text]


@needs_presidio
@pytest.mark.namespaces
def test_it_works_in_worker_processes_where_there_is_no_network_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ASKED)
    script = tmp_path / "boxed.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from packtrain.engines.processes import ProcessMapper\n"
        "from packtrain.record.folder import VoyageFolder\nfrom packtrain.stages.prepare import prepare\n"
        "if __name__ == '__main__':\n"
        "    folder = VoyageFolder(Path(sys.argv[1]))\n"
        "    print(prepare(folder, ProcessMapper(2), lambda event: None).counts['scan_findings'])\n"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, str(script), str(folder.root)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path / "home")},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0
    assert not (tmp_path / "home").exists()
