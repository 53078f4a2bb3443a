"""What someone who had the drives in his hands may try: each attack on cargo format 1, and how it ends.

The attacker has no signing key of the parties and no identity. He has the recipient (it is in plan.json) and time.
"""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from load_parts import Site, copy_site, pack_template
from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import namespace
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    BeyondRepair,
    DocumentError,
    ForeignDrive,
    IncompleteKnowledge,
    PacktrainError,
    SignatureInvalid,
    SupersededDrive,
    UntrustedSigner,
)
from packtrain.volume import layout
from packtrain.volume.bag import manifest
from packtrain.volume.block_list import BlockHasher, encode_block_list
from packtrain.volume.discover import parse_manifest
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, make_signer

Template = tuple[Packing, ShipmentWritten]
# By type: 2 + 2 over two cases of two drives, as `make_packing` makes it.
LABELS = ("A1", "A2", "B1", "B2")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path / "site")


def put_in_place(site: Site, label: str, name: str, payload: bytes) -> None:
    """Replace a file of a drive and make every unsigned list on it agree: block list, manifest, tag manifest."""
    root = site.folder(label)
    (root / name).write_bytes(payload)
    if name.startswith("data/"):
        hasher = BlockHasher()
        hasher.update(payload)
        blocks = "packtrain/blocks/" + Path(name).name.split(".")[0] + ".xxh3"
        (root / blocks).write_bytes(encode_block_list(hasher.finish()[1]))
        relist(root, layout.MANIFEST, name)
        relist(root, layout.TAG_MANIFEST, blocks)
        relist(root, layout.TAG_MANIFEST, layout.MANIFEST)
    else:
        relist(root, layout.TAG_MANIFEST, name)


def relist(root: Path, listing: str, name: str) -> None:
    entries = parse_manifest((root / listing).read_bytes(), listing)
    entries[name] = sha256_bytes((root / name).read_bytes())
    (root / listing).write_bytes(manifest(entries))


def sign_as(signer: SshSigner, root: Path, name: str, body: dict[str, object], kind: type) -> None:
    payload = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (root / name).write_bytes(payload)
    (root / (name + ".sig")).write_text(signer.sign(namespace(kind), payload))


