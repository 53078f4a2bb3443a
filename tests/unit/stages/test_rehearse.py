"""The whole rehearsal: kit, drives, box, two runs, sheet. With programs that do not need torch, so that it is quick."""

import re
import shutil
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

from kit_parts import make_packtrain_wheel
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.dataset import Dataset
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Ready
from packtrain.errors import KitError, RehearsalFailed, VoyageFileError
from packtrain.events import Event, Notice, TrainingStep, discard
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import rehearse
from packtrain.stages.rehearse.outside import without_places
from packtrain.training import box as box_module
from packtrain.training import checks
from packtrain.training.kit_held import verify_kit
from packtrain.training.wheels import Target
from rehearsal_parts import COMMAND, describe_miniature, make_voyage
from tiny_dataset import make_tiny_dataset

pytestmark = pytest.mark.slow

PROVIDED = ("click", "cryptography", "msgspec", "pyeclib", "rfc8785", "rich", "xxhash")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of packtrain as it stands; what it needs is taken from this environment, as from a site."""
    folder = tmp_path_factory.mktemp("wheels")
    make_packtrain_wheel(folder)
    uv = next(iter((Path(__file__).parents[3] / "build" / "kit-wheels").glob("uv-*.whl")), None)
    if uv is not None:
        shutil.copyfile(uv, folder / uv.name)
    return folder


def _voyage(tmp_path: Path, wheels: Path, variant: str, *, hang: bool = False) -> VoyageFolder:
    return make_voyage(tmp_path / "voyage", variant=variant, wheels=wheels, provided=PROVIDED, hang=hang)


def _sheet(folder: VoyageFolder) -> dict[str, str]:
    return {part.clause: part.verdict for part in folder.read(Ready).clauses}


@pytest.mark.namespaces
def test_a_good_program_ends_with_a_signed_sheet_of_kept_clauses(tmp_path: Path, wheels: Path):
    folder = _voyage(tmp_path, wheels, "stops when asked", hang=True)
    events: list[Event] = []
    stage_inputs = rehearse.inputs(folder)
    receipt = rehearse.rehearse(folder, DirectoryDrive, events.append)

    sheet = folder.read_signed(Ready)
    assert {part.clause: part.verdict for part in sheet.clauses} == dict.fromkeys(checks.CLAUSES, "kept") | {
        checks.EXPORTS: "not shown"  # it declares nothing
    }
    assert sheet.ready_to_leave
    assert sheet.num_steps == 12
    assert sheet.weights is not None
    assert sheet.kit == folder.digest(Kit)
    # How the box is made is said once, as the sheet's box.
    assert "unshare" in sheet.box
    assert not [part for part in sheet.clauses if "unshare" in part.evidence]
    assert receipt.facts["ready_to_leave"] == "yes, signed"
    assert str(tmp_path) not in folder.payload(Ready).decode()
    assert is_fresh(folder, rehearse.STAGE, stage_inputs)
    # What it left: a kit that is whole, no key, no copy of the data.
    verify_kit(folder.work / "kit", folder.read_signed(Kit))
    assert sorted(path.name for path in folder.work.iterdir()) == ["dataset", "kit"]
    # What it told while it ran: steps of all runs came through the box.
    assert {event.attempt for event in events if isinstance(event, TrainingStep)} == {1, 2, 3, 4, 5}
    # What follows for the real size: 24 samples of the whole set, 4000 a second at the site.
    assert sheet.measurements["epoch_days_at_the_site"] == pytest.approx(24 / 4000 / 86400, abs=1e-6)
    ranges = (
        "training_days_here",
        "epoch_days_here",
        "checkpoint_interval_seconds",
        "lost_fraction",
        "restart_seconds",
    )
    for name in ranges:
        assert 0 <= sheet.measurements[f"{name}_low"] <= sheet.measurements[f"{name}_high"]
    assert sheet.measurements["read_needed_bytes_per_second"] > 0
    # A kit that lost a file could not be packed, and saying "up to date" would leave no way to have it again.
    (folder.work / "kit" / "install.sh").unlink()
    assert not is_fresh(folder, rehearse.STAGE, rehearse.inputs(folder))


@pytest.mark.namespaces
def test_the_voyage_folder_may_be_named_from_where_the_user_stands(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = _voyage(tmp_path, wheels, "good")
    monkeypatch.chdir(folder.root)
    receipt = rehearse.rehearse(VoyageFolder(Path()), DirectoryDrive, discard)
    assert receipt.facts["ready_to_leave"] == "yes, signed"


@pytest.mark.namespaces
def test_a_swallowed_network_attempt_breaks_the_sheet_and_names_its_line(tmp_path: Path, wheels: Path):
    folder = _voyage(tmp_path, wheels, "phones home")
    with pytest.raises(RehearsalFailed, match=r"train\.py:9 reached for 192\.0\.2\.1:80"):
        rehearse.rehearse(folder, DirectoryDrive, discard)
    assert _sheet(folder)[checks.NO_NETWORK] == "broken"
    assert not folder.signature_path(Ready).exists()
    assert folder.receipt(rehearse.STAGE) is None


@pytest.mark.namespaces
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash, whose /dev/tcp is no code of Python")
def test_an_attempt_of_code_that_is_not_python_is_counted_by_the_kernel(tmp_path: Path, wheels: Path):
    folder = _voyage(tmp_path, wheels, "phones home by another program")
    told = r"asked for nowhere\.example; the kernel counted \d+ sends for which there was no route, by code that is not"
    with pytest.raises(RehearsalFailed, match=told):
        rehearse.rehearse(folder, DirectoryDrive, discard)
    assert [name for name, verdict in _sheet(folder).items() if verdict == "broken"] == [checks.NO_NETWORK]


@pytest.mark.namespaces
def test_a_failing_program_breaks_the_sheet_and_leaves_its_log(tmp_path: Path, wheels: Path):
    folder = _voyage(tmp_path, wheels, "fails")
    with pytest.raises(RehearsalFailed, match="out of memory, say"):
        rehearse.rehearse(folder, DirectoryDrive, discard)
    sheet = _sheet(folder)
    assert (sheet[checks.RUNS], sheet[checks.SAVES], sheet[checks.READS_DRIVES]) == ("broken", "not shown", "kept")
    logs = (folder.logs / "rehearse" / "undisturbed").glob("*.log")
    assert any("out of memory" in path.read_text() for path in logs)
    assert not (folder.work / "rehearsal" / "identity.txt").exists()


def test_without_a_box_the_sheet_says_not_shown_and_is_not_signed(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = _voyage(tmp_path, wheels, "good")
    monkeypatch.setattr(box_module, "_find_namespaces", lambda: "the kernel refuses")
    events: list[Event] = []
    receipt = rehearse.rehearse(folder, DirectoryDrive, events.append)
    sheet = _sheet(folder)
    assert [name for name in checks.CLAUSES if sheet[name] != "kept" and name not in checks.OPTIONAL] == [
        checks.INSTALLS,
        checks.NO_NETWORK,
    ]
    assert sheet[checks.FULL_DISK] == "not shown"  # a mount would be seen by everybody
    assert not folder.read(Ready).ready_to_leave
    assert not folder.signature_path(Ready).exists()
    assert receipt.facts["box"] == "the kernel refuses"
    assert any("ready.json is not signed" in event.text for event in events if isinstance(event, Notice))


@pytest.mark.full_size  # 40 s; the demo, which is tested, rehearses the same program
@pytest.mark.needs_torch
@pytest.mark.namespaces
def test_the_reference_program_keeps_every_clause(tmp_path: Path):
    """With the wheels of the demo's kit and torch from this environment, all but the hang: 60 s on two quiet cores."""
    fetched = sorted((Path(__file__).parents[3] / "build" / "kit-wheels").glob("*.whl"))
    if not fetched:
        pytest.skip("no wheels (make kit-wheels)")
    wheels = tmp_path / "wheels"
    make_packtrain_wheel(wheels)
    for path in fetched:
        if not path.name.startswith("packtrain-"):
            (wheels / path.name).hardlink_to(path)
    folder = _voyage(tmp_path, wheels, "good")
    program = files("packtrain.training.programs") / "reference"
    shutil.rmtree(folder.root / "program")
    shutil.copytree(str(program), folder.root / "program", ignore=shutil.ignore_patterns("__pycache__"))
    command = "train.py --data {data} --ckpt {checkpoints} --out {results} --steps {steps} --checkpoint-every 4"
    text = (folder.root / "voyage.toml").read_text().replace(COMMAND, command)
    torch = version("torch").partition("+")[0]
    (folder.root / "voyage.toml").write_text(re.sub(r"provided = .*", f'provided = ["torch=={torch}"]', text))
    miniature = folder.work / "dataset" / "miniature"
    shutil.rmtree(miniature)
    make_tiny_dataset(miniature)
    folder.write(describe_miniature(miniature))

    receipt = rehearse.rehearse(folder, DirectoryDrive, discard)
    sheet = folder.read_signed(Ready)
    expected = dict.fromkeys(checks.CLAUSES, "kept") | {checks.HANGS: "not shown"}
    assert {part.clause: part.verdict for part in sheet.clauses} == expected
    assert receipt.versions["torch"].startswith(torch)


