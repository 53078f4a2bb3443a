"""A packed shipment, one of its cases lost, read by programs nobody here wrote: by URL, with nothing but the URL."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from dataset_parts import write_dataset
from loading_parts import Arrived, arrive
from packtrain.record.folder import VoyageFolder

ROOT = Path(__file__).parents[2]
NUM_ROWS = 30_000


@pytest.fixture(scope="module")
def voyage(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """Packed, at the site; case A is gone."""
    arrived = arrive(tmp_path_factory.mktemp("voyage"), make_dataset=_dataset)
    for label in ("A1", "A2"):
        arrived.drive(label).rename(arrived.root / f"gone-{label}")
    # What pip makes of pyproject.toml, for an interpreter that finds the source on its path.
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = arrived.root / "installed/packtrain-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packtrain\nVersion: 0.1.0\n")
    lines = [f"{name} = {value}" for name, value in about["entry-points"]["fsspec.specs"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[fsspec.specs]", *lines, ""]))
    return arrived


def _dataset(folder: VoyageFolder) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"day": list(range(NUM_ROWS)), "kelvin": [250 + number % 30 for number in range(NUM_ROWS)]})
    parquet = io.BytesIO()
    pq.write_table(table, parquet, row_group_size=5000)
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as tar:
        for number in range(50):
            for suffix, payload in (("txt", b"picture %d" % number), ("json", b'{"number": %d}' % number)):
                member = tarfile.TarInfo(f"{number:04d}.{suffix}")
                member.size = len(payload)
                tar.addfile(member, io.BytesIO(payload))
    contents = {
        "shards/table-000000.parquet": parquet.getvalue(),
        "shards/image-000000.tar": shard.getvalue(),
        "index.parquet": b"none",
    }
    write_dataset(folder, contents)


PROGRAMS = {
    "pandas": """
import pandas
frame = pandas.read_parquet(f"{URL}/shards/table-000000.parquet", storage_options=OPTIONS)
assert (len(frame), frame.kelvin.max()) == (30_000, 279)
frame = pandas.read_parquet(f"{URL}/shards/table-000000.parquet", columns=["day"], storage_options=OPTIONS)
assert frame.day.sum() == 449985000
""",
    "polars": """
import fsspec, polars
with fsspec.open(f"{URL}/shards/table-000000.parquet", **OPTIONS) as stream:
    assert polars.read_parquet(stream).height == 30_000
frame = polars.read_parquet(f"{URL}/shards/table-000000.parquet", use_pyarrow=True, storage_options=OPTIONS)
assert frame["kelvin"].max() == 279
with fsspec.open(f"{URL}/shards/table-000000.parquet", **OPTIONS) as stream:
    assert polars.scan_parquet(stream).filter(polars.col("day") > 29_000).collect().height == 999
""",
    "pyarrow": """
import fsspec, pyarrow.dataset, pyarrow.fs
fs, path = fsspec.url_to_fs(f"{URL}/shards", **OPTIONS)
found = pyarrow.dataset.dataset(
    [name for name in fs.find(path) if name.endswith(".parquet")], filesystem=pyarrow.fs.PyFileSystem(
        pyarrow.fs.FSSpecHandler(fs)))
assert found.count_rows(filter=pyarrow.dataset.field("day") < 10) == 10
""",
    "duckdb": """
import duckdb, fsspec
duckdb.register_filesystem(fsspec.filesystem("packtrain", **OPTIONS))
assert duckdb.sql(f"SELECT count(*), max(kelvin) FROM read_parquet('{URL}/shards/*.parquet')").fetchall() == [
    (30_000, 279)]
""",
    "datasets": """
from datasets import load_dataset
table = load_dataset("parquet", data_files=f"{URL}/shards/*.parquet", split="train", streaming=True,
                     storage_options=OPTIONS)
assert sum(1 for _ in table.take(500)) == 500
whole = load_dataset("parquet", data_files=f"{URL}/shards/*.parquet", split="train", storage_options=OPTIONS)
assert whole.num_rows == 30_000
pictures = load_dataset("webdataset", data_files=f"{URL}/shards/*.tar", split="train", streaming=True,
                        storage_options=OPTIONS)
assert [each["json"]["number"] for each in pictures] == list(range(50))
""",
    "webdataset": """
import fsspec, webdataset
from webdataset.tariterators import tar_file_expander
with fsspec.open(f"{URL}/shards/image-000000.tar", **OPTIONS) as stream:
    members = [each for each in tar_file_expander([{"url": "x", "stream": stream}]) if each]
assert len(members) == 100 and members[0]["fname"] == "0000.txt" and members[0]["data"] == b"picture 0"
""",
}


# What imports the same shares a process: starting them costs more than reading.
@pytest.mark.parametrize(
    "programs", [("pandas", "polars", "pyarrow", "duckdb"), ("datasets", "webdataset")], ids=" ".join
)
def test_programs_read_through_the_loss_of_a_case(voyage: Arrived, tmp_path: Path, programs: tuple[str, ...]) -> None:
    if missing := [name for name in programs if importlib.util.find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    options = {"drives": [str(voyage.drive("B1")), str(voyage.drive("B2"))]}
    script = f"URL = 'packtrain://{voyage.consignee.root}'\nOPTIONS = {options}\n"
    script += "".join(PROGRAMS[name] for name in programs)
    script += "\nimport os\nos._exit(0)\n"  # threads of others may abort the end of an interpreter
    environment = {
        **os.environ,
        "PYTHONPATH": f"{voyage.root / 'installed'}{os.pathsep}{ROOT / 'src'}",
        "HF_HOME": str(tmp_path),
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "0",  # another test of this process may have set it
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
