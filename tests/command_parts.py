"""A tiny voyage made by the real command line, to be copied and spoilt; and what every refusal must look like."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import resource
import shutil
import signal
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from packtrain.cli.main import main
from packtrain.digest import sha256_file
from packtrain.training.canaries import canary_names

DRIVES = ("a1", "a2", "b1", "b2")
CASES = """
[[drives.case]]
label = "A"
drives = ["../drives/a1", "../drives/a2"]
carrier = "Ada Example"
seal = "S-0001"

[[drives.case]]
label = "B"
drives = ["../drives/b1", "../drives/b2"]
carrier = "Ben Example"
seal = "S-0002"
"""
_ADDRESS = 'address = "1 Street"\nlocation = "NO"\nheadquarters = "NO"\nultimate_parent = "none"\n'
DECLARATION = f"""
end_use = "forecasting"
hardware_class = "two workstations"
site_country = "NO"
returns = "weights, to the shipper"
most_bytes = "100 MB"
most_drives = 4

[shipper]
name = "Institute"
{_ADDRESS}
[operator]
name = "Hall"
{_ADDRESS}
[receiver]
same_as = "shipper"

[trained_for]
same_as = "shipper"

[data]
description = "noise"
categories = ["measurements"]
personal_data = false
erased_by = "the end of the month"
"""
NUM_IMAGES = 12


@dataclass(frozen=True)
class Ran:
    """What one command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    def document(self) -> dict[str, Any]:
        """Return the one JSON document on stdout."""
        return json.loads(self.stdout)


class _Screen(io.StringIO):
    """A terminal, to a program that asks."""

    def isatty(self) -> bool:
        return True


