"""The kit in a voyage folder: built from a lock, signed, shown; and a rehearsal of one that this machine cannot run."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from image_parts import write_base
from kit_parts import make_packtrain_wheel, make_wheel
from lock_parts import OTHER, OTHER_TARGET, lock
from packtrain.cli.main import cli
from packtrain.devices.directory import DirectoryDrive
from packtrain.diligence.kit_chain import chain_of, kept_program, ready_of
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Ready
from packtrain.errors import KitError
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import rehearse
from packtrain.stages.rehearse.kit import python_of
from packtrain.training import checks
from packtrain.training.kit_held import verify_kit
from packtrain.training.target import Target
from packtrain.voyage import Voyage
from rehearsal_parts import make_voyage
from update_parts import pack_receipt
from voyage_papers import AT

PROVIDED = ("click", "cryptography", "msgspec", "pyeclib", "rfc8785", "rich", "xxhash")


def _voyage(root: Path, dependencies: Sequence[str], provided: tuple[str, ...] = (), **settings: str) -> VoyageFolder:
    """Make a voyage whose program has a lock over an index with packtrain's wheel."""
    folder = make_voyage(root / "voyage", variant="good", wheels=root, provided=provided)
    make_packtrain_wheel(root / "index" / "packtrain")
    make_wheel(root / "index" / "tiny-num", "tiny-num")
    lock(folder.root / "program", dependencies, index=root / "index")
    text = (folder.root / "voyage.toml").read_text().replace(f'wheels = "{root}"\n', "")
    more = "".join(f'{name} = "{value}"\n' for name, value in settings.items())
    (folder.root / "voyage.toml").write_text(text + more)
    return folder


