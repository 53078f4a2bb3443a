"""The kit changes after departure: by a signed file that the operator has seen, in order, and in no other way."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.diligence.kit_chain import chain_of
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode, namespace
from packtrain.documents.kit import Kit, KitFile
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.ready import Ready
from packtrain.errors import (
    KitUpdateRefused,
    PacktrainError,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
)
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import exchange, update
from packtrain.training.kit_changes import changes as changes_of
from packtrain.training.kit_held import verify_kit
from packtrain.training.update_file import read_update, write_update
from update_parts import COMMAND, EXPORT, PROGRAM, kit_at_the_site, mended, rehearse, yes
from voyage_papers import Papers, copy_papers, packed, tree


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return kit_at_the_site(tmp_path_factory.mktemp("voyage"))


@pytest.fixture
def voyage(template: Papers, tmp_path: Path) -> Papers:
    return copy_papers(template, tmp_path / "voyage")


def make(voyage: Papers, name: str = "one.update", reason: str = "the learning rate was wrong") -> Path:
    update.make(voyage.consignor, voyage.root / name, reason, discard)
    return voyage.root / name


def signed(voyage: Papers, name: str = "one.update", *, exports_seen: bool = False) -> Path:
    path = make(voyage, name)
    update.countersign(voyage.operator, path, yes, exports_seen=exports_seen)
    return path


def test_a_mended_program_comes_into_force_at_all_three(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended(), {"alpha": "1.1", "gamma": "3"})
    path = signed(voyage)
    update.apply(voyage.consignee, path, discard)

    kit = voyage.consignor.read_signed(Kit)
    verify_kit(voyage.consignee.work / "kit", kit)
    assert (voyage.consignee.work / "kit" / "program" / "train.py").read_text() == "print('second')\n"
    assert not (voyage.consignee.work / "kit.replaced").exists()
    for folder in voyage.folders.values():
        assert folder.read_signed(Kit) == kit
        assert folder.read_signed(Ready).kit == folder.digest(Kit)
        assert [each.number for each in chain_of(folder)] == [0, 1]
    # What did not change does not travel: the wheels are smaller than the file only because they are tiny.
    brought = {file.name for file in voyage.consignor.read_signed(KitUpdate).files}
    assert "program/lib/helper.py" not in brought
    assert "program/train.py" in brought


def test_a_person_is_shown_what_changes(voyage: Papers) -> None:
    rules = EXPORT.replace('"metrics.jsonl"', '"metrics.jsonl", "notes.txt"').replace("[2]", "[4]")
    rehearse(voyage.consignor, mended(export_toml=rules), {"alpha": "1.1", "gamma": "3"}, command=f"{COMMAND} --lr 0.1")
    path = make(voyage)
    for folder in voyage.folders.values():
        told = update.show(folder, path)
        assert told.changes is not None
        assert told.changes.wheels == ("alpha 1.0 -> 1.1", "beta 2.0: removed", "gamma 3: added")
        assert told.changes.program == ("export.toml: changed", "train.py: changed")
        assert "-print('first')" in told.changes.lines
        assert "+print('second')" in told.changes.lines
        assert told.changes.others == (f"command: {COMMAND} -> {COMMAND} --lr 0.1", "requirements.txt: changed")
        assert told.changes.export_rules == (
            "text notes.txt: may leave now, might not before",
            "tensor w: 1 of float32 [2] -> 1 of float32 [4]",
        )
        assert told.update.reason == "the learning rate was wrong"
    assert "the next one here" in update.show(voyage.consignee, path).standing


def test_what_may_leave_changes_only_where_the_operator_says_to_have_seen_it(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended(export_toml=EXPORT.replace("[2]", "[4]")))
    path = make(voyage)
    before = tree(voyage.operator.root)
    with pytest.raises(KitUpdateRefused, match=r"tensor w: 1 of float32 \[2\] -> 1 of float32 \[4\]"):
        update.countersign(voyage.operator, path, yes)
    assert tree(voyage.operator.root) == before
    update.countersign(voyage.operator, path, yes, exports_seen=True)
    update.apply(voyage.consignee, path, discard)


def test_a_first_declaration_and_one_that_cannot_be_read_are_told_in_words(voyage: Papers) -> None:
    for number, (rules, told) in enumerate(
        (
            (None, ("text metrics.jsonl: may leave no more", "tensor w: may leave no more: 1 of float32 [2]")),
            (
                EXPORT,
                (
                    "text metrics.jsonl: may leave now, might not before",
                    "tensor w: may leave now, might not before: 1 of float32 [2]",
                ),
            ),
            ("not toml", None),
        )
    ):
        program = {name: text for name, text in mended().items() if name != "export.toml"}
        rehearse(voyage.consignor, program | ({"export.toml": rules} if rules else {}))
        path = signed(voyage, f"{number}.update", exports_seen=True)
        changes = update.show(voyage.consignor, path).changes
        assert changes is not None
        if told is None:
            assert changes.export_rules[0].startswith("after: a declaration that cannot be read")
        else:
            assert changes.export_rules == told


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            EXPORT + 'values = "any"\n',
            "tensor w: 1 of float32 [2] -> 1 of float32 [2], values 'any': judged less, or not at all",
        ),
        (
            EXPORT.replace("[[tensors]]", '[[tensors]]\nname = "w"\ndtype = "uint8"\nshape = [99]\n\n[[tensors]]'),
            "tensor w: 1 of float32 [2] -> 1 of uint8 [99] and 1 of float32 [2]",
        ),
        (EXPORT + "# as before\n", "the declaration is spelled otherwise, and declares the same"),
    ],
    ids=["values", "twice", "spelling"],
)
def test_every_way_to_let_more_leave_is_shown(voyage: Papers, rules: str, told: str) -> None:
    rehearse(voyage.consignor, mended(export_toml=rules))
    path = make(voyage)
    for folder in voyage.folders.values():
        changes = update.show(folder, path).changes
        assert changes is not None
        assert changes.export_rules == (told,)


def test_a_lost_signature_is_not_given_again_after_a_verdict_that_admits_no_more(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = signed(voyage)
    (voyage.operator.documents / "kit-update.json.operator.sig").unlink()
    worse = replace(voyage.operator.read_signed(Admission), verdict="refuse")
    voyage.operator.write_signed(worse, voyage.operator.signer())
    with pytest.raises(KitUpdateRefused, match="does not admit"):
        update.countersign(voyage.operator, path, yes)


def test_making_it_again_gives_the_same_file(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    first = make(voyage).read_bytes()
    again = make(voyage, "again.update", "another reason")
    assert again.read_bytes() == first
    assert voyage.consignor.read_signed(KitUpdate).number == 1


def test_countersigning_and_applying_again_change_nothing(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = signed(voyage)
    update.apply(voyage.consignee, path, discard)
    before = [tree(voyage.operator.root), tree(voyage.consignee.root)]
    signature = path.with_name("one.update.operator.sig")
    signature.unlink()
    update.countersign(voyage.operator, path, yes)
    update.apply(voyage.consignee, path, discard)
    assert [tree(voyage.operator.root), tree(voyage.consignee.root)] == before


def test_a_second_update_follows_the_first_and_a_third_may_go_back(voyage: Papers) -> None:
    first = voyage.consignee.digest(Kit)
    for number, text in enumerate(("print('second')\n", "print('third')\n", PROGRAM["train.py"]), 1):
        rehearse(voyage.consignor, {**PROGRAM, "train.py": text})
        path = signed(voyage, f"{number}.update")
        update.apply(voyage.consignee, path, discard)
        assert (voyage.consignee.work / "kit" / "program" / "train.py").read_text() == text
    assert voyage.consignee.digest(Kit) == first
    for folder in voyage.folders.values():
        assert [each.number for each in chain_of(folder)] == [0, 1, 2, 3]


def test_an_update_is_taken_once_and_in_order(voyage: Papers) -> None:
    rehearse(voyage.consignor, {**PROGRAM, "train.py": "print('second')\n"})
    one = signed(voyage)
    rehearse(voyage.consignor, PROGRAM)  # back to the first: the old update would fit again
    two = signed(voyage, "two.update")
    with pytest.raises(KitUpdateRefused, match="out of turn"):
        update.apply(voyage.consignee, two, discard)
    update.apply(voyage.consignee, one, discard)
    update.apply(voyage.consignee, two, discard)
    with pytest.raises(KitUpdateRefused, match="taken before"):
        update.apply(voyage.consignee, one, discard)
    with pytest.raises(KitUpdateRefused, match="taken before"):
        update.countersign(voyage.operator, one, yes)


def test_nothing_is_made_of_a_kit_that_was_not_rehearsed_to_the_end(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended(), is_ready=False)
    with pytest.raises(KitUpdateRefused, match="not signed"):
        make(voyage)


def test_nothing_is_made_where_nothing_changed_or_nothing_left(voyage: Papers, tmp_path: Path) -> None:
    with pytest.raises(KitUpdateRefused, match="is the one that left"):
        make(voyage)
    papers = packed(tmp_path / "no-kit")
    rehearse(papers.consignor)
    (papers.consignor.documents / "packing-statement.json").unlink()
    with pytest.raises(StageNotReady):
        make(papers)


def test_a_rehearsal_that_is_not_sent_is_no_kit_of_the_shipment(voyage: Papers) -> None:
    first = voyage.consignor.digest(Kit)
    rehearse(voyage.consignor, mended(), is_ready=False)
    assert [each.digest for each in chain_of(voyage.consignor)] == [first]


# --- who decides ---


def test_the_consignee_wants_the_operators_signature(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = make(voyage)
    before = tree(voyage.consignee.root)
    with pytest.raises(SignatureMissing):
        update.apply(voyage.consignee, path, discard)
    beside = path.with_name("one.update.operator.sig")
    payload = read_update(path).documents["kit-update.json"]
    for role in ("consignor", "consignee"):
        beside.write_text(voyage.folders[role].signer().sign(namespace(KitUpdate), payload))
        with pytest.raises(UntrustedSigner):
            update.apply(voyage.consignee, path, discard)
    assert tree(voyage.consignee.root) == before


def test_what_the_operator_does_not_approve_is_not_signed(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = make(voyage)

    def no(told: update.Told) -> None:
        raise RuntimeError(told.update.reason)

    with pytest.raises(RuntimeError, match="learning rate"):
        update.countersign(voyage.operator, path, no)
    assert not path.with_name("one.update.operator.sig").exists()
    assert not voyage.operator.has(KitUpdate)


@pytest.mark.parametrize("verdict", ["hold", "refuse"])
def test_after_a_verdict_that_admits_no_more_nothing_is_taken(voyage: Papers, verdict: str) -> None:
    rehearse(voyage.consignor, mended())
    path = signed(voyage)
    rehearse(voyage.consignor, {**PROGRAM, "train.py": "print('third')\n"})
    two = make(voyage, "two.update")
    worse = replace(voyage.operator.read_signed(Admission), verdict=verdict)
    for folder in (voyage.operator, voyage.consignee, voyage.consignor):
        folder.write_signed(worse, voyage.operator.signer())
    with pytest.raises(KitUpdateRefused, match="does not admit"):
        update.apply(voyage.consignee, path, discard)
    with pytest.raises(KitUpdateRefused, match="does not admit"):
        update.countersign(voyage.operator, two, yes)
    with pytest.raises(KitUpdateRefused, match="does not admit"):
        make(voyage, "three.update")


def test_an_update_of_another_voyage_is_not_taken(voyage: Papers, tmp_path: Path) -> None:
    rehearse(voyage.consignor, mended())
    path = make(voyage)
    said = replace(voyage.consignor.read_signed(KitUpdate), shipment_root="9" * 64)
    resigned(path, voyage.consignor, said)
    with pytest.raises(KitUpdateRefused, match="another shipment"):
        update.countersign(voyage.operator, path, yes)


def test_a_folder_in_the_place_of_an_update_is_named(tmp_path: Path) -> None:
    with pytest.raises(KitUpdateRefused, match=f"^{tmp_path}: .* no plain file"):
        read_update(tmp_path)


def resigned(path: Path, signer: VoyageFolder, said: KitUpdate) -> None:
    """Write an update's file anew with another document in it, signed well."""
    found = read_update(path)
    contents = path.with_name("contents")
    shutil.rmtree(contents, ignore_errors=True)
    for sha256 in found.contents:
        found.take(sha256, contents / sha256)
    payload = encode(said)
    documents = {
        **found.documents,
        "kit-update.json": payload,
        "kit-update.json.sig": signer.signer().sign(namespace(KitUpdate), payload).encode(),
    }
    write_update(path, documents, {sha256: contents / sha256 for sha256 in found.contents})


