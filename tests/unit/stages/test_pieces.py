"""A thin link: a released outbox is cut, sent by whatever ways, and joined whole; the rest is said to a byte."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from fault_parts import KILLED, run_in_child
from load_parts import flip
from outbox_parts import WEIGHTS, Folders, contents, release, sealed_outbox
from packtrain.cli.main import cli
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.pieces import Pieces
from packtrain.errors import (
    DocumentError,
    ExportDenied,
    IntegrityError,
    PacktrainError,
    PiecesIncomplete,
    ProvenanceBroken,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
    WeightsUnopenable,
)
from packtrain.events import discard
from packtrain.stages import homecoming
from packtrain.standing import states_of
from three_parties import copy_of_parties
from weights_parts import normal_weights, raw_of, write_safetensors

MIB = 1 << 20
NUM_WEIGHTS = 1_100_000
"""Compressed 3.7 MB: four pieces of a mebibyte."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("released")
    release(sealed_outbox(root, NUM_WEIGHTS))
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(made, tmp_path / "site")


@pytest.fixture
def cut(site: Folders) -> Path:
    return homecoming.cut_pieces(site["consignee"], MIB, discard).folder


def gather(site: Folders, *folders: Path, consume: bool = False) -> Path:
    return homecoming.gather_pieces(site["consignor"], folders, discard, consume=consume).outbox


def pieces_of(folder: Path) -> Pieces:
    return decode(Pieces, (folder / "pieces.json").read_bytes(), "pieces.json")


def weight_pieces(folder: Path) -> list[Path]:
    file = next(file for file in pieces_of(folder).files if file.name.startswith(WEIGHTS))
    return [folder / piece.sha256 for piece in file.pieces]


# --- cutting ---


def test_nothing_is_cut_before_the_operator_released_it(site: Folders) -> None:
    consignee = site["consignee"]
    (consignee.root / "outbox" / "export-list.json.operator.sig").unlink()
    with pytest.raises(SignatureMissing, match="operator"):
        homecoming.cut_pieces(consignee, MIB, discard)
    assert not (consignee.root / "outbox-pieces").exists()


def test_an_outbox_with_something_beside_what_was_released_is_not_cut(site: Folders) -> None:
    (site["consignee"].root / "outbox" / "extra.age").write_bytes(b"data")
    with pytest.raises(ExportDenied):
        homecoming.cut_pieces(site["consignee"], MIB, discard)
    assert not (site["consignee"].root / "outbox-pieces").exists()


@pytest.mark.parametrize("name", ["provenance.json", "provenance.statement.json.operator.sig"])
def test_an_outbox_that_home_would_refuse_for_its_provenance_is_not_cut(site: Folders, name: str) -> None:
    (site["consignee"].root / "outbox" / name).unlink()
    with pytest.raises((ProvenanceBroken, SignatureMissing)):
        homecoming.cut_pieces(site["consignee"], MIB, discard)
    assert not (site["consignee"].root / "outbox-pieces").exists()


def test_pieces_are_named_by_their_digests_and_joined_they_are_the_outbox(site: Folders, cut: Path) -> None:
    document = pieces_of(cut)
    assert [file.name for file in document.files][:4] == [
        "export-list.json",
        "export-list.json.operator.sig",
        "export-list.json.sig",
        f"{WEIGHTS}.ptw.age",
    ]
    for file in document.files:
        parts = [(cut / piece.sha256).read_bytes() for piece in file.pieces]
        assert [sha256_bytes(part) for part in parts] == [piece.sha256 for piece in file.pieces]
        assert b"".join(parts) == (site["consignee"].root / "outbox" / file.name).read_bytes()
    assert len(weight_pieces(cut)) == 4
    named = {piece.sha256 for file in document.files for piece in file.pieces}
    assert {path.name for path in cut.iterdir()} == {"pieces.json", "pieces.json.sig", *named}


def test_cutting_again_changes_nothing_and_another_size_replaces_the_pieces(site: Folders, cut: Path) -> None:
    before = contents(cut)
    homecoming.cut_pieces(site["consignee"], MIB, discard)
    assert contents(cut) == before
    homecoming.cut_pieces(site["consignee"], 2 * MIB, discard)
    assert len(weight_pieces(cut)) == 2
    assert not before.keys() - contents(cut).keys() <= {"pieces.json", "pieces.json.sig"}


def test_a_piece_that_was_damaged_before_it_was_sent_is_cut_again(site: Folders, cut: Path) -> None:
    before = contents(cut)
    piece = weight_pieces(cut)[1]
    piece.write_bytes(bytes(piece.stat().st_size))
    homecoming.cut_pieces(site["consignee"], MIB, discard)
    assert contents(cut) == before


