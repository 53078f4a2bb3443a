"""Packed files through fsspec: whole, through losses, and never past the admission. Real drives, real papers."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from msgspec import structs

from load_parts import flip
from loading_parts import FILES, LABELS, Arrived, arrive, copy_arrived
from packtrain import durable
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    BeyondRepair,
    ForeignDrive,
    KeyMissing,
    MoreDrivesWanted,
    NotAdmitted,
    SignatureInvalid,
    StageNotReady,
    UntrustedSigner,
    VoyageFileError,
    VoyageLocked,
    WrongKey,
    WrongRole,
)
from packtrain.files.file_system import ShipmentFileSystem
from packtrain.record.custody import CustodyLog
from shipment_parts import content

IMAGE = "voyage/shards/image-000000.tar"
IMAGE_BYTES = content(FILES["shards/image-000000.tar"], 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("arrived"))


@pytest.fixture
def arrived(made: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(made, tmp_path)


def _site(arrived: Arrived, *labels: str, **options: object) -> ShipmentFileSystem:
    drives = [arrived.drive(label) for label in labels or LABELS]
    return ShipmentFileSystem(folder=arrived.consignee.root, drives=drives, skip_instance_cache=True, **options)  # pyright: ignore[reportArgumentType]


def _read(url: str, **options: Any) -> bytes:
    opened: Any = fsspec.open(url, **options)
    with opened as stream:
        return stream.read()


def _volumes(arrived: Arrived, label: str) -> list[Path]:
    return sorted((arrived.drive(label) / "data").glob("*.tar.age"))


def test_the_names_and_bytes_are_those_that_were_packed(arrived: Arrived) -> None:
    fs = _site(arrived)
    assert fs.ls("", detail=False) == ["consignee"]
    assert fs.glob("voyage/shards/[a-z]*") == ["voyage/shards/image-000000.tar", "voyage/shards/table-000000.parquet"]
    assert fs.isdir("voyage/shards") and fs.isfile(IMAGE) and not fs.exists("voyage/nothing")
    about = fs.info(f"packtrain://{IMAGE}")
    assert (about["size"], about["type"]) == (len(IMAGE_BYTES), "file")
    assert about["sha256"] == hashlib.sha256(IMAGE_BYTES).hexdigest()
    assert set(FILES) <= {name.removeprefix("voyage/") for name in fs.find("voyage")}
    for number, (name, size_bytes) in enumerate(FILES.items()):
        assert fs.cat_file(f"voyage/{name}") == content(size_bytes, number)
    assert fs.cat_file(IMAGE, -10) == IMAGE_BYTES[-10:]
    assert fs.cat_ranges([IMAGE] * 2, [5, 131_000], [9, 132_000]) == [IMAGE_BYTES[5:9], IMAGE_BYTES[131_000:132_000]]
    assert not list(arrived.consignee.work.glob("names-*"))  # no catalog is left in the clear


def test_a_url_needs_no_option_and_wrappers_of_fsspec_work(
    arrived: Arrived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = arrived.folders["consignor"].root
    named = (home / "voyage.toml").read_text()
    drives = "".join(
        f'[[drives.case]]\nlabel = "{case}"\ndrives = ["../drives/{case}1", "../drives/{case}2"]\n' for case in "AB"
    )
    (home / "voyage.toml").write_text(f"{named}\n{drives}")
    path = "shards/image-000000.tar"
    assert _read(f"packtrain://{home}/{path}") == IMAGE_BYTES
    assert _read(f"packtrain://voyage/{path}::{home}") == IMAGE_BYTES
    monkeypatch.chdir(home.parent)
    assert _read(f"packtrain://consignor/{path}") == IMAGE_BYTES
    cached = f"simplecache::packtrain://{home}/{path}"
    assert _read(cached, simplecache={"cache_storage": str(tmp_path / "cache")}) == IMAGE_BYTES
    with pytest.raises(FileNotFoundError, match="voyage folder"):
        _read(f"packtrain://{tmp_path}/shards/x")


@pytest.mark.parametrize("gone", [("A1",), ("B2",), ("A1", "A2"), ("B1", "B2")])
def test_through_the_loss_of_a_drive_and_of_a_case(arrived: Arrived, gone: tuple[str, ...]) -> None:
    for label in gone:
        shutil.rmtree(arrived.drive(label))
    fs = _site(arrived, *(label for label in LABELS if label not in gone))
    rng = random.Random(1)
    with fs.open(IMAGE) as stream:
        for _ in range(20):
            at = rng.randrange(len(IMAGE_BYTES))
            stream.seek(at)
            assert stream.read(70_000) == IMAGE_BYTES[at : at + 70_000]
    for number, (name, size_bytes) in enumerate(FILES.items()):
        assert fs.cat_file(f"voyage/{name}") == content(size_bytes, number)
    # Stripe 0 has its data on A1 and A2: with them nothing needs to be rebuilt.
    assert bool(fs.num_rebuilt_blocks()) == bool({"A1", "A2"}.intersection(gone))


def test_a_damaged_block_and_a_damaged_header_are_made_good(arrived: Arrived) -> None:
    for label in ("A1", "A2"):
        for volume in _volumes(arrived, label):
            payload = bytearray(volume.read_bytes())
            payload[100] ^= 1  # the stanza
            payload[len(payload) // 2] ^= 1
            volume.write_bytes(payload)
    fs = _site(arrived)
    assert fs.cat_file(IMAGE) == IMAGE_BYTES
    assert fs.num_rebuilt_blocks()


def test_too_much_lost_names_the_file_and_the_drives_that_would_help(arrived: Arrived) -> None:
    # One of 2 + 2 is left: nothing of a stripe can be had but what lies on it.
    fs = _site(arrived, "A1")
    with pytest.raises(MoreDrivesWanted) as error:
        for name in FILES:
            fs.cat_file(f"voyage/{name}")
    assert error.value.where is not None and error.value.where.split(":")[0] in FILES
    assert error.value.hint is not None and "A2, B1" in error.value.hint
    # All are here, and three of four have lost their bytes.
    for label in ("A2", "B1", "B2"):
        for volume in (arrived.drive(label) / "data").iterdir():
            volume.write_bytes(bytes(volume.stat().st_size))
    fs = _site(arrived)
    with pytest.raises(BeyondRepair, match="that can be read"):
        for name in FILES:
            fs.cat_file(f"voyage/{name}")


def test_any_number_of_threads_and_another_process_read_the_same(arrived: Arrived) -> None:
    fs = _site(arrived, "A2", "B1", "B2")
    rng = random.Random(2)
    places = [(at, at + rng.randrange(90_000)) for at in (rng.randrange(500_000) for _ in range(40))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: fs.cat_file(IMAGE, *place), places))
    assert found == [IMAGE_BYTES[low:high] for low, high in places]
    with fs.open(IMAGE) as stream:
        stream.read(1000)
        with pickle.loads(pickle.dumps(stream)) as again:
            assert again.read(5000) == IMAGE_BYTES[1000:6000]
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, b"same" if fs.cat_file(IMAGE) == IMAGE_BYTES else b"other")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 64) == b"same"


def test_a_file_that_was_open_when_the_process_forked_is_read_by_the_child(arrived: Arrived) -> None:
    fs = _site(arrived, "B1", "B2")
    stream = fs.open(IMAGE)
    assert stream.read() == IMAGE_BYTES
    # What was rebuilt is forgotten, as after reading on: the child needs threads, and has none of its parent's.
    for files in fs._opened.values():  # pyright: ignore[reportPrivateUsage]
        files._tree._readers[0]._source._blocks.clear()  # pyright: ignore
    reader, writer = os.pipe()
    with fs._opening:  # pyright: ignore[reportPrivateUsage] - and no lock of theirs
        if (child := os.fork()) == 0:
            signal.alarm(20)
            stream.seek(0)
            os.write(writer, b"same" if stream.read() == IMAGE_BYTES else b"other")
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 64) == b"same"


def test_drives_and_folders_are_where_they_were_when_they_were_named(
    arrived: Arrived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere"
    (other / "consignee").mkdir(parents=True)
    (other / "consignee/voyage.toml").write_text("")
    monkeypatch.chdir(arrived.root)
    named: Any = {
        "drives": [f"drives/{label}" for label in LABELS],
        "without": ["drives/B2"],
        "skip_instance_cache": True,
    }
    fs, by_url = ShipmentFileSystem(folder="consignee", **named), ShipmentFileSystem(**named)
    assert by_url.exists("consignee/index.parquet")
    monkeypatch.chdir(other)
    assert fs.cat_file(IMAGE) == IMAGE_BYTES and not fs.num_rebuilt_blocks()
    # A relative URL is one of the folder that the program works in now, and never of that it left.
    with pytest.raises(VoyageFileError):
        by_url.exists("consignee/index.parquet")


def test_nothing_is_written(arrived: Arrived) -> None:
    fs = _site(arrived)
    for refused in (
        lambda: fs.open(IMAGE, "wb"),
        lambda: fs.rm(IMAGE),
        lambda: fs.pipe_file(IMAGE, b""),
        lambda: fs.mkdir("voyage/new"),
        lambda: fs.mv(IMAGE, "voyage/other"),
        lambda: fs.touch(IMAGE),
    ):
        with pytest.raises(OSError, match="never written"):
            refused()
    assert fs.cat_file(IMAGE) == IMAGE_BYTES


# --- the admission --------------------------------------------------------------------------------------------------


def test_without_an_admission_nothing_is_read_and_that_is_no_plain_no(arrived: Arrived) -> None:
    arrived.consignee.document_path(Admission).unlink()
    fs = _site(arrived)
    for ask in (fs.exists, fs.isfile, fs.ls, fs.cat_file):
        with pytest.raises(NotAdmitted):
            ask(IMAGE)
    assert not any(line.event.verb == "loaded" for line in _log(arrived))


@pytest.mark.parametrize(("verdict", "refusal"), [("refuse", AdmissionRefused), ("hold", AdmissionHeld)])
def test_what_the_operator_refused_or_holds_is_not_read(
    arrived: Arrived, verdict: str, refusal: type[Exception]
) -> None:
    admission = structs.replace(arrived.consignee.read_signed(Admission), verdict=verdict)
    arrived.consignee.write_signed(admission, arrived.operator.signer())
    with pytest.raises(refusal):
        _site(arrived).cat_file(IMAGE)


def test_an_admission_of_another_shipment_or_one_that_was_altered_opens_nothing(arrived: Arrived) -> None:
    folder = arrived.consignee
    admission = folder.read_signed(Admission)
    payload = encode(admission).replace(admission.shipment_root.encode(), b"0" * 64)
    durable.write_bytes(folder.document_path(Admission), payload)
    with pytest.raises(SignatureInvalid):
        _site(arrived).cat_file(IMAGE)


def test_what_the_operator_did_not_release_stays_closed(arrived: Arrived) -> None:
    (arrived.consignee.keys / "release.age").unlink()
    with pytest.raises(KeyMissing):
        _site(arrived).cat_file(IMAGE)
    with pytest.raises(WrongRole):
        ShipmentFileSystem(
            folder=arrived.operator.root, drives=[arrived.drive("A1")], skip_instance_cache=True
        ).cat_file(IMAGE)


def test_another_key_opens_nothing(arrived: Arrived) -> None:
    home = arrived.folders["consignor"]
    # The same key, signed, in an envelope that is to somebody else.
    shutil.copy(home.keys / "shipment.consignor.age", arrived.consignee.keys / "release.age")
    with pytest.raises(WrongKey):
        _site(arrived).cat_file(IMAGE)
    shutil.copy(arrived.operator.keys / "identity.txt", arrived.consignee.keys / "identity.txt")
    with pytest.raises(VoyageFileError):
        _site(arrived).cat_file(IMAGE)
    (home.keys / "shipment.consignor.age").unlink()
    with pytest.raises(KeyMissing):
        ShipmentFileSystem(folder=home.root, drives=[arrived.drive("A1")], skip_instance_cache=True).ls("voyage")


def test_a_drive_of_somebody_else_is_not_read(arrived: Arrived, tmp_path: Path) -> None:
    other = arrive(tmp_path / "other")
    shutil.rmtree(arrived.drive("B2"))
    shutil.copytree(other.drive("B2"), arrived.drive("B2"))
    with pytest.raises(UntrustedSigner):
        _site(arrived).cat_file(IMAGE)
    # Nor one that came under the right signature, and that the operator did not admit: here, of an admission by hand.
    folder = arrived.consignee
    admission = folder.read_signed(Admission)
    fewer = structs.replace(admission, drives=tuple(drive for drive in admission.drives[1:]))
    folder.write_signed(fewer, arrived.operator.signer())
    with pytest.raises(ForeignDrive):
        _site(arrived, "A1", "A2").cat_file(IMAGE)
    assert not [line for line in _log(arrived) if line.event.verb == "loaded"]


def test_reading_at_the_site_is_in_the_custody_log_once(arrived: Arrived) -> None:
    for _ in range(2):
        assert _site(arrived, "A1", "A2").cat_file(IMAGE) == IMAGE_BYTES
    noted = [line.event for line in _log(arrived) if line.event.verb == "loaded"]
    assert len(noted) == 1 and noted[0].by == "consignee" and "in place" in noted[0].note
    assert len(noted[0].drives) == 2
    before = len(_log(arrived))
    ShipmentFileSystem(
        folder=arrived.folders["consignor"].root, drives=[arrived.drive("A1"), arrived.drive("B1")],
        skip_instance_cache=True,
    ).cat_file(IMAGE)  # fmt: skip
    assert len(_log(arrived)) == before  # home reads its own


def test_drives_that_cannot_be_opened_were_not_read(arrived: Arrived) -> None:
    for label in LABELS:
        flip(arrived.drive(label) / "packtrain/catalog.sqlite.age", -1)
    with pytest.raises(BeyondRepair):
        _site(arrived).cat_file(IMAGE)
    assert not [line for line in _log(arrived) if line.event.verb == "loaded"]


def test_a_right_that_ends_closes_what_is_open(arrived: Arrived) -> None:
    fs = _site(arrived)
    stream = fs.open(IMAGE)
    assert stream.read(1000) == IMAGE_BYTES[:1000]
    admission = structs.replace(arrived.consignee.read_signed(Admission), verdict="hold")
    arrived.consignee.write_signed(admission, arrived.operator.signer())
    with pytest.raises(AdmissionHeld):
        fs.exists(IMAGE)
    with pytest.raises(ValueError, match="closed"):
        stream.read()
    # At home, too: where `close` destroyed the key, a program that still runs reads no further.
    home = arrived.folders["consignor"]
    fs = ShipmentFileSystem(folder=home.root, drives=[arrived.drive("A1"), arrived.drive("A2")])
    assert fs.exists(IMAGE)
    (home.keys / "shipment.consignor.age").unlink()
    with pytest.raises(KeyMissing):
        fs.exists(IMAGE)


def test_names_of_a_process_that_was_killed_are_swept_and_not_those_of_one_that_lives(arrived: Arrived) -> None:
    work = arrived.consignee.work
    work.mkdir(exist_ok=True)
    (work / "names-left").mkdir()
    (work / "names-left/catalog.sqlite").write_text("names in the clear")
    with durable.private_folder(work, "names-") as living:
        assert _site(arrived).exists(IMAGE)
        assert list(work.glob("names-*")) == [living]
    assert not list(work.glob("names-*"))


def test_a_folder_at_work_is_waited_for_and_then_named(arrived: Arrived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrain.files.opening._PATIENCE_SECONDS", 0.2)
    with durable.lock_folder(arrived.consignee.root), pytest.raises(VoyageLocked):
        _site(arrived).cat_file(IMAGE)
    assert _site(arrived).cat_file(IMAGE) == IMAGE_BYTES


def test_nothing_loaded_and_no_drives_named(arrived: Arrived) -> None:
    with pytest.raises(StageNotReady, match="nothing is loaded"):
        ShipmentFileSystem(folder=arrived.consignee.root, skip_instance_cache=True).ls("voyage")


def _log(arrived: Arrived) -> list[Any]:
    return list(CustodyLog(arrived.consignee.documents / "custody.jsonl").read(arrived.consignee.trust()))