def packtrain(*arguments: object, typed: str | None = None) -> Ran:
    """Run `packtrain ARGS` in this process: off a terminal, or on one where somebody typed something."""
    stdout, stderr = io.StringIO(), io.StringIO() if typed is None else _Screen()
    stdin = io.StringIO() if typed is None else _Screen(typed)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with (
            mock.patch.object(sys, "argv", ["packtrain", *map(str, arguments)]),
            mock.patch.object(sys, "stdin", stdin),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            main()
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return Ran(ended.code, stdout.getvalue(), stderr.getvalue())
    finally:
        signal.signal(signal.SIGTERM, before)
    raise AssertionError("a command ends with an exit code")


def done(*arguments: object) -> Ran:
    """Run a command that must succeed."""
    ran = packtrain(*arguments)
    assert ran.exit_code == 0, ran.stderr
    return ran


@dataclass(frozen=True)
class Site:
    """The folders of one voyage below `root`: home (consignor), hall (operator), guest (consignee), drives, data."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def hall(self) -> Path:
        return self.root / "hall"

    @property
    def guest(self) -> Path:
        return self.root / "guest"

    def drive(self, name: str) -> Path:
        return self.root / "drives" / name

    def drives(self, *names: str) -> list[Path]:
        return [self.drive(name) for name in names or DRIVES]

    def load(self, *drives: Path, options: Sequence[object] = ()) -> Ran:
        """Load from these drives, or from all."""
        return packtrain("load", *(drives or self.drives()), "--voyage", self.guest, "--json", *options)

    def assert_loaded(self) -> None:
        """Assert that the store holds the data set and its miniature, bit for bit, the canaries, and nothing else."""
        source, store = self.home / "work" / "dataset", self.guest / "store"
        document = json.loads((store / "dataset.json").read_bytes())
        names = [file["name"] for file in (*document["shards"], *document["files"])]
        for name in names:
            assert (store / name).read_bytes() == (source / name).read_bytes(), name
        found = {path.relative_to(store).as_posix() for path in store.rglob("*") if not path.is_dir()}
        canaries = set(canary_names(shard["name"] for shard in document["shards"]))
        miniature = (*document["miniature_shards"], *document["miniature_files"])
        small = {f"rehearsed/{file['sha256']}" for file in miniature}
        assert all(sha256_file(store / name) == name.removeprefix("rehearsed/") for name in small)
        assert found == {"dataset.json", *names, *canaries, *small}

    def snapshot(self) -> dict[str, str]:
        """Return what lies below root: SHA-256 of a file, target of a link.

        But for party.toml, a copy of the own public keys, which every verb keeps current; and for live.json, in which
        a stage tells how far it is.
        """
        return {
            path.relative_to(self.root).as_posix(): f"-> {path.readlink()}" if path.is_symlink() else sha256_file(path)
            for path in sorted(self.root.rglob("*"))
            if (path.is_symlink() or path.is_file()) and path.name not in ("party.toml", "live.json")
        }


def prepared(root: Path) -> Site:
    """Make three parties that know each other, data, and the declared, prepared voyage of the consignor."""
    site = Site(root)
    for role, folder in (("consignor", site.home), ("operator", site.hall), ("consignee", site.guest)):
        done("init", folder, "--role", role, "--name", "tiny")
    pages = {folder: (folder / "keys" / "party.toml").read_text() for folder in (site.home, site.hall, site.guest)}
    for folder in pages:
        with (folder / "voyage.toml").open("a") as file:
            file.write("".join(page for other, page in pages.items() if other != folder))
    for drive in site.drives():
        drive.mkdir(parents=True)
    write_data(root / "data")
    voyage_toml = site.home / "voyage.toml"
    text = re.sub(r"^paths = .*$", 'paths = ["../data"]', voyage_toml.read_text(), flags=re.MULTILINE)
    voyage_toml.write_text(text.replace("[prepare]\n", "[prepare]\nshard_bytes = 100_000\n") + CASES)
    (site.home / "declaration.toml").write_text(DECLARATION)
    done("prepare", site.home, "--workers", 1)
    done("declare", site.home)
    return site


def pack(site: Site) -> None:
    """Plan and pack."""
    done("plan", site.home)
    done("pack", site.home)


def deliver(site: Site) -> None:
    """From packed drives to a site that can load: sealed, handed over, admitted, papers exchanged."""
    done("carry", "seal", "--voyage", site.home)
    done("carry", "release", "A", "B", "--to", "operator", "--into", site.root / "out.jsonl", "--voyage", site.home)
    done("carry", "accept", site.root / "out.jsonl", "--into", site.root / "answer.jsonl", "--voyage", site.hall)
    done("carry", "adopt", site.root / "answer.jsonl", "--voyage", site.home)
    done("dossier", "export", site.root / "to-hall", "--to", "operator", "--voyage", site.home)
    mounted = [argument for drive in site.drives() for argument in ("--drive", drive)]
    done("admit", site.root / "to-hall", *mounted, "--voyage", site.hall)
    done("dossier", "export", site.root / "to-guest", "--to", "consignee", "--voyage", site.hall)
    done("dossier", "import", site.root / "to-guest", "--voyage", site.guest)


def copy_site(template: Site, root: Path) -> Site:
    """Return a copy of a voyage. What was not planned yet can be packed there: a plan holds absolute paths."""
    shutil.copytree(template.root, root, dirs_exist_ok=True, symlinks=True)
    return Site(root)


def write_data(folder: Path) -> None:
    """Write a table and some pictures of noise, which no format makes smaller: the cargo fills several stripes."""
    folder.mkdir()
    (folder / "readings.csv").write_text("day,kelvin\n" + "".join(f"{day},{250 + day % 30}\n" for day in range(200)))
    noise = random.Random(1)
    for number in range(NUM_IMAGES):
        rows = b"".join(b"\0" + noise.randbytes(256) for _ in range(256))
        (folder / f"noise-{number:02}.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + _chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 8, 0, 0, 0, 0))
            + _chunk(b"IDAT", zlib.compress(rows))
            + _chunk(b"IEND", b"")
        )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def refusal(ran: Ran, exit_code: int) -> dict[str, Any]:
    """Assert the shape that every refusal has; return its fields.

    One line that says what and where, the next step on a second, the code; the same as one document with --json.
    """
    said = [line for line in ran.stderr.splitlines() if "warning" not in line]
    assert ran.exit_code == exit_code, ran.stderr
    assert [line.partition(": ")[2].partition(":")[0] for line in said[-2:]] == ["error", "hint"], ran.stderr
    assert ran.stderr.count("packtrain: error: ") == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    document = ran.document()
    assert document["exit_code"] == exit_code
    assert document["what"] and document["where"] and document["hint"], document
    assert document["what"] in said[-2] and document["where"] in said[-2]
    return document


def edit(path: Path, old: str, new: str) -> None:
    """Replace some text of a file; it must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow larger: to a program this is what a full file system is, errno apart."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
