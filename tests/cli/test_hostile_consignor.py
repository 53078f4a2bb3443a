"""A consignor with valid keys who means harm: every signature fits, and nothing leaves the store."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec import structs

from command_parts import Site, copy_site, deliver, pack, refusal
from packtrain.crypto.sshsig import SshSigner
from packtrain.documents.admission import Admission
from packtrain.documents.codec import decode, digest, encode, namespace
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.record.folder import VoyageFolder
from packtrain.stages.pack import cargo as pack_stage
from packtrain.volume import layout, packing_list, sealing
from packtrain.volume.cargo import CargoEntry
from packtrain.volume.cargo_list import CargoList, list_of
from packtrain.volume.journal import Member
from packtrain.volume.sealing import member_header
from packtrain.volume.tar import Xattrs
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import make_packing, write_cargo

PAYLOAD = b"planted"


@pytest.fixture
def site(at_home: Site, tmp_path: Path) -> Site:
    """Two folders down, so that a path with a few ".." still ends where the test sees it."""
    return copy_site(at_home, tmp_path / "far" / "down")


def file(name: bytes, source: Path) -> CargoEntry:
    source.write_bytes(PAYLOAD)
    os.utime(source, (0, 0))
    return CargoEntry(name, os.fsencode(source), "file", len(PAYLOAD), 0o4755, 0)


def link(name: bytes, target: bytes, source: Path) -> CargoEntry:
    source.symlink_to(target.decode())
    return CargoEntry(name, os.fsencode(source), "symlink", 0, 0o777, 0, link_target=target)


HOSTILE: dict[str, Callable[[Path], list[CargoEntry]]] = {
    "path to the parent": lambda at: [file(b"shards/../../planted", at / "p")],
    "path into the staging folder": lambda at: [file(b".packtrain-staging/planted", at / "p")],
    "link to the parent": lambda at: [link(b"shards/door", b"../../..", at / "l")],
    "link to an absolute path": lambda at: [link(b"door", b"/etc/passwd", at / "l")],
    "file through a link": lambda at: [link(b"door", b"shards", at / "l"), file(b"door/planted", at / "p")],
}


def load_stays_in_the_store(site: Site, tmp_path: Path) -> dict[str, str]:
    """Load; assert the refusal, that it wrote nothing beside the store, and that another try ends the same."""
    everything = Site(tmp_path)
    before = everything.snapshot()

    document = refusal(site.load(), 43)

    after = everything.snapshot()
    written = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    beside = {path for path in written if not path.startswith(("far/down/guest/store/", "far/down/guest/work/load/"))}
    # The log says that the drives were read and what came of it.
    assert beside <= {"far/down/guest/documents/custody.jsonl"}
    assert not any(path.name == "planted" for path in tmp_path.rglob("*"))
    assert document["found"] and "consignor" in document["hint"]
    assert refusal(site.load(), 43) == document
    assert everything.snapshot() == after
    return document


@pytest.mark.parametrize("name", HOSTILE)
def test_a_cargo_that_would_leave_the_store(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "loot").mkdir()
    more = HOSTILE[name](tmp_path / "loot")

    def with_more(entries: Iterable[CargoEntry]) -> CargoList:
        return list_of([*entries, *more])

    with monkeypatch.context() as patched:
        patched.setattr(pack_stage, "list_of", with_more)
        # A consignor who means it has taken out its own check as well; the reader's is what is tried here.
        patched.setattr(packing_list, "refuse_names_no_reader_takes", lambda entries, target_bytes: entries)
        pack(site)
    deliver(site)
    load_stays_in_the_store(site, tmp_path)


def test_a_volume_that_says_another_path_than_its_catalog(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def header(member: Member, xattrs: Xattrs) -> bytes:
        path = b"../../planted" if member.path == b"index.parquet" else member.path
        return member_header(member._replace(path=path), xattrs)

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "member_header", header)
        pack(site)
    deliver(site)

    document = load_stays_in_the_store(site, tmp_path)

    assert re.fullmatch(r"drive [AB][12], data/000000[01]-0[01]\.tar\.age", document["where"])


def test_a_rehearsal_passed_off_as_a_cargo(site: Site, tmp_path: Path) -> None:
    pack(site)
    deliver(site)
    guest, consignor = VoyageFolder(site.guest), VoyageFolder(site.home).signer()
    written, drives = rehearsal(tmp_path / "rehearsal", consignor)

    document = refusal(site.load(*drives), 33)

    assert document["where"] == str(drives[0])
    assert document["found"] == written.shipment.shipment
    assert not (site.guest / "store").exists()

    shutil.copytree(site.guest / "documents", tmp_path / "kept")
    statement, admission = guest.read(PackingStatement), guest.read(Admission)
    shipment = written.shipment
    guest.write_signed(decode(Plan, (drives[0] / layout.PLAN).read_bytes(), "plan"), consignor)
    guest.write_signed(shipment, consignor)
    about = {"shipment": shipment.shipment, "attempt": 1, "plan": shipment.plan, "shipment_root": digest(shipment)}
    guest.write_signed(structs.replace(statement, **about), consignor)
    about["packing_statement"] = guest.digest(PackingStatement)
    guest.write_signed(structs.replace(admission, **about), VoyageFolder(site.hall).signer())

    document = refusal(site.load(*drives), 73)

    assert "rehearsal" in document["what"]
    assert not (site.guest / "store").exists()
    shutil.copytree(tmp_path / "kept", site.guest / "documents", dirs_exist_ok=True)
    assert site.load().exit_code == 0
    site.assert_loaded()


def rehearsal(root: Path, signer: SshSigner) -> tuple[ShipmentWritten, list[Path]]:
    """Write a shipment with the purpose rehearsal; return it and its drives."""
    write_cargo(root / "cargo", {"shards/a.tar": 1000})
    packing = make_packing(root)
    plan = structs.replace(packing.plan, purpose="rehearsal", declaration=None)
    payload = encode(plan)
    signature = signer.sign(namespace(Plan), payload).encode("ascii")
    written = dataclasses.replace(packing, plan=plan, plan_files=(payload, signature), signer=signer).write()
    return written, [Path(drive.location) for drive in packing.drives.values()]
