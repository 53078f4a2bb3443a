"""Bad input at home: one clear message, one stable code, nothing spoilt; and it goes on when the cause is gone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command_parts import Ran, Site, copy_site, deliver, done, edit, pack, packtrain, refusal
from packtrain import drives
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.documents.plan import Plan
from packtrain.ports import Drive
from packtrain.record.folder import VoyageFolder
from packtrain.units import KIB


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


# --- sources, voyage.toml, declaration -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["plan", "prepare"])
def test_a_source_that_is_not_there(home: Site, verb: str) -> None:
    data = home.root / "data"
    data.rename(home.root / "elsewhere")

    document = refusal(packtrain(verb, home.home, "--json"), 20)

    assert document["where"].endswith("../data")
    assert "[sources]" in document["hint"]
    (home.root / "elsewhere").rename(data)
    done(verb, home.home)


def test_a_source_that_may_not_be_read(home: Site) -> None:
    command = [sys.executable, "-m", "packtrain", "prepare", str(home.home), "--workers", "1", "--json"]
    if os.geteuid() == 0:  # root reads everything, unless it gives up the right to
        without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None or subprocess.run([*without, "true"], check=False).returncode:
            pytest.skip("setpriv cannot take from root the right to read every file")
        command = [*without, *command]
    picture = home.root / "data" / "noise-03.png"
    picture.write_bytes(picture.read_bytes() + b"changed")
    picture.chmod(0)

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    document = refusal(Ran(ran.returncode, ran.stdout, ran.stderr), 20)
    assert document["where"] == str(picture)
    picture.chmod(0o644)
    done("prepare", home.home, "--workers", 1)


def test_a_voyage_toml_with_a_typo(home: Site) -> None:
    edit(home.home / "voyage.toml", "shard_bytes", "shard_byts")

    document = refusal(packtrain("plan", home.home, "--json"), 10)

    assert document["where"] == str(home.home / "voyage.toml")
    assert "shard_byts" in document["what"] and "[prepare]" in document["what"]
    assert "shard_bytes" in document["expected"]
    assert document["hint"] == 'did you mean "shard_bytes"?'
    edit(home.home / "voyage.toml", "shard_byts", "shard_bytes")
    done("plan", home.home)


def test_pack_without_a_declaration(home: Site) -> None:
    done("plan", home.home)
    papers = [home.home / "documents" / name for name in ("declaration.json", "declaration.json.sig")]
    for paper in papers:
        paper.unlink()

    document = refusal(packtrain("pack", home.home, "--json"), 70)

    assert document["where"] == str(papers[0])
    assert "packtrain declare" in document["hint"]
    assert not any(path for drive in home.drives() for path in drive.iterdir())
    done("declare", home.home)
    done("pack", home.home)


# --- drives to be packed ----------------------------------------------------------------------------------------------


def test_a_drive_without_room_for_what_it_is_to_hold(home: Site) -> None:
    small = home.drive("b1")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "packtrain-test", str(small)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        done("plan", home.home)
        document = refusal(packtrain("pack", home.home, "--json"), 31)
        assert not any(path for drive in home.drives() for path in drive.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert document["where"].endswith("drives/b1")
    assert "MB free" in document["expected"] and "MB" in document["found"]
    done("pack", home.home)


def test_a_drive_that_becomes_full_while_it_is_written(home: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    done("plan", home.home)

    def opened(path: Path, serial: str | None = None) -> Drive:
        # In the middle of its first volume, as a file system that holds less than it said.
        full_after = 100 * KIB if path.name == "b1" else None
        return FaultyDrive(DirectoryDrive(path, serial), Orders(full_after_bytes=full_after))

    with monkeypatch.context() as patched:
        patched.setattr(drives, "DirectoryDrive", opened)
        document = refusal(packtrain("pack", home.home, "--json"), 31)

    assert re.search(r"drives/b1: data/0000000-0[0-3]\.(tar\.age|parity)$", document["where"])
    done("pack", home.home)
    deliver(home)
    assert home.load().exit_code == 0
    home.assert_loaded()


def test_the_same_folder_as_two_drives_of_a_plan(home: Site) -> None:
    edit(home.home / "voyage.toml", '"../drives/b1", "../drives/b2"', '"../drives/b1", "../drives/../drives/a1"')

    document = refusal(packtrain("plan", home.home, "--json"), 32)

    assert document["where"].endswith("../drives/../drives/a1")
    assert "drives/a1" in document["found"]
    edit(home.home / "voyage.toml", "../drives/../drives/a1", "../drives/b2")
    done("plan", home.home)


def test_packing_over_a_drive_of_another_shipment(home: Site, at_home: Site, tmp_path: Path) -> None:
    another = copy_site(at_home, tmp_path / "another")
    pack(another)
    shutil.copytree(another.drive("b2"), home.drive("b2"), dirs_exist_ok=True)
    done("plan", home.home)
    before = home.snapshot()

    document = refusal(packtrain("pack", home.home, "--json"), 33)

    assert document["where"].endswith("drives/b2")
    assert VoyageFolder(another.home).read(Plan).shipment in document["found"]
    assert {name: digest for name, digest in home.snapshot().items() if name.startswith("drives/")} == {
        name: digest for name, digest in before.items() if name.startswith("drives/")
    }
    shutil.rmtree(home.drive("b2"))
    home.drive("b2").mkdir()
    done("pack", home.home)