@pytest.mark.parametrize(
    "change",
    [
        lambda said: replace(said, export_rules_changed=False),
        lambda said: replace(said, files=said.files[:-1]),
        lambda said: replace(said, removed=("program/lib/helper.py",)),
        lambda said: replace(said, from_kit="8" * 64),
        lambda said: replace(said, to_kit="8" * 64),
        lambda said: replace(said, ready="8" * 64),
        lambda said: replace(said, supersedes="8" * 64),
        lambda said: replace(said, number=2),
    ],
    ids=["exports unsaid", "a file less", "removes more", "from another", "to another", "sheet", "chain", "number"],
)
def test_an_update_that_says_another_change_than_it_brings_is_not_countersigned(
    voyage: Papers, change: Callable[[KitUpdate], KitUpdate]
) -> None:
    rehearse(voyage.consignor, mended(export_toml=EXPORT.replace("[2]", "[4]")))
    path = make(voyage)
    resigned(path, voyage.consignor, change(voyage.consignor.read_signed(KitUpdate)))
    with pytest.raises(KitUpdateRefused):
        update.countersign(voyage.operator, path, yes, exports_seen=True)


def test_an_update_signed_by_the_operator_alone_is_none(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = make(voyage)
    resigned(path, voyage.operator, voyage.consignor.read_signed(KitUpdate))
    with pytest.raises(UntrustedSigner, match="not signed by the consignor"):
        update.countersign(voyage.operator, path, yes)


def test_a_package_whose_wheels_spell_its_name_otherwise_is_one_package(voyage: Papers) -> None:
    kit = voyage.consignor.read_signed(Kit)

    def with_wheel(name: str) -> Kit:
        return replace(kit, files=(*kit.files, KitFile(name=f"wheels/{name}", bytes=1, sha256="0" * 64)))

    before, after = (with_wheel(f"{name}-py3-none-any.whl") for name in ("zope.interface-7.1", "zope_interface-7.2"))
    assert changes_of(before, after, lambda _: None, lambda _: None).wheels == ("zope-interface 7.1 -> 7.2",)


def test_a_changed_installer_and_whatever_else_runs_at_the_site_is_shown(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    replace_file(voyage.consignor, "install.sh", b"#!/bin/sh\ncurl http://example.org\n")
    replace_file(voyage.consignor, "wheels/hidden/sitecustomize.py", b"import os\n")
    told = update.show(voyage.operator, make(voyage))
    assert told.changes is not None
    assert told.changes.others == ("install.sh: changed", "wheels/hidden/sitecustomize.py: added")


def test_a_kit_that_names_another_program_than_the_one_it_shows_is_refused(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    with pytest.raises(KitUpdateRefused, match="names another program than the one in it"):
        resigned_kit(voyage, replace(voyage.consignor.read_signed(Kit), program="7" * 64))
    # What the digest of a program leaves out: a module that Python would take from its cache.
    rehearse(voyage.consignor, mended())
    kit = replace_file(voyage.consignor, "program/lib/__pycache__/helper.cpython-311.pyc", b"\0")
    with pytest.raises(PacktrainError, match="names another program than the one in it"):
        verify_kit(voyage.consignor.work / "kit", kit)


def test_an_operator_is_not_told_that_all_was_kept_where_it_was_not(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    sheet = voyage.consignor.read_signed(Ready)
    others = {"saves and exits with 75 when it is asked to stop", "goes on after rank 0 hung"}
    clauses = tuple(
        replace(part, verdict="not kept", optional=True) if part.clause in others else part for part in sheet.clauses
    )
    voyage.consignor.write_signed(replace(sheet, clauses=clauses), voyage.consignor.signer())
    told = update.show(voyage.operator, make(voyage))
    assert told.rehearsed.startswith(f"{len(clauses) - 2} of {len(clauses)} clauses kept")
    assert "not kept: goes on after rank 0 hung" in told.rehearsed


def replace_file(folder: VoyageFolder, name: str, payload: bytes) -> Kit:
    """Put a file into the consignor's kit and sign kit.json and the sheet anew."""
    kit, place = folder.read_signed(Kit), folder.work / "kit"
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(payload)
    file = KitFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload))
    others = (each for each in kit.files if each.name != name)
    kit = replace(kit, files=tuple(sorted((*others, file), key=lambda each: each.name)))
    sign_kit(folder, kit)
    return kit


def sign_kit(folder: VoyageFolder, kit: Kit) -> None:
    sheet = folder.read_signed(Ready)
    folder.write_signed(kit, folder.signer())
    folder.write_signed(replace(sheet, kit=folder.digest(Kit)), folder.signer())
    (folder.work / "kit" / "kit.json").write_bytes(folder.payload(Kit))
    (folder.work / "kit" / "kit.json.sig").write_bytes(folder.signature_path(Kit).read_bytes())


def resigned_kit(voyage: Papers, kit: Kit) -> None:
    """Write an update's file anew with another kit.json in it, all of it signed well, and show it to the operator."""
    path = make(voyage)
    found = read_update(path)
    sign_kit(voyage.consignor, kit)
    documents = dict(found.documents)
    for name, document_type in (("kit.json", Kit), ("ready.json", Ready)):
        documents[name] = voyage.consignor.payload(document_type)
        documents[f"{name}.sig"] = voyage.consignor.signature_path(document_type).read_bytes()
    said = replace(
        voyage.consignor.read_signed(KitUpdate),
        to_kit=voyage.consignor.digest(Kit),
        ready=voyage.consignor.digest(Ready),
    )
    contents = path.with_name("contents")
    shutil.rmtree(contents, ignore_errors=True)
    for sha256 in found.contents:
        found.take(sha256, contents / sha256)
    write_update(path, documents, {sha256: contents / sha256 for sha256 in found.contents})
    resigned(path, voyage.consignor, said)
    update.show(voyage.operator, path)


# --- the file ---


def test_any_tar_lists_the_file_and_no_path_lies_in_it(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    with tarfile.open(make(voyage)) as archive:
        names = archive.getnames()
        assert all(member.isreg() and "/" not in member.name for member in archive)
    assert names[:2] == ["kit-update.json", "kit-update.json.sig"]


def test_no_changed_byte_is_taken(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = make(voyage)
    whole = path.read_bytes()
    taken: list[int] = []
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            update.show(voyage.operator, path)
            taken.append(place)
        except PacktrainError:
            continue
    assert taken == []
    for cut in (0, 511, 512, len(whole) // 2, len(whole) - 512):
        path.write_bytes(whole[:cut])
        with pytest.raises(KitUpdateRefused):
            update.show(voyage.operator, path)
    for more in (b"x", bytes(512), b"x" * 512):
        path.write_bytes(whole + more)
        with pytest.raises(KitUpdateRefused):
            update.show(voyage.operator, path)


@pytest.mark.parametrize("case", ["link", "folder", "missing", "fifo"])
def test_what_is_no_plain_file_is_not_read(voyage: Papers, case: str) -> None:
    import os

    rehearse(voyage.consignor, mended())
    path = make(voyage)
    other = voyage.root / "other.update"
    if case == "link":
        other.symlink_to(path)
    elif case == "folder":
        other.mkdir()
    elif case == "fifo":
        os.mkfifo(other)
    with pytest.raises((KitUpdateRefused, OSError)):
        update.show(voyage.operator, other)


def test_a_kit_that_is_damaged_here_is_not_changed(voyage: Papers) -> None:
    rehearse(voyage.consignor, mended())
    path = signed(voyage)
    helper = voyage.consignee.work / "kit" / "program" / "lib" / "helper.py"
    helper.write_text("A = 2\n")
    with pytest.raises(PacktrainError, match=r"helper\.py differs"):
        update.apply(voyage.consignee, path, discard)
    assert not voyage.consignee.has(KitUpdate)
    helper.unlink()
    with pytest.raises(KitUpdateRefused, match="not in the kit here"):
        update.apply(voyage.consignee, path, discard)
    assert not voyage.consignee.has(KitUpdate)


# --- dossiers ---


def test_a_dossier_brings_the_papers_of_an_update_and_puts_none_into_force(voyage: Papers) -> None:
    first = voyage.consignee.digest(Kit)
    rehearse(voyage.consignor, mended())
    path = signed(voyage)
    exchange.import_dossier(voyage.operator, voyage.dossier("again"), discard)
    exchange.import_dossier(
        voyage.consignee, voyage.dossier("to-consignee-again", "operator", "consignee"), voyage.sink
    )
    assert voyage.consignee.digest(Kit) == first
    assert not voyage.consignee.has(KitUpdate)
    assert '"packtrain update" alone' in voyage.notices()
    update.apply(voyage.consignee, path, discard)
    assert voyage.consignee.digest(Kit) == voyage.consignor.digest(Kit)
    exchange.import_dossier(voyage.operator, voyage.dossier("back", "consignee", "operator"), discard)


def test_who_gets_the_papers_late_begins_with_the_kit_on_the_drives(voyage: Papers, tmp_path: Path) -> None:
    first = voyage.consignor.digest(Kit)
    for number in (1, 2):
        rehearse(voyage.consignor, {**PROGRAM, "train.py": f"print({number})\n"})
        make(voyage, f"{number}.update")
    for name in ("kit.json", "ready.json"):
        for suffix in ("", ".sig"):
            (voyage.operator.documents / (name + suffix)).unlink()
    exchange.import_dossier(voyage.operator, voyage.dossier("late"), discard)
    assert voyage.operator.digest(Kit) == first
    for number in (1, 2):
        update.countersign(voyage.operator, voyage.root / f"{number}.update", yes)
        update.apply(voyage.consignee, voyage.root / f"{number}.update", discard)
    assert voyage.consignee.digest(Kit) == voyage.consignor.digest(Kit)
    assert sha256_tree(voyage.consignee.work / "kit" / "program") == voyage.consignor.read(Kit).program