def test_a_strange_file_among_the_pieces_is_refused_and_stays(site: Folders, cut: Path) -> None:
    (cut / "readme.txt").write_text("mine")
    with pytest.raises(ExportDenied, match=r"readme\.txt"):
        homecoming.cut_pieces(site["consignee"], MIB, discard)
    assert (cut / "readme.txt").read_text() == "mine"


@pytest.mark.parametrize(("size", "exit_code"), [("64MB", 2), ("512KiB", 2), ("5GiB", 2), ("many", 2), ("2MiB", 0)])
def test_a_piece_has_a_whole_number_of_mebibytes(site: Folders, size: str, exit_code: int) -> None:
    done = CliRunner().invoke(cli, ["return", "pieces", "--size", size, "--voyage", str(site["consignee"].root)])
    assert done.exit_code == exit_code, done.output


# --- gathering ---


def test_pieces_that_came_by_two_ways_are_joined_and_accepted(site: Folders, cut: Path, tmp_path: Path) -> None:
    drive, link = tmp_path / "drive", tmp_path / "link"
    drive.mkdir()
    shutil.copytree(cut, link)
    one, two, *_ = weight_pieces(link)
    one.rename(drive / one.name)
    # The same piece came twice: damaged here, good there.
    shutil.copy(two, drive / two.name)
    flip(two, -1)
    inbox = gather(site, link, drive)
    assert contents(inbox) == contents(site["consignee"].root / "outbox")
    assert (site["consignor"].root / "missing-pieces.txt").read_text() == ""
    homecoming.accept(site["consignor"], inbox, discard)
    assert (site["consignor"].root / "results" / WEIGHTS).read_bytes() == (
        site["consignor"].root.parent / "made" / WEIGHTS
    ).read_bytes()


def test_what_is_missing_cut_and_damaged_is_told_with_bytes_and_listed_for_sending(site: Folders, cut: Path) -> None:
    missing, short, damaged, good = weight_pieces(cut)
    kept = {path: path.read_bytes() for path in (missing, short, damaged)}
    missing.unlink()
    short.write_bytes(kept[short][:1000])
    flip(damaged, -1)
    with pytest.raises(PiecesIncomplete) as raised:
        gather(site, cut)
    assert raised.value.exit_code == 92
    for part in (
        f"1 missing ({missing.name[:12]}, {MIB} bytes)",
        f"1 cut ({short.name[:12]}, 1000 of {MIB} bytes)",
        f"1 damaged ({damaged.name[:12]}, {MIB} bytes)",
    ):
        assert part in str(raised.value)
    listed = (site["consignor"].root / "missing-pieces.txt").read_text().splitlines()
    assert listed == [missing.name, short.name, damaged.name]
    # The text is whole and stands; the list of an outbox that is not whole does not.
    inbox = site["consignor"].root / "inbox"
    assert (inbox / "notes.txt.age").is_file()
    assert not (inbox / "export-list.json").exists()
    with pytest.raises(StageNotReady):
        homecoming.accept(site["consignor"], inbox, discard)
    for path, content in kept.items():
        path.write_bytes(content)
    assert gather(site, cut) == inbox
    assert good.is_file()
    assert contents(inbox) == contents(site["consignee"].root / "outbox")


def test_consuming_leaves_no_piece_of_what_was_joined(site: Folders, cut: Path) -> None:
    lacking = weight_pieces(cut)[2]
    content = lacking.read_bytes()
    lacking.unlink()
    with pytest.raises(PiecesIncomplete):
        gather(site, cut, consume=True)
    # What is not joined is not consumed.
    assert sum(path.is_file() for path in weight_pieces(cut)) == 3
    lacking.write_bytes(content)
    inbox = gather(site, cut, consume=True)
    assert {path.name for path in cut.iterdir()} == {"pieces.json", "pieces.json.sig"}
    # Nothing is asked for again.
    assert gather(site, cut, consume=True) == inbox
    assert contents(inbox) == contents(site["consignee"].root / "outbox")


def test_pieces_of_a_file_that_only_looks_whole_are_not_consumed(site: Folders, cut: Path, tmp_path: Path) -> None:
    # As a copy looks that was given its length first and then cut off, or that a disk has damaged since.
    kept = tmp_path / "kept"
    shutil.copytree(cut, kept)
    inbox = gather(site, kept)
    weights = inbox / f"{WEIGHTS}.ptw.age"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert gather(site, cut, consume=True) == inbox
    assert contents(inbox) == contents(site["consignee"].root / "outbox")
    assert {path.name for path in cut.iterdir()} == {"pieces.json", "pieces.json.sig"}


