"""A kit that was lost after it was updated comes back: the one that left from the drives, the rest from the updates."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from death_parts import dies_at
from load_parts import flip
from loading_parts import LABELS, Arrived, arrive, copy_arrived
from packtrain.digest import sha256_tree
from packtrain.documents.admission import Admission
from packtrain.errors import KitError, KitUpdateRefused, MoreDrivesWanted, SignatureMissing
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import load, train, update
from packtrain.stages.update import Told
from packtrain.volume import layout
from packtrain.voyage import Voyage
from update_parts import COMMAND, PROGRAM, WHEELS, rehearse, yes
from voyage_papers import tree

# The second update leaves alone what the first brought, and both a wheel and a file that left on the drives.
ONE = {**PROGRAM, "train.py": "print('one')\n", "lib/one.py": "B = 1\n"}
TWO = {**ONE, "train.py": "print('two')\n"}
BETA = "wheels/beta-2.0-py3-none-any.whl"


def signed(arrived: Arrived, name: str, program: Mapping[str, str], wheels: Mapping[str, str] = WHEELS) -> str:
    """Make an update at home and countersign it; return the name of its file."""
    rehearse(arrived.folders["consignor"], program, wheels)
    update.make(arrived.folders["consignor"], arrived.root / name, "it failed", discard)
    update.countersign(arrived.operator, arrived.root / name, yes)
    return name


def apply(arrived: Arrived, name: str) -> Told:
    return update.apply(arrived.consignee, arrived.root / name, arrived.events.append)


def load_again(arrived: Arrived, *labels: str) -> str:
    """Load as the command does, which runs nothing where all is there; return what the receipt says of the kit."""
    voyage = Voyage(arrived.consignee.root, arrived.events.append)
    return voyage.load([arrived.drive(label) for label in labels or LABELS]).facts["kit"]


def next_command(arrived: Arrived) -> str | None:
    voyage = Voyage(arrived.consignee.root, discard)
    return voyage.next_step(voyage.states()).command


def assert_train_refuses(arrived: Arrived) -> None:
    folder = arrived.consignee
    with pytest.raises(KitError, match=r"not the one that was rehearsed|not the one in force"):
        program = folder.resolve("work/kit/program")
        train._check_program(folder, program, sha256_tree(program))  # pyright: ignore[reportPrivateUsage]


def lose(arrived: Arrived) -> None:
    shutil.rmtree(arrived.consignee.work / "kit")


def damage(arrived: Arrived) -> None:
    """Turn a bit of a file that no update brings, its length as it was."""
    flip(arrived.consignee.work / "kit" / BETA, 100)


def papers_of_the_kit(arrived: Arrived) -> dict[str, str]:
    documents = tree(arrived.consignee.documents)
    return {name: seal for name, seal in documents.items() if "kit" in name or "ready" in name}


def kit_of(arrived: Arrived) -> dict[str, str]:
    return tree(arrived.consignee.work / "kit")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """Return a voyage that is loaded, with one update in force."""
    root = tmp_path_factory.mktemp("once")

    def make_kit(folder: VoyageFolder) -> None:
        path = folder.root / VOYAGE_FILE
        path.write_text(f'{path.read_text()}\n[training]\nprogram = "program"\ncommand = "{COMMAND}"\n')
        rehearse(folder)

    arrived = arrive(root, with_kit=True, make_kit=make_kit)
    path = arrived.consignee.root / VOYAGE_FILE
    path.write_text(f'{path.read_text()}\n[training]\nprogram = "work/kit/program"\ncommand = "{COMMAND}"\nsteps = 8\n')
    arrived.load()
    apply(arrived, signed(arrived, "1.update", ONE))
    return arrived


@pytest.fixture(scope="module")
def template(once: Arrived, tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    """Return the same with two updates in force."""
    arrived = copy_arrived(once, tmp_path_factory.mktemp("twice"))
    apply(arrived, signed(arrived, "2.update", TWO, {"alpha": "1.1", "beta": "2.0"}))
    return arrived


@pytest.fixture
def arrived(template: Arrived, tmp_path: Path) -> Arrived:
    return moved(template, tmp_path)


def moved(template: Arrived, root: Path) -> Arrived:
    """Return a copy that has a receipt of its own: where the store lies is among what a receipt names."""
    arrived = copy_arrived(template, root)
    load_again(arrived)
    return arrived


@pytest.mark.parametrize("harm", [lose, damage])
def test_after_one_update_load_and_its_file_bring_the_kit_back(
    once: Arrived, tmp_path: Path, harm: Callable[[Arrived], None]
) -> None:
    arrived = moved(once, tmp_path)
    whole, papers = kit_of(arrived), papers_of_the_kit(arrived)
    harm(arrived)
    with pytest.raises(KitUpdateRefused, match="not in the kit here") as caught:
        apply(arrived, "1.update")
    assert caught.value.hint is not None
    assert '"packtrain load DRIVES" brings the kit that left' in caught.value.hint
    assert load_again(arrived) == "the kit that left on the drives, and update 1 is in force"
    assert "Apply update 1 again" in arrived.notices()
    assert_train_refuses(arrived)
    apply(arrived, "1.update")
    assert kit_of(arrived) == whole
    assert papers_of_the_kit(arrived) == papers


@pytest.mark.parametrize("harm", [lose, damage])
def test_after_two_updates_both_are_applied_again(arrived: Arrived, harm: Callable[[Arrived], None]) -> None:
    whole = kit_of(arrived)
    harm(arrived)
    receipt = arrived.consignee.receipt("load")
    assert receipt is not None
    # One drive that has the kit is enough, as the cargo is in the store.
    assert load_again(arrived, "B1") == "the kit that left on the drives, and update 2 is in force"
    assert 'Apply updates 1 to 2, one after the other, again: "packtrain update apply FILE"' in arrived.notices()
    assert next_command(arrived) == "packtrain update apply FILE"
    after = arrived.consignee.receipt("load")
    assert after is not None
    assert (after.inputs, after.counts) == (receipt.inputs, receipt.counts)
    assert_train_refuses(arrived)
    # What the first brought does not travel in the second.
    with pytest.raises(KitUpdateRefused, match=r"lib/one\.py is missing") as caught:
        apply(arrived, "2.update")
    assert caught.value.hint is not None
    assert "from 1 to 2" in caught.value.hint

    first = arrived.root / "1.update"
    assert update.show(arrived.consignee, first).standing.startswith("was in force here, and can be applied again:")
    assert "kit update was taken before" in update.show(arrived.operator, first).standing
    told = apply(arrived, "1.update")
    assert "that of update 2 is in force" in told.standing
    assert told.steps_next[0].startswith("update 2, from its file")
    assert (arrived.consignee.work / "kit" / "program" / "train.py").read_text() == "print('one')\n"
    assert_train_refuses(arrived)
    assert load_again(arrived) == "the kit of update 1, and update 2 is in force"
    assert "Apply update 2 again" in arrived.notices()
    apply(arrived, "1.update")  # it is there already

    apply(arrived, "2.update")
    assert kit_of(arrived) == whole
    assert sorted(path.name for path in arrived.consignee.work.glob("kit*")) == ["kit"]
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    assert next_command(arrived) == "packtrain train"
    assert "kit update was taken before" in update.show(arrived.consignee, first).standing
    with pytest.raises(KitUpdateRefused, match="taken before"):
        apply(arrived, "1.update")


def test_where_more_than_the_kit_is_gone_the_cargo_is_read_again(arrived: Arrived) -> None:
    lose(arrived)
    (arrived.consignee.root / "store" / "index.parquet").unlink()
    with pytest.raises(MoreDrivesWanted):
        load_again(arrived, "B1")
    load_again(arrived)
    arrived.assert_loaded()


def test_what_an_update_brings_it_mends_without_the_drives(arrived: Arrived) -> None:
    whole = kit_of(arrived)
    (arrived.consignee.work / "kit" / "program" / "train.py").write_text("print('own')\n")
    apply(arrived, "2.update")
    assert kit_of(arrived) == whole


def test_an_update_that_is_not_of_the_chain_brings_no_kit_back(arrived: Arrived) -> None:
    three = signed(arrived, "3.update", PROGRAM)
    four = signed(arrived, "4.update", ONE)
    lose(arrived)
    load_again(arrived)
    left = kit_of(arrived)
    with pytest.raises(KitUpdateRefused, match="out of turn"):
        apply(arrived, four)
    assert kit_of(arrived) == left
    # The next one of the chain may come into force at once where all that it needs is here: nothing is skipped.
    apply(arrived, three)
    assert (arrived.consignee.work / "kit" / "program" / "train.py").read_text() == PROGRAM["train.py"]


def test_applying_again_wants_the_operators_signature_and_an_admission(arrived: Arrived) -> None:
    lose(arrived)
    load_again(arrived)
    signature = arrived.root / "1.update.operator.sig"
    kept = signature.read_bytes()
    signature.unlink()
    with pytest.raises(SignatureMissing):
        apply(arrived, "1.update")
    signature.write_bytes(kept)
    worse = replace(arrived.operator.read_signed(Admission), verdict="refuse")
    arrived.consignee.write_signed(worse, arrived.operator.signer())
    with pytest.raises(KitUpdateRefused, match="does not admit"):
        apply(arrived, "1.update")


def test_a_kit_that_left_and_is_whole_on_no_drive_is_told(arrived: Arrived) -> None:
    lose(arrived)
    for label in ("A1", "B1"):
        flip(arrived.drive(label) / layout.KIT_PREFIX / BETA, 100)
    assert load_again(arrived) == "not here"
    assert "mount another of those and load again" in arrived.notices()
    assert next_command(arrived) == "packtrain load DRIVE..."


def test_train_refuses_a_kit_that_differs_in_its_wheels_alone(arrived: Arrived) -> None:
    before = arrived.consignee.work / "before"
    shutil.copytree(arrived.consignee.work / "kit", before)
    apply(arrived, signed(arrived, "3.update", TWO, {"alpha": "1.2", "beta": "2.0"}))
    lose(arrived)
    before.rename(arrived.consignee.work / "kit")
    with pytest.raises(KitError, match="not the one in force"):
        assert_train_refuses_at(arrived)
    assert not is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    assert load_again(arrived) == "the kit of update 2, and update 3 is in force"


@pytest.mark.long
def test_bringing_it_back_survives_death_at_any_step(template: Arrived, tmp_path: Path) -> None:
    whole = kit_of(template)
    steps: tuple[Callable[[Arrived], object], ...] = (
        load_again,
        lambda arrived: apply(arrived, "1.update"),
        lambda arrived: apply(arrived, "2.update"),
    )
    lost = moved(template, tmp_path / "lost")
    lose(lost)
    num_killed = 0
    for number, step in enumerate(steps):
        left = 0
        while True:
            place = tmp_path / f"{number}.{left}"
            arrived = copy_arrived(lost, place) if number else moved(template, place)
            if not number:
                lose(arrived)
            if not dies_at(left, lambda arrived=arrived, step=step: step(arrived)):
                break
            num_killed += 1
            assert_train_refuses_or_is_whole(arrived, whole)
            for later in steps[number:]:
                later(arrived)
            assert kit_of(arrived) == whole
            assert [path.name for path in arrived.consignee.work.glob("kit*")] == ["kit"]
            shutil.rmtree(arrived.root)
            left += 13  # each takes a second; the renames, which are the last, are met below
        step(lost)
    assert num_killed >= 5, num_killed


@pytest.mark.parametrize("at", ["kit set aside", "kit in place", "kit copied"])
def test_bringing_it_back_survives_death_at_a_rename(arrived: Arrived, at: str) -> None:
    whole = kit_of(arrived)
    lose(arrived)
    for name in ("", "1.update", "2.update"):

        def step(name: str = name) -> None:
            if name:
                apply(arrived, name)
            else:
                load_again(arrived)

        if dies_at(at, step):
            arrived.consignee.settle()
            step()
    assert kit_of(arrived) == whole


def assert_train_refuses_at(arrived: Arrived) -> None:
    folder = arrived.consignee
    program = folder.resolve("work/kit/program")
    train._check_program(folder, program, sha256_tree(program))  # pyright: ignore[reportPrivateUsage]


def assert_train_refuses_or_is_whole(arrived: Arrived, whole: dict[str, str]) -> None:
    if (arrived.consignee.work / "kit" / "program").is_dir() and kit_of(arrived) != whole:
        assert_train_refuses(arrived)