@pytest.mark.long
@pytest.mark.namespaces
def test_a_kit_from_a_lock_is_rehearsed_and_signed(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain", "tiny-num"], PROVIDED)
    receipt = rehearse.rehearse(folder, DirectoryDrive, discard)
    assert receipt.facts["ready_to_leave"] == "yes, signed"
    verify_kit(folder.work / "kit", folder.read_signed(Kit))


def test_a_kit_for_a_machine_of_another_kind_is_not_shown_and_does_not_crash(tmp_path: Path):
    machine = "aarch64" if OTHER_TARGET.machine != "aarch64" else "x86_64"
    folder = _voyage(tmp_path, ["packtrain"], platform=f"{machine}-manylinux_2_28")
    receipt = rehearse.rehearse(folder, DirectoryDrive, discard)
    sheet = folder.read(Ready)
    assert {part.verdict for part in sheet.clauses} == {"not shown"}
    assert f"the kit is for linux_{machine}, and this machine is" in sheet.clauses[0].evidence
    assert not folder.signature_path(Ready).exists()
    assert receipt.facts["ready_to_leave"] == "not shown in all clauses that must be kept, not signed"


def test_a_python_that_is_not_the_targets_is_not_shown(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain"], python=OTHER)
    rehearse.rehearse(folder, DirectoryDrive, discard, python=Path(sys.executable))
    sheet = {part.clause: part for part in folder.read(Ready).clauses}
    assert sheet[checks.INSTALLS].verdict == "not shown"
    assert f"the kit is for Python {OTHER} on " in sheet[checks.INSTALLS].evidence


@pytest.mark.long
@pytest.mark.namespaces
def test_a_kit_that_could_not_be_tried_is_tried_with_the_python_that_is_named_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = _voyage(tmp_path, ["packtrain"], PROVIDED)
    run = Voyage(folder.root, discard).rehearse
    with monkeypatch.context() as patch:
        patch.setattr(rehearse.outside, "cannot_run_here", lambda *_: "no such Python is here")
        run()
        run()
    assert {part.verdict for part in folder.read(Ready).clauses} == {"not shown"}
    run(Path(sys.executable))
    assert folder.signature_path(Ready).exists()
    finished = folder.receipt("rehearse")
    assert run() == run(Path(sys.executable)) == finished


def test_a_file_that_only_has_a_pythons_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "python3.98").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.98").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_of(Target("3.98", Target.here().platform)) is None
    assert python_of(Target.here()) == Path(sys.executable)


def test_a_lock_without_packtrain_says_what_to_run(tmp_path: Path):
    folder = _voyage(tmp_path, ["tiny-num"])
    with pytest.raises(KitError, match="no wheel of packtrain") as caught:
        rehearse.build(folder, rehearse.section_of(folder))
    assert "uv add --project" in str(caught.value.hint)
    assert 'groups = ["site"]' in str(caught.value.hint)
    assert not (folder.work / "kit").exists()


def test_a_lock_with_packtrain_in_a_group_that_is_not_named_says_which(tmp_path: Path):
    folder = _voyage(tmp_path, ["tiny-num"])
    lock(
        folder.root / "program",
        ["tiny-num"],
        index=tmp_path / "index",
        more='[dependency-groups]\nsite = ["packtrain"]',
    )
    with pytest.raises(KitError, match="no wheel of packtrain") as caught:
        rehearse.build(folder, rehearse.section_of(folder))
    assert caught.value.hint == 'the lock has it in the group "site": put groups = ["site"] under [training]'


def test_a_changed_lock_makes_the_rehearsal_run_again(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain"])
    before = rehearse.inputs(folder)
    lock(folder.root / "program", ["packtrain", "tiny-num"], index=tmp_path / "index")
    changed = {name for name, digest in rehearse.inputs(folder).items() if before[name] != digest}
    assert changed == {"lock", "program"}


def test_a_ready_sheet_of_another_kit_does_not_outlive_a_new_one(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain"])
    kit = rehearse.build(folder, rehearse.section_of(folder))
    folder.document_path(Ready).write_text("of this kit")
    assert rehearse.build(folder, rehearse.section_of(folder)) == kit
    assert folder.document_path(Ready).exists()
    (folder.root / "program" / "more.py").write_text("")
    assert rehearse.build(folder, rehearse.section_of(folder)) != kit
    assert not folder.document_path(Ready).exists()


def test_kit_build_and_show_tell_what_is_in_it_and_what_is_not(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain", "tiny-num"], python=OTHER, platform=OTHER_TARGET.platform)
    built = CliRunner().invoke(cli, ["kit", "build", str(folder.root), "--offline"], catch_exceptions=False)
    assert built.exit_code == 0
    assert f"absent: the site has {OTHER}" in built.stdout
    assert "absent: the site's pip installs" in built.stdout
    shown = CliRunner().invoke(cli, ["kit", "show", str(folder.root), "--json"], catch_exceptions=False)
    contents = json.loads(shown.stdout)
    assert [one["name"] for one in contents["packages"]] == ["packtrain", "tiny-num"]
    assert contents["bytes"] == sum(file.bytes for file in folder.read_signed(Kit).files)
    assert (contents["python"], contents["platform"]) == (OTHER, OTHER_TARGET.platform)
    machine = "arm64" if OTHER_TARGET.machine == "aarch64" else "amd64"
    base = write_base(tmp_path / "base.tar", architecture=machine)
    words = ["kit", "image", str(tmp_path / "out.tar"), "--base", str(base), "--voyage", str(folder.root), "--json"]
    image = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert (image.exit_code, json.loads(image.stdout)["bytes"]) == (0, (tmp_path / "out.tar").stat().st_size)
    listed = CliRunner().invoke(cli, ["kit", "show", str(folder.root)], catch_exceptions=False)
    assert "tiny-num" in listed.stdout


def test_a_kit_that_is_built_after_departure_leaves_the_one_that_left_to_begin_an_update_with(tmp_path: Path):
    folder = _voyage(tmp_path, ["packtrain"])
    rehearse.build(folder, rehearse.section_of(folder), discard)
    left = folder.digest(Kit)
    text = (folder.work / "kit" / "program" / "train.py").read_text()
    sheet = Ready(
        shipment="7b1c0a52-3f0e-4c7b-9d7a-0c5b6f0f9a11",
        kit=left,
        miniature="1" * 64,
        box="unshare -rn",
        clauses=(checks.kept(checks.RUNS, "seen"),),
        ready_to_leave=True,
        num_steps=12,
        weights=None,
        measurements={},
        finished=AT,
    )
    folder.write_signed(sheet, folder.signer())
    pack_receipt(folder)
    (folder.root / "program" / "train.py").write_text("print('mended')\n")
    CliRunner().invoke(cli, ["kit", "build", str(folder.root), "--offline"], catch_exceptions=False)
    assert folder.digest(Kit) != left
    (first,) = chain_of(folder)
    assert first.digest == left
    assert first.kit is not None
    assert (kept_program(folder, left) / "train.py").read_text() == text
    assert ready_of(folder, first) is not None