def test_a_piece_that_two_files_share_stays_until_both_are_joined(site: Folders, cut: Path) -> None:
    document = pieces_of(cut)
    notes = next(file for file in document.files if file.name == "notes.txt.age")
    twice = replace(notes, name="z.age", pieces=(*notes.pieces, *document.files[0].pieces))
    twice = replace(twice, bytes=notes.bytes + document.files[0].bytes, sha256="0" * 64)
    (cut / document.files[0].pieces[0].sha256).rename(cut.parent / "late")
    sign_pieces(site, cut, "consignee", files=(*document.files, twice))
    with pytest.raises(PiecesIncomplete):
        gather(site, cut, consume=True)
    assert (site["consignor"].root / "inbox" / notes.name).is_file()
    assert (cut / notes.pieces[0].sha256).is_file()


def test_a_link_in_place_of_a_piece_is_no_piece(site: Folders, cut: Path, tmp_path: Path) -> None:
    path = weight_pieces(cut)[0]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PiecesIncomplete, match="1 damaged"):
        gather(site, cut)


@pytest.mark.timeout(30)
def test_a_pipe_in_place_of_a_signature_is_none(site: Folders, cut: Path) -> None:
    (cut / "pieces.json.sig").unlink()
    os.mkfifo(cut / "pieces.json.sig")
    with pytest.raises(SignatureMissing):
        gather(site, cut)


def test_without_a_list_nothing_is_gathered(site: Folders, cut: Path) -> None:
    (cut / "pieces.json").unlink()
    with pytest.raises(StageNotReady, match="pieces"):
        gather(site, cut)


def sign_pieces(site: Folders, cut: Path, role: str, **changes: object) -> None:
    payload = encode(replace(pieces_of(cut), **changes))
    (cut / "pieces.json").write_bytes(payload)
    (cut / "pieces.json.sig").write_text(site[role].signer().sign(namespace(Pieces), payload))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("unsigned", SignatureMissing),
        ("altered", SignatureInvalid),
        ("by the operator", UntrustedSigner),
        ("out of the folder", DocumentError),
        ("does not add up", IntegrityError),
        ("another export list", IntegrityError),
    ],
)
def test_a_list_of_pieces_that_is_not_in_order_joins_nothing(
    site: Folders, cut: Path, case: str, expected: type[PacktrainError]
) -> None:
    files = pieces_of(cut).files
    if case == "unsigned":
        (cut / "pieces.json.sig").unlink()
    elif case == "altered":
        (cut / "pieces.json").write_bytes(encode(replace(pieces_of(cut), piece_bytes=2 * MIB)))
    elif case == "by the operator":
        sign_pieces(site, cut, "operator")
    elif case == "out of the folder":
        text = (cut / "pieces.json").read_bytes().replace(b'"notes.txt.age"', b'"../otes.txt.age"')
        (cut / "pieces.json").write_bytes(text)
        (cut / "pieces.json.sig").write_text(site["consignee"].signer().sign(namespace(Pieces), text))
    elif case == "does not add up":
        sign_pieces(site, cut, "consignee", files=(replace(files[0], bytes=1), *files[1:]))
    else:
        sign_pieces(site, cut, "consignee", export_list="9" * 64)
    with pytest.raises(expected):
        gather(site, cut)
    assert not (site["consignor"].root / "inbox").exists()


def test_pieces_of_an_outbox_that_nobody_released_are_not_called_complete(site: Folders, cut: Path) -> None:
    # A consignee that cuts by hand, past the command: the operator's signature is not among the files.
    files = tuple(file for file in pieces_of(cut).files if "operator" not in file.name)
    sign_pieces(site, cut, "consignee", files=files)
    with pytest.raises(SignatureMissing, match="operator"):
        gather(site, cut)
    assert not (site["consignor"].root / "inbox" / "export-list.json").exists()


