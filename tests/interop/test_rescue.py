"""rescue.py on real shipments, by a bare Python: the same damage as packtrain finds, and the same bytes come back."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from load_parts import Site, copy_site, flip, pack_template
from packtrain.documents.parties import allowed_signers
from packtrain.erasure.code import Code
from packtrain.events import discard
from packtrain.units import KIB, MIB
from packtrain.volume import layout, rescue
from packtrain.volume.scrub import scrub
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, content

Template = tuple[Packing, ShipmentWritten]


def oldest_python() -> str:
    """Return the oldest Python from 3.8 on that this machine has, else the one that runs the tests."""
    folders = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python"))
    for minor in range(8, 11):
        found = [str(path) for path in folders if path.parts[-3].startswith(f"3.{minor}.")]
        for python in (*found, f"python3.{minor}"):
            if subprocess.run(["sh", "-c", f"{python} -c ''"], capture_output=True, check=False).returncode == 0:
                return python
    return sys.executable


def rescued(verb: str, *drives: Path, onto: Path | None = None, python: str = sys.executable) -> tuple[int, str]:
    """Run the rescue.py of the first drive with no site packages and no environment; return exit code and output."""
    program = drives[0] / layout.RESCUE
    arguments = [python, "-I", "-S", str(program), verb, *map(str, drives), *(["--onto", str(onto)] if onto else [])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    sizes = {"big": 5200 * KIB, "middle": 900 * KIB, "small": 3, "empty": 0, "other": 1300 * KIB}
    return pack_template(
        tmp_path_factory.mktemp("packed"), sizes, cases=(2, 2, 2), groups=((4, 2),), target_bytes=1400 * KIB
    )


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def folders(site: Site) -> list[Path]:
    return [Path(drive.location) for drive in site.drives.values()]


def names_of_damage(site: Site) -> set[tuple[str, str]]:
    """Return (drive, volume) of all damage that packtrain's own check finds."""
    report = scrub(list(site.drives.values()), site.trust, discard)
    return {(damage.drive, damage.volume) for damage in report.damage}