def minted(recipient: str) -> bytes:
    """Return a volume that the attacker made: the recipient is public, so anyone can encrypt to it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("shards/a.tar")
        member.size = 6
        tar.addfile(member, io.BytesIO(b"poison"))
    return age.encrypt_bytes(made.getvalue(), [recipient])


def assert_nothing_minted(site: Site) -> None:
    for path in (site.root / "store").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"poison" not in path.read_bytes(), path


def test_drives_that_a_stranger_signed_anew_are_refused_whole(site: Site, tmp_path: Path) -> None:
    stranger = make_signer(tmp_path / "stranger")
    for label in LABELS:
        root = site.folder(label)
        for name, kind in ((layout.PLAN, Plan), (layout.GROUP, Group), (layout.SHIPMENT, Shipment)):
            (root / (name + ".sig")).write_text(stranger.sign(namespace(kind), (root / name).read_bytes()))
            relist(root, layout.TAG_MANIFEST, name + ".sig") if name != layout.SHIPMENT else None
        record = json.loads((root / layout.DRIVE).read_bytes())
        record["tagmanifest"] = sha256_bytes((root / layout.TAG_MANIFEST).read_bytes())
        sign_as(stranger, root, layout.DRIVE, record, DriveRecord)
    with pytest.raises(UntrustedSigner) as caught:
        site.discover()
    assert stranger.fingerprint in str(caught.value)


def test_a_signature_moved_from_another_document_does_not_fit(site: Site) -> None:
    root = site.folder("A1")
    shutil.copy(root / (layout.GROUP + ".sig"), root / (layout.DRIVE + ".sig"))
    with pytest.raises(SignatureInvalid, match="another purpose"):
        site.discover()


def test_shipments_that_are_mixed_are_told_apart_though_the_same_consignor_signed_both(
    template: Template, site: Site, tmp_path: Path
) -> None:
    home = template[0].journal_folder.parent
    other_home = tmp_path / "other"
    shutil.copytree(home / "cargo", other_home / "cargo", symlinks=True)
    shutil.copytree(home / "keys", other_home / "keys")
    other = make_packing(other_home)
    other.write()
    site.drives["A2"] = DirectoryDrive(other.folder("A2"))
    with pytest.raises(ForeignDrive, match="drive A2 belongs to another shipment"):
        site.discover()


def test_a_drive_rolled_back_to_an_earlier_attempt_is_superseded(template: Template, tmp_path: Path) -> None:
    first = template[0]
    home = tmp_path / "home"
    shutil.copytree(first.journal_folder.parent / "cargo", home / "cargo", symlinks=True)
    shutil.copytree(first.journal_folder.parent / "keys", home / "keys")
    second = make_packing(home, attempt=2, shipment=first.plan.shipment)
    site = copy_site((second, second.write()), tmp_path / "site")
    site.drives["B2"] = DirectoryDrive(first.folder("B2"))
    with pytest.raises(SupersededDrive, match="drive B2 is superseded"):
        site.discover()


def test_a_minted_volume_never_reaches_the_store(site: Site) -> None:
    name = site.volumes("A1", "*.tar.age")[0].relative_to(site.folder("A1")).as_posix()
    put_in_place(site, "A1", name, minted(site.packing.plan.recipient))
    # The unsigned lists agree with the minted volume, the signed closing record does not: told, and not believed.
    assert [damage.volume for damage in site.discover().damage] == [layout.TAG_MANIFEST]
    site.load()
    site.assert_loaded()
    assert_nothing_minted(site)
    shutil.rmtree(site.root / "store")
    # Nor if the lists are left as they were: then the volume itself is an erasure, and the others make up for it.
    shutil.rmtree(site.folder("A1"))
    shutil.copytree(site.packing.folder("A1"), site.folder("A1"))
    (site.folder("A1") / name).write_bytes(minted(site.packing.plan.recipient))
    loaded = site.load()
    site.assert_loaded()
    assert_nothing_minted(site)
    assert loaded.volumes_rebuilt + loaded.blocks_repaired >= 1


def test_minted_volumes_beyond_what_the_code_survives_are_listed_and_never_stored(site: Site) -> None:
    for label in ("A1", "A2", "B1"):
        for path in site.volumes(label):
            path.write_bytes(minted(site.packing.plan.recipient))
    with pytest.raises(BeyondRepair):
        site.load()
    assert_nothing_minted(site)


@pytest.mark.parametrize(
    ("name", "kind", "change"),
    [
        (layout.PLAN, Plan, {"algorithms": {"encryption": "none"}}),
        (layout.PLAN, Plan, {"version": 0}),
        (layout.DRIVE, DriveRecord, {"version": 2}),
        (layout.DRIVE, DriveRecord, {"trust": "me"}),
        (layout.GROUP, Group, {"block_hash": "none"}),
    ],
)
def test_a_downgrade_is_refused_even_under_the_consignors_own_signature(
    site: Site, name: str, kind: type, change: dict[str, object]
) -> None:
    root = site.folder("A1")
    body = json.loads((root / name).read_bytes()) | change
    sign_as(site.packing.signer, root, name, body, kind)
    if name == layout.DRIVE:
        with pytest.raises(DocumentError):
            site.discover()
        return
    # No other copy is what the signed closing record names: it is damage, and the copy that is gets read.
    fleet = site.discover()
    assert name in [damage.volume for damage in fleet.damage]
    assert fleet.groups == {0: site.written.groups[0].group}
    assert fleet.plan == site.packing.plan


def test_files_that_exist_choose_no_algorithm(site: Site) -> None:
    # Plain archives beside the sealed ones, with the names an older or kinder format could have had.
    for label in LABELS:
        for path in site.volumes(label, "*.tar.age"):
            path.with_suffix("").write_bytes(b"poison")
            path.with_name(path.name + ".sha1").write_bytes(b"poison")
    site.load()
    site.assert_loaded()
    assert_nothing_minted(site)


def test_a_signature_that_is_taken_away_is_no_lesser_document(site: Site) -> None:
    (site.folder("A1") / (layout.DRIVE + ".sig")).unlink()
    with pytest.raises(PacktrainError, match="no signature"):
        site.discover()


def test_a_withheld_wave_is_named_by_the_shipment_document(tmp_path: Path) -> None:
    template = pack_template(tmp_path / "t", cases=(2, 2, 2, 2), groups=((2, 2), (2, 2)))
    site = copy_site(template, tmp_path / "site")
    site.lose("C1", "C2", "D1", "D2")
    fleet = site.discover(with_shipment=True)
    assert [drive.label for drive in fleet.missing] == ["C1", "C2", "D1", "D2"]
    with pytest.raises(PacktrainError) as caught:
        site.load()
    assert any(label in str(caught.value) + site.notices() for label in ("C1", "C2", "D1", "D2"))


def test_a_withheld_wave_without_the_shipment_document_is_incomplete_knowledge(tmp_path: Path) -> None:
    template = pack_template(tmp_path / "t", cases=(2, 2, 2, 2), groups=((2, 2), (2, 2)))
    site = copy_site(template, tmp_path / "site")
    site.lose("C1", "C2", "D1", "D2")
    for label in LABELS:
        for name in (layout.SHIPMENT, layout.SHIPMENT + ".sig"):
            (site.folder(label) / name).unlink(missing_ok=True)
    with pytest.raises(IncompleteKnowledge, match="never complete"):
        site.discover(with_shipment=False)