def test_pieces_of_another_export_replace_those_of_the_first(site: Folders, cut: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(cut, first)
    gather(site, first)
    homecoming.cut_pieces(site["consignee"], 2 * MIB, discard)
    with pytest.raises(IntegrityError, match="different lists"):
        gather(site, first, cut)
    weight_pieces(cut)[0].unlink()
    with pytest.raises(PiecesIncomplete):
        gather(site, cut)
    assert not (site["consignor"].root / "inbox" / "export-list.json").exists()
    # An older list that somebody sends again must not cost what was joined: its pieces may be gone.
    (aside,) = site["consignor"].root.glob("inbox.*")
    assert contents(aside) == contents(site["consignee"].root / "outbox")


def test_the_consignor_is_told_what_is_not_here_yet(site: Folders, cut: Path) -> None:
    from packtrain.next_step import _on_the_way  # the way out is another test's

    consignor = site["consignor"]
    states = {state.stage: state for state in states_of(consignor, "consignor")}
    assert homecoming.gathering(consignor) is None
    path = weight_pieces(cut)[0]
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(PiecesIncomplete):
        gather(site, cut)
    told = _on_the_way(consignor, states)
    assert told.command == "packtrain return gather FOLDER..."
    assert told.why == "1 piece of the results is not here yet: missing-pieces.txt"
    path.write_bytes(content)
    gather(site, cut)
    assert _on_the_way(consignor, states).command == "packtrain return accept inbox"


# --- killed anywhere ---


@pytest.mark.long
def test_killed_at_any_step_cutting_and_gathering_go_on(made: Path, tmp_path: Path) -> None:
    site = copy_of_parties(made, tmp_path / "site")
    into, inbox = site["consignee"].root / "outbox-pieces", site["consignor"].root / "inbox"
    whole = contents(homecoming.cut_pieces(site["consignee"], MIB, discard).folder)
    arrived = tmp_path / "arrived"

    def cut_again() -> None:
        homecoming.cut_pieces(site["consignee"], MIB, discard)

    def gather_again() -> None:
        gather(site, arrived, consume=True)

    kills = 0
    for work, check in (
        (cut_again, lambda: contents(into) == whole),
        (gather_again, lambda: contents(inbox) == contents(site["consignee"].root / "outbox")),
    ):
        step = 1
        while True:
            shutil.rmtree(into, ignore_errors=True)
            for left in (arrived, inbox, site["consignor"].work / "pieces"):
                shutil.rmtree(left, ignore_errors=True)
            arrived.mkdir()
            for name, content in whole.items():
                (arrived / name).write_bytes(content)
            code, _ = run_in_child(work, step)
            if code == 0:
                break
            assert code == KILLED
            listed = (inbox / "export-list.json").is_file()
            assert not listed or contents(inbox).keys() == contents(site["consignee"].root / "outbox").keys()
            assert run_in_child(work, None)[0] == 0
            assert check()
            kills += 1
            step += 3
    assert kills > 15


# --- a difference to weights that home has ---


def test_weights_come_home_as_a_difference_to_what_home_has(tmp_path: Path) -> None:
    base = write_safetensors(
        tmp_path / "base.safetensors",
        {"layer.weight": ("F32", (NUM_WEIGHTS,), raw_of(normal_weights(NUM_WEIGHTS), "F32"))},
    )
    site = sealed_outbox(tmp_path / "site", NUM_WEIGHTS, (base,))
    outbox = release(site)
    with pytest.raises(WeightsUnopenable, match="not here"):
        homecoming.accept(site["consignor"], outbox, discard)
    assert not (site["consignor"].root / "results").exists()
    homecoming.accept(site["consignor"], outbox, discard, [base])
    weights = site["consignor"].root / "results" / WEIGHTS
    assert weights.read_bytes() == (tmp_path / "site" / "made" / WEIGHTS).read_bytes()
    assert (outbox / f"{WEIGHTS}.ptw.age").stat().st_size < 0.6 * weights.stat().st_size


def test_killed_after_new_weights_took_the_place_of_their_base_accepting_goes_on(tmp_path: Path) -> None:
    base = write_safetensors(
        tmp_path / "base.safetensors",
        {"layer.weight": ("F32", (NUM_WEIGHTS,), raw_of(normal_weights(NUM_WEIGHTS), "F32"))},
    )
    site = sealed_outbox(tmp_path / "site", NUM_WEIGHTS, (base,))
    outbox, home = release(site), site["consignor"]
    results = home.root / "results"
    results.mkdir()
    shutil.copy(base, results / WEIGHTS)

    def accept() -> None:
        homecoming.accept(home, outbox, discard)

    def again(die_at: int | None) -> tuple[int, int]:
        home.drop_receipt("return")
        shutil.copy(base, results / WEIGHTS)
        return run_in_child(accept, die_at)

    again(None)  # the custody log is told once: what is counted next is what each further run does
    code, num_steps = again(None)
    assert code == 0
    whole = (tmp_path / "site" / "made" / WEIGHTS).read_bytes()
    was_replaced: list[bool] = []
    for die_at in range(num_steps, num_steps - 9, -2):
        assert again(die_at)[0] == KILLED
        was_replaced.append((results / WEIGHTS).read_bytes() == whole)
        accept()
        assert (results / WEIGHTS).read_bytes() == whole
        assert not (home.work / "homecoming").exists()
    assert was_replaced[0]