def named_by_rescue(output: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    drive = ""
    for line in output.splitlines():
        if match := re.match(r"drive (\S+): ", line):
            drive = match[1]
        elif match := re.match(r"  (data/\S+): ", line):
            found.add((drive, match[1]))
    return found


def assert_as_packed(template: Template, site: Site, *labels: str) -> None:
    for label in labels:
        packed, here = template[0].folder(label), site.folder(label)
        files = {path.relative_to(packed) for path in packed.rglob("*") if path.is_file()}
        assert files == {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
        for name in files:
            assert (packed / name).read_bytes() == (here / name).read_bytes(), name
        subprocess.run(["sha256sum", "--quiet", "-c", layout.MANIFEST, layout.TAG_MANIFEST], cwd=here, check=True)


def test_its_hash_is_xxh3_for_every_class_of_length() -> None:
    lengths = [*range(520), 1023, 1024, 1025, 1087, 1088, 1089, 2048, 2049, 65_536, 65_537, MIB - 37, MIB - 1, MIB]
    for length in lengths:
        data = content(length, length)
        assert rescue.xxh3(data) == xxhash.xxh3_64_intdigest(data), length


def test_its_code_is_that_of_isa_l() -> None:
    k, m = 5, 3
    data = [content(1000, seed) for seed in range(k)]
    parity = [bytearray(1000) for _ in range(m)]
    Code(k, m).encode(data, parity)
    columns = [*data, *map(bytes, parity)]
    for chosen in ((0, 1, 2, 3, 4), (0, 2, 5, 6, 7), (1, 3, 4, 5, 7)):
        for wanted in range(k + m):
            scales = rescue.factors(k, chosen, wanted)
            assert rescue.combine(scales, [columns[c] for c in chosen], 1000) == columns[wanted]


@given(st.sets(st.integers(0, 60)))
def test_its_damaged_rows_are_those_that_were_added(rows: set[int]) -> None:
    found = rescue.Rows()
    for row in sorted(rows):
        found.add(row)
    assert {row for row in range(70) if row in found} == rows
    assert bool(found) == bool(rows)
    assert set(found.firsts) == {row for row in rows if row - 1 not in rows}
    named = [part.split("-") for part in str(found).split(", ") if part]
    assert [row for part in named for row in range(int(part[0]), int(part[-1]) + 1)] == sorted(rows)


def test_what_it_holds_of_a_volume_does_not_grow_with_its_damage() -> None:
    volume = rescue.Volume(
        {"stripe": 0, "column": 0, "drive": "", "bytes": 8 << 30, "sha256": "", "blocks_sha256": ""}, 2
    )
    gc.collect()
    tracemalloc.start()
    for row in range(volume.num_blocks):
        volume.bad.add(row)
    grown = tracemalloc.get_traced_memory()[0]
    for row in range(0, volume.num_blocks, 2):  # the worst there is: nothing of it can be put together
        volume.bad.add(volume.num_blocks + row)
    most = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 2000
    assert most < 100_000


def test_drives_of_a_group_share_what_is_held_of_its_document(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[rescue.Group] = []

    class Counted(rescue.Group):
        def __init__(self, body: dict[str, Any]) -> None:
            super().__init__(body)
            made.append(self)

    monkeypatch.setattr(rescue, "Group", Counted)
    drives, groups = rescue.gather([str(folder) for folder in folders(site)])
    assert len(made) == 1
    assert groups == made
    assert all(drive.group is made[0] for drive in drives)
    assert set(made[0].labels.values()) == set(site.drives)


def test_a_clean_shipment_is_whole_and_nothing_is_written(template: Template, site: Site) -> None:
    for verb in ("verify", "damage", "repair"):
        code, output = rescued(verb, *folders(site))
        assert (code, "0 damaged" in output) == (0, True)
    assert "group 0 (4 + 2): 6 of 6 drives here" in output
    assert_as_packed(template, site, *site.drives)


def test_flipped_bits_are_found_where_packtrain_finds_them_and_repaired_in_place(
    template: Template, site: Site
) -> None:
    for label, offset in (("A1", 5), ("C1", 1_100_000)):
        flip(site.volumes(label)[0], offset)
    code, output = rescued("damage", *folders(site))
    assert code == 40
    assert named_by_rescue(output) == names_of_damage(site) != set()
    assert re.search(r"  data/\S+: blocks 1\n", output)
    code, output = rescued("repair", *folders(site))
    assert (code, "all that was damaged is rebuilt" in output) == (0, True)
    assert_as_packed(template, site, *site.drives)
    assert rescued("verify", *folders(site))[0] == 0


def test_two_half_damaged_volumes_of_a_stripe_and_a_lost_case_help_each_other(
    template: Template, tmp_path: Path
) -> None:
    site = copy_site(template, tmp_path)
    site.lose("C1", "C2")
    stripe = [path for label in ("A1", "A2") for path in site.volumes(label) if path.name.startswith("0000000")]
    assert len(stripe) == 2
    assert min(path.stat().st_size for path in stripe) > MIB
    flip(stripe[0], 10)
    before = rescued("repair", *folders(site), onto=tmp_path / "out")
    assert before[0] == 41, "three erasures in one row are one too many"
    shutil.copy(template[0].folder("C1") / "data" / site.volumes("C1")[0].name, site.volumes("C1")[0])
    site = copy_site(template, tmp_path / "again")
    site.lose("C1")
    stripe = [path for label in ("A1", "A2") for path in site.volumes(label) if path.name.startswith("0000000")]
    flip(stripe[0], 10)
    flip(stripe[1], MIB + 10)
    code, output = rescued("repair", *folders(site))
    assert (code, output.count(" rebuilt\n")) == (0, 3)
    assert_as_packed(template, site, "A1", "A2", "B1", "B2", "C2")


def test_a_lost_case_is_written_into_a_folder_and_the_drives_stay_as_they_are(template: Template, site: Site) -> None:
    site.lose("B1", "B2")
    flip(site.volumes("A1")[0], 7)
    before = {path: path.stat().st_mtime_ns for folder in folders(site) for path in folder.rglob("*")}
    # The flipped volume's row has one erasure too many where a data volume of B lies in it too.
    code, _ = rescued("repair", *folders(site), onto=site.root / "out")
    assert code in (0, 41)
    flip(site.volumes("A1")[0], 7)
    assert rescued("repair", *folders(site), onto=site.root / "out")[0] == 0
    assert {path.relative_to(folder) for folder in folders(site) for path in folder.rglob("*.part")} == set()
    changed = {path for path, time_ns in before.items() if path.stat().st_mtime_ns != time_ns}
    assert changed == {site.volumes("A1")[0]}
    for label in ("B1", "B2"):
        packed = {path.name: path.read_bytes() for path in (template[0].folder(label) / "data").iterdir()}
        out = {path.name: path.read_bytes() for path in (site.root / "out" / label / "data").iterdir()}
        assert out == packed


def test_block_lists_manifest_and_documents_are_made_anew(template: Template, site: Site) -> None:
    a1 = site.folder("A1")
    flip(next((a1 / "packtrain/blocks").iterdir()), 3)
    (a1 / layout.MANIFEST).write_bytes(b"")
    (a1 / layout.CATALOG).unlink()
    flip(a1 / layout.SPEC, 100)
    assert rescued("verify", *folders(site))[0] == 40
    assert rescued("repair", *folders(site))[0] == 0
    assert_as_packed(template, site, "A1")


def test_nobody_waits_for_the_hash_of_a_hole_of_terabytes(template: Template, site: Site) -> None:
    volume, spec = site.volumes("A1")[0], site.folder("B1") / layout.SPEC
    for path in (volume, spec):
        os.truncate(path, 15 << 40)
    code, output = rescued("damage", *folders(site))
    assert code == 40
    assert f"  data/{volume.name}: altered, or has bytes after its end" in output
    assert f"  {layout.SPEC} is longer than it can be" in output
    assert rescued("repair", *folders(site))[0] == 0
    assert_as_packed(template, site, *site.drives)


def test_what_cannot_be_made_anew_is_said(site: Site) -> None:
    flip(site.folder("A1") / layout.TAG_MANIFEST, 3)
    flip(site.folder("A2") / layout.CUSTODY, 3)
    (site.folder("B1") / layout.DRIVE).unlink()
    code, output = rescued("repair", *folders(site))
    assert code == 41
    assert "tagmanifest-sha256.txt is damaged" in output
    assert "packtrain/custody.jsonl: no other drive here has it" in output
    assert "packtrain/drive.json cannot be opened" in output


def test_more_loss_than_the_code_survives_rebuilds_what_can_be(template: Template, site: Site) -> None:
    site.lose("A1", "A2")
    volumes = site.volumes("B1")
    flip(volumes[0], 0)
    code, output = rescued("damage", *folders(site))
    assert code == 41
    assert scrub(list(site.drives.values()), None, discard).groups[0].num_provable_stripes == len(
        template[1].groups[0].group.volumes
    ) // 6 - 1  # fmt: skip
    assert re.search(r"can be proven", output)
    code, output = rescued("repair", *folders(site), onto=site.root / "out")
    assert (code, "fewer than 4 volumes of its stripe are good" in output) == (41, True)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (layout.GROUP, b"[" * 100_000),
        (layout.GROUP, b'{"type": "packtrain.group", "version": 1, "k": ' + b"9" * 5000 + b"}"),
        (layout.PLAN, b"\xff\xfe"),
        (layout.DRIVE, b'{"type": "packtrain.drive", "version": 2}'),
        (layout.DRIVE, b'{"type": "packtrain.drive", "version": 1, "label": "../../x"}'),
        (layout.TAG_MANIFEST, b"0" * 64 + b"  ../../etc/passwd\n"),
    ],
)
def test_hostile_documents_are_a_finding_and_are_mended_where_another_drive_has_them(
    template: Template, site: Site, name: str, payload: bytes
) -> None:
    (site.folder("A2") / name).write_bytes(payload)
    code, output = rescued("repair", *folders(site))
    assert name.split("/")[-1] in output
    if name in (layout.GROUP, layout.PLAN):
        assert code == 0
        assert_as_packed(template, site, *site.drives)
    else:
        assert code == 41


def test_links_on_a_drive_are_not_followed(site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(site.volumes("A1")[0].read_bytes())
    victim = site.volumes("A1")[0]
    victim.unlink()
    victim.symlink_to(secret)
    moved = tmp_path / "elsewhere"
    shutil.move(site.folder("B1") / "data", moved)
    (site.folder("B1") / "data").symlink_to(moved)
    before = {path: path.read_bytes() for path in (secret, *moved.iterdir())}
    code, output = rescued("repair", *folders(site))
    assert code == 41
    assert "is a link, or lies behind one" in output
    assert {path: path.read_bytes() for path in (secret, *moved.iterdir())} == before


def test_no_folder_is_made_behind_a_link_on_a_drive(tmp_path: Path) -> None:
    outside, kit = tmp_path / "outside", tmp_path / "drive" / "packtrain" / "kit"
    outside.mkdir()
    kit.parent.mkdir(parents=True)
    kit.symlink_to(outside)
    with pytest.raises(rescue.Trouble, match="is a link, or lies behind one"):
        rescue.write(str(tmp_path / "drive"), "packtrain/kit/a/b", iter([b""]), "")
    assert list(outside.iterdir()) == []


def test_a_folder_on_a_drive_is_no_place_to_write_to(site: Site) -> None:
    arguments = ["repair", str(site.folder("A1")), "--onto", str(site.folder("A1") / "out")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(site.folder("A1") / layout.RESCUE), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "must not lie on a drive" in done.stderr) == (2, True)


def test_no_drive_at_all_is_said(tmp_path: Path, site: Site) -> None:
    (tmp_path / "photos").mkdir()
    done = subprocess.run(
        [sys.executable, str(site.folder("A1") / layout.RESCUE), "verify", str(tmp_path / "photos")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "no drive here can be used" in done.stdout) == (1, True)


@pytest.mark.needs_ssh_keygen
@pytest.mark.needs_age
def test_the_commands_it_prints_check_signatures_and_restore_everything(template: Template, site: Site) -> None:
    site.lose("B1", "B2")
    assert rescued("repair", *folders(site), onto=site.root / "out")[0] == 0
    code, script = rescued("commands", *folders(site), onto=site.root / "out")
    assert (code, "not here" in script) == (0, False)
    (site.root / "allowed_signers").write_text(allowed_signers(site.packing.parties))
    (site.root / "identity.txt").write_text(site.packing.identity + "\n")
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=site.root, check=True, capture_output=True)
    restored = site.root / "restored"
    for entry in site.packing.entries:
        if entry.kind == "file" and entry.size_bytes < 1400 * KIB:
            assert (restored / entry.name.decode()).read_bytes() == Path(os.fsdecode(entry.source)).read_bytes()


@pytest.mark.skipif(oldest_python() == sys.executable, reason="no Python older than 3.11 is here")
def test_it_runs_under_the_oldest_python_here(template: Template, site: Site) -> None:
    python = oldest_python()
    flip(site.volumes("A1")[0], 5)
    flip(site.folder("B1") / layout.MANIFEST, 5)
    assert rescued("damage", *folders(site), python=python)[0] == 40
    assert rescued("repair", *folders(site), python=python)[0] == 0
    assert_as_packed(template, site, *site.drives)
    site.lose("C1", "C2")
    assert rescued("repair", *folders(site), onto=site.root / "out", python=python)[0] == 0
    assert rescued("commands", *folders(site), onto=site.root / "out", python=python)[0] == 0