class TestInputs:
    """What makes a rehearsal run again, and what does not."""

    @pytest.fixture
    def folder(self, tmp_path: Path, wheels: Path) -> VoyageFolder:
        return _voyage(tmp_path, wheels, "good")

    def _changed(self, folder: VoyageFolder, before: dict[str, str]) -> list[str]:
        return [name for name, digest in rehearse.inputs(folder).items() if before[name] != digest]

    def test_a_changed_line_of_the_program_counts(self, folder: VoyageFolder):
        before = rehearse.inputs(folder)
        with (folder.root / "program" / "train.py").open("a") as stream:
            stream.write("# one more\n")
        assert self._changed(folder, before) == ["program"]

    def test_more_training_steps_do_not_count(self, folder: VoyageFolder):
        before = rehearse.inputs(folder)
        with (folder.root / "voyage.toml").open("a") as stream:
            stream.write("steps = 5000\n")
        assert self._changed(folder, before) == []

    def test_more_rehearsal_workers_count(self, folder: VoyageFolder):
        before = rehearse.inputs(folder)
        text = (folder.root / "voyage.toml").read_text()
        (folder.root / "voyage.toml").write_text(text.replace("workers = 2", "workers = 3"))
        assert self._changed(folder, before) == ["settings"]

    def test_another_python_counts(self, folder: VoyageFolder, monkeypatch: pytest.MonkeyPatch):
        before = rehearse.inputs(folder)
        elsewhere = Target(python="3.99", platform=Target.here().platform)
        monkeypatch.setattr(Target, "here", lambda: elsewhere)
        assert self._changed(folder, before) == ["target"]

    def test_of_the_data_set_only_the_miniature_counts(self, folder: VoyageFolder):
        before = rehearse.inputs(folder)
        dataset = folder.read(Dataset)
        folder.write(_replaced(dataset, shards=()))
        assert self._changed(folder, before) == []
        folder.write(_replaced(dataset, miniature_shards=dataset.miniature_shards[:1]))
        assert self._changed(folder, before) == ["miniature"]


