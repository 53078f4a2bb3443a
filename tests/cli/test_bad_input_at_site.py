"""Bad input at the site: one clear message, one stable code, nothing spoilt; and it goes on when the cause is gone."""

import os
import shutil
from pathlib import Path

import pytest

from command_parts import Site, copy_site, deliver, edit, largest_file, pack, refusal
from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document, namespace
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.plan import Plan
from packtrain.record.folder import VoyageFolder
from packtrain.units import KIB


@pytest.fixture(scope="module")
def at_site(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The second attempt of a shipment at the site, ready to load; drive a1 of the first lies in drives/old-a1."""
    site = copy_site(at_home, tmp_path_factory.mktemp("site"))
    pack(site)
    shutil.copytree(site.drive("a1"), site.drive("old-a1"))
    edit(site.home / "voyage.toml", 'contact = ""', 'contact = "the second attempt"')
    pack(site)
    deliver(site)
    return site


@pytest.fixture(scope="module")
def another(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Another shipment of the same consignor, packed."""
    site = copy_site(at_home, tmp_path_factory.mktemp("another"))
    pack(site)
    return site


@pytest.fixture
def site(at_site: Site, tmp_path: Path) -> Site:
    return copy_site(at_site, tmp_path)


def flip(path: Path, offset: int) -> None:
    payload = bytearray(path.read_bytes())
    payload[offset] ^= 1
    path.write_bytes(payload)


def stranger(folder: Path) -> SshSigner:
    generate_key_pair(folder / "stranger", "")
    return SshSigner.load(folder / "stranger")


def sign(path: Path, kind: type[Document], signer: SshSigner) -> None:
    path.with_name(path.name + ".sig").write_text(signer.sign(namespace(kind), path.read_bytes()))


def load_refused(site: Site, exit_code: int, *drives: Path) -> dict[str, str]:
    """Load; assert the refusal, and that it wrote nothing."""
    before = site.snapshot()
    document = refusal(site.load(*drives), exit_code)
    # Which keys are whose is written anew from voyage.toml and keys/ whenever a verb starts.
    derived = {"guest/documents/parties.json", "guest/documents/allowed_signers"}
    after = site.snapshot()
    assert {name for name in {*before, *after} - derived if before.get(name) != after.get(name)} == set()
    return document


def load_goes_on(site: Site, *drives: Path) -> None:
    ran = site.load(*drives)
    assert ran.exit_code == 0, ran.stderr
    site.assert_loaded()


# --- which drives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["same path", "link", "relative"])
def test_the_same_drive_given_twice(site: Site, spelling: str) -> None:
    again = site.drive("a1")
    if spelling == "link":
        again = site.root / "link"
        again.symlink_to(site.drive("a1"))
    elif spelling == "relative":
        again = Path(os.path.relpath(again))

    document = load_refused(site, 32, *site.drives(), again)

    assert document["where"] == str(again)
    assert str(site.drive("a1")) in document["found"]
    load_goes_on(site)


def test_a_copy_of_a_drive_is_no_second_drive(site: Site) -> None:
    shutil.copytree(site.drive("a1"), site.root / "copy")
    document = load_refused(site, 32, *site.drives(), site.root / "copy")
    assert document["where"] == str(site.root / "copy")
    load_goes_on(site)


def test_a_drive_of_another_shipment(site: Site, another: Site) -> None:
    document = load_refused(site, 33, *site.drives("a1", "a2", "b1"), another.drive("b2"))

    assert document["where"] == str(another.drive("b2"))
    assert document["expected"] == VoyageFolder(site.guest).read(Plan).shipment
    assert document["found"] == VoyageFolder(another.home).read(Plan).shipment
    load_goes_on(site, *site.drives("a1", "a2", "b1"))


def test_a_drive_of_an_earlier_attempt_among_the_others(site: Site) -> None:
    document = load_refused(site, 34, site.drive("old-a1"), *site.drives("a2", "b1", "b2"))

    assert document["where"] == str(site.drive("old-a1"))
    assert (document["expected"], document["found"]) == ("attempt 2", "attempt 1")
    load_goes_on(site, *site.drives("a2", "b1", "b2"))


def test_a_withheld_wave(site: Site) -> None:
    papers = [site.guest / "documents" / name for name in ("shipment.json", "shipment.json.sig")]
    kept = {paper: paper.read_bytes() for paper in papers}
    for paper in papers:
        paper.unlink()

    document = load_refused(site, 42, *site.drives("a1", "a2"))

    assert document["where"] == str(papers[0])
    assert "dossier import" in document["hint"]
    for paper, payload in kept.items():
        paper.write_bytes(payload)
    load_goes_on(site, *site.drives("a1", "a2"))


def test_loading_without_an_admission(site: Site) -> None:
    papers = [site.guest / "documents" / name for name in ("admission.json", "admission.json.sig")]
    kept = {paper: paper.read_bytes() for paper in papers}
    for paper in papers:
        paper.unlink()

    document = load_refused(site, 73)

    assert document["where"] == str(papers[0])
    assert "packtrain admit" in document["hint"]
    for paper, payload in kept.items():
        paper.write_bytes(payload)
    load_goes_on(site)


# --- keys and signatures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["release.age", "identity.txt", "signer"])
def test_a_missing_key(site: Site, name: str) -> None:
    key = site.guest / "keys" / name
    payload = key.read_bytes()
    key.unlink()

    document = load_refused(site, 60)

    assert document["where"] == str(key)
    key.write_bytes(payload)
    key.chmod(0o600)
    load_goes_on(site)


def test_a_wrong_key(site: Site) -> None:
    key = site.guest / "keys" / "identity.txt"
    payload = key.read_bytes()
    key.write_text(age.generate_identity() + "\n")

    document = load_refused(site, 61)

    assert document["where"] == str(site.guest / "keys" / "release.age")
    assert "age1" in document["expected"]
    key.write_bytes(payload)
    load_goes_on(site)


def test_a_drive_closed_by_a_stranger(site: Site) -> None:
    record = site.drive("b1") / "packtrain" / "drive.json"
    sign(record, DriveRecord, stranger(site.root))

    document = load_refused(site, 52)

    assert document["where"] == f"{site.drive('b1')}: packtrain/drive.json"
    assert document["expected"].startswith("consignor SHA256:") and document["found"].startswith("SHA256:")
    load_goes_on(site, *site.drives("a1", "a2", "b2"))


def test_an_admission_signed_by_a_stranger(site: Site) -> None:
    path = site.guest / "documents" / "admission.json"
    signature = path.with_name("admission.json.sig").read_bytes()
    sign(path, Admission, stranger(site.root))

    document = load_refused(site, 52)

    assert document["where"] == str(path)
    assert document["expected"].startswith("operator SHA256:")
    path.with_name("admission.json.sig").write_bytes(signature)
    load_goes_on(site)


# --- damage ----------------------------------------------------------------------------------------------------------


def test_a_tampered_volume_is_repaired_and_told(site: Site) -> None:
    flip(site.drive("a1") / "data" / "0000000-00.tar.age", 5000)

    ran = site.load()

    assert ran.exit_code == 0
    site.assert_loaded()
    assert "drive A1, data/0000000-00.tar.age, block 0" in ran.stderr
    assert ran.document()["counts"]["blocks_repaired"] == 1


def test_a_volume_tampered_beyond_the_code(site: Site) -> None:
    volumes = [next(site.drive(name).glob("data/0000001-*")) for name in ("a1", "a2", "b1")]
    kept = {volume: volume.read_bytes() for volume in volumes}
    for volume in volumes:
        flip(volume, 5000)

    ran = site.load()

    document = refusal(ran, 41)
    listing = Path(document["where"])
    lost = listing.read_text().split()
    assert lost
    restored = [path for path in (site.guest / "store" / "shards").rglob("*") if path.is_file()]
    assert restored
    assert not set(lost) & {path.relative_to(site.guest / "store").as_posix() for path in restored}
    for path in restored:
        name = path.relative_to(site.guest / "store")
        original = site.home / "work" / "dataset" / name
        if not original.exists():
            original = site.home / "work" / "canaries" / name
        assert path.read_bytes() == original.read_bytes()
    for volume, payload in kept.items():
        volume.write_bytes(payload)
    load_goes_on(site)
    assert not listing.exists()


@pytest.mark.parametrize("name", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_tampered_manifest(site: Site, name: str) -> None:
    manifest = site.drive("a2") / name
    flip(manifest, 3)

    ran = site.load()

    # The signed closing record names every file: this one is damage, and the volumes are read all the same.
    assert ran.exit_code == 0, ran.stderr
    assert f"drive A2, {name}" in ran.stderr
    site.assert_loaded()


def test_a_store_that_becomes_full_while_it_is_filled(site: Site) -> None:
    with largest_file(50 * KIB):
        document = refusal(site.load(), 31)

    assert document["where"].startswith(str(site.guest / "store"))
    assert "goes on where it stopped" in document["hint"]
    load_goes_on(site)
