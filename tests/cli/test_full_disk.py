"""A disk that is full or for reading only: one message with what, where and how to go on, and no traceback."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import packtrain as package
from command_parts import Site, copy_site, deliver, done, pack, packtrain, refusal

FULL, REFUSED = 31, 3


@contextmanager
def _disk(point: Path, size: str, *options: str) -> Iterator[Path]:
    """Mount an empty small disk at a folder, with what the folder held."""
    point.mkdir(parents=True, exist_ok=True)
    held = point.with_name(f"{point.name}-held")
    shutil.copytree(point, held, symlinks=True)
    mount = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "packtrain-test", str(point)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        shutil.copytree(held, point, symlinks=True, dirs_exist_ok=True)
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def _fill(folder: Path) -> None:
    """Leave no byte in the file system of a folder."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


def test_prepare_on_a_disk_that_becomes_full(home: Site) -> None:
    shutil.rmtree(home.home / "work")
    (home.home / "receipts" / "prepare.json").unlink()
    with _disk(home.home / "work", "1m"):
        ran = packtrain("prepare", home.home, "--workers", 1, "--json")
        document = refusal(ran, ran.exit_code)

    assert ran.exit_code in (FULL, REFUSED)
    assert "room" in document["hint"] or "larger" in document["hint"], document
    done("prepare", home.home, "--workers", 1)


def test_plan_on_a_disk_without_room_for_its_document(home: Site) -> None:
    with _disk(home.home / "documents", "256k") as documents:
        _fill(documents)
        ran = packtrain("plan", home.home, "--json")
        document = refusal(ran, ran.exit_code)
        assert not (documents / "placement.json").exists()

    assert ran.exit_code in (FULL, REFUSED)
    assert str(home.home) in document["where"] and "room" in document["hint"], document
    done("plan", home.home)


def test_pack_where_the_voyage_folder_is_full(home: Site) -> None:
    done("plan", home.home)
    with _disk(home.home / "documents", "256k") as documents:
        _fill(documents)
        ran = packtrain("pack", home.home, "--json")
        document = refusal(ran, ran.exit_code)

    assert ran.exit_code in (FULL, REFUSED)
    assert "room" in document["hint"], document
    done("pack", home.home)


def test_load_into_a_store_that_is_too_small(home: Site) -> None:
    pack(home)
    deliver(home)
    with _disk(home.guest / "store", "400k"):
        document = refusal(home.load(), FULL)

    assert "store" in document["where"]
    assert home.load().exit_code == 0
    home.assert_loaded()


def test_a_folder_for_reading_only_is_a_message(home: Site) -> None:
    with _disk(home.home / "documents", "1m") as documents:
        subprocess.run(["mount", "-o", "remount,ro", str(documents)], check=True)
        document = refusal(packtrain("plan", home.home, "--json"), REFUSED)

    assert "read-only" in document["what"].lower() and "mount it for writing" in document["hint"]
    assert document["where"].startswith(str(home.home))


def test_too_few_open_files_say_which_limit(home: Site) -> None:
    done("plan", home.home)
    argv = ["sh", "-c", 'ulimit -n 24; exec "$@"', "sh", sys.executable, "-m", "packtrain", "pack", str(home.home)]
    variables = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    ran = subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=120)

    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert "ulimit -n" in ran.stderr, ran.stderr
    done("pack", home.home)


def test_a_cluster_that_is_not_there_is_named(home: Site) -> None:
    pytest.importorskip("ray")
    shutil.rmtree(home.home / "work")
    (home.home / "receipts" / "prepare.json").unlink()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        text = (home.home / "voyage.toml").read_text()
        (home.home / "voyage.toml").write_text(
            text.replace("[prepare]\n", f'[prepare]\nengine = "ray"\nray_address = "{address}"\n')
        )
        document = refusal(packtrain("prepare", home.home, "--json"), 27)

    assert document["where"] == address and "ray start --head" in document["hint"]