def _replaced(dataset: Dataset, **fields: object) -> Dataset:
    import msgspec

    return msgspec.structs.replace(dataset, **fields)


def test_a_kit_without_packtrain_is_refused_before_anything_is_packed(tmp_path: Path):
    (tmp_path / "wheels").mkdir()
    folder = _voyage(tmp_path, tmp_path / "wheels", "good")
    with pytest.raises(KitError, match="no wheel of packtrain"):
        rehearse.rehearse(folder, DirectoryDrive, discard)
    assert not (folder.work / "rehearsal").exists()


def test_a_sheet_of_an_earlier_program_does_not_outlive_a_failed_rehearsal(tmp_path: Path):
    (tmp_path / "wheels").mkdir()
    folder = _voyage(tmp_path, tmp_path / "wheels", "good")
    for path in (folder.document_path(Ready), folder.signature_path(Ready)):
        path.write_text("of an earlier program")
    with pytest.raises(KitError):
        rehearse.rehearse(folder, DirectoryDrive, discard)
    assert not folder.has(Ready)


def test_wheels_must_be_named(tmp_path: Path, wheels: Path):
    folder = _voyage(tmp_path, wheels, "good")
    text = (folder.root / "voyage.toml").read_text()
    (folder.root / "voyage.toml").write_text(text.replace(f'wheels = "{wheels}"\n', ""))
    with pytest.raises(VoyageFileError, match=r"training\.wheels is not given"):
        rehearse.inputs(folder)


def test_a_signed_sheet_does_not_say_where_the_voyage_lies(tmp_path: Path):
    # It travels on drives; folders bear names of people and projects.
    root = tmp_path / "alice" / "secret-project"
    text = f"{root / 'work' / 'rehearsal'}/runs/a/step-1: not there; {Path.home()}/venv/bin/python; /opt/python"
    assert without_places(text, root) == "work/rehearsal/runs/a/step-1: not there; ~/venv/bin/python; /opt/python"
