"""The page on how to add a kind is followed to the letter: its record and its reader make samples in a real voyage."""

import re
import sys
import types
import wave
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest

from packtrain.dataset import card, sources
from packtrain.dataset.kinds import registry
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Piece
from packtrain.dataset.sources import SourceFile, Sources
from packtrain.dataset.unit_reader import read_unit
from packtrain.dataset.work_units import ReadJob, Unit, UnitFolder, slice_sources
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "add-a-kind.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
RECORD = next(block for block in _BLOCKS if "KindSpec(" in block)
READER = next(block for block in _BLOCKS if "def pieces_of_sound" in block)


def _sound(path: Path, num_frames: int = 800, channels: int = 1) -> bytes:
    with wave.open(str(path), "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(bytes(range(250)) * (num_frames * 2 * channels // 250 + 1))
    return path.read_bytes()


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register the page's record and reader for the time of a test."""
    module = types.ModuleType("packtrain.dataset.kinds.sounds")
    exec(compile(READER, "sounds.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = eval(RECORD.strip().rstrip(","), {"KindSpec": registry.KindSpec})
    monkeypatch.setitem(registry.KINDS, "sound", spec)  # type: ignore[arg-type]
    for suffix in spec.suffixes:
        monkeypatch.setitem(registry.KIND_OF_SUFFIX, suffix, "sound")  # type: ignore[arg-type]
    return module


def test_the_record_is_complete_and_the_reader_is_where_it_says(sound: Any) -> None:
    spec = registry.KINDS["sound"]  # type: ignore[index]
    module, _, function = spec.reader.partition(":")
    assert (module, hasattr(sound, function)) == (sound.__name__, True)
    assert spec.shard_form == "tar"
    assert sources.role_of("raw/a.wav") == "sound"


def test_samples_of_the_new_kind_come_out_of_the_real_unit_reader(sound: Any, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    whole = _sound(raw / "a.wav")
    (raw / "cut.wav").write_bytes(whole[:-100])
    (raw / "text.wav").write_bytes(b"no sound")
    found = [(path, path.stat()) for path in sorted(raw.iterdir())]
    files = [SourceFile(f"raw/{path.name}", stat.st_size, stat.st_mtime_ns) for path, stat in found]
    kind: Any = "sound"
    folder = UnitFolder(tmp_path / "units")
    # The receipt's kind is checked when it is read; what is written here is looked at as bytes.
    (unit,) = slice_sources(((kind, file) for file in files), RecipeSection(), 1 << 30)
    receipt = read_unit(ReadJob(unit, Sources([raw], tmp_path / "voyage"), RecipeSection(), folder))
    assert {reject.path for reject in receipt.rejects} == {"raw/cut.wav", "raw/text.wav"}
    (row,) = pq.read_table(folder.samples(unit.unit_id)).to_pylist()
    assert (row["kind"], row["source"], row["suffix"]) == ("sound", "raw/a.wav", "wav")
    assert dict(row["measures"])["seconds"] == pytest.approx(len(whole) / 16_000, abs=0.01)
    assert set(dict(row["measures"])) == set(registry.KINDS[kind].measures)


def test_the_reader_of_the_page_refuses_what_it_says(sound: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    whole = _sound(path)
    for payload in (b"", whole[:20], whole[: len(whole) // 2], b"RIFF" + bytes(60)):
        path.write_bytes(payload)
        with path.open("rb") as stream, pytest.raises(Damaged):
            list(sound.pieces_of_sound(OpenSource("a.wav", "wav", stream, len(payload)), RecipeSection()))
    path.write_bytes(whole)
    with path.open("rb") as stream:
        (piece,) = sound.pieces_of_sound(OpenSource("a.wav", "wav", stream, len(whole)), RecipeSection())
    assert isinstance(piece, Piece) and piece.payload is None


def test_cards_and_shards_take_their_names_from_the_record(sound: Any) -> None:
    from packtrain.dataset.shards import _shard_name  # pyright: ignore[reportPrivateUsage]

    kind: Any = "sound"
    assert _shard_name(kind, "", "", 3) == "shards/sounds-000003.tar"
    assert card.form_of(kind) == ("sounds", "application/x-tar", "sounds-*.tar")
    assert card.form_of("table") == ("tables", "application/x-parquet", "tables/*.parquet")


def test_the_places_that_the_page_names_are_those_that_list_the_kinds() -> None:
    told = set(re.findall(r"^\d\. \*\*`([a-z_/.]+)`\*\*", PAGE, flags=re.MULTILINE))
    assert {name for name in told if not (ROOT / "src" / "packtrain" / name).exists()} == {"dataset/kinds/sounds.py"}
    # The one list of names that the types are made of.
    text = (ROOT / "src" / "packtrain" / "documents" / "dataset.py").read_text(encoding="utf-8")
    assert f"Kind = Literal[{', '.join(repr(k).replace(chr(39), chr(34)) for k in get_args(Kind))}]" in text
    assert set(get_args(Kind)) == set(registry.KINDS)
    assert Unit.__name__ == "Unit"
