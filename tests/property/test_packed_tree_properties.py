"""Any stretch of any file of a packed shipment equals the original's, whatever a code survives is lost or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from load_parts import SIZES, Site, borrow_site, copy_site, flip, pack_template, resign_group
from packtrain.crypto import age
from packtrain.digest import BLOCK_BYTES
from packtrain.errors import BeyondRepair, HostileArchive, IntegrityError, MoreDrivesWanted, PacktrainError, WrongKey
from packtrain.files.packed import PackedFiles
from packtrain.files.proven import Proofs
from packtrain.units import KIB
from packtrain.volume.packed_tree import PackedTree
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, content, make_packing, write_cargo

Template = tuple[Packing, ShipmentWritten]
# Volumes of several blocks, so that chunks lie across their borders.
LARGE = {"big": 5_000_000, **SIZES}
CONTENT = {name: content(size_bytes, number) for number, (name, size_bytes) in enumerate(LARGE.items())}
LABELS = ("A1", "A2", "B1", "B2")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), LARGE, target_bytes=2_500 * KIB)


@pytest.fixture(scope="module")
def trees(template: Template, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PackedTree]:
    """The same shipment, as good as it can be and in several ways worse."""
    root = tmp_path_factory.mktemp("trees")
    found: dict[str, PackedTree] = {}
    for name, gone in {"whole": (), "no A1": ("A1",), "no case A": ("A1", "A2")}.items():
        site = borrow_site(template, root)
        site.lose(*gone)
        found[name] = PackedTree(site.discover(), site.packing.identity, root)
    (root / "damaged").mkdir()
    site = copy_site(template, root / "damaged")
    for label, bits in {"A2": (30, 300, 70_000, 1_100_000), "B1": (65_000, 1_048_570, 2_000_000)}.items():
        for volume in site.volumes(label):
            for offset in bits:
                if offset < volume.stat().st_size:
                    flip(volume, offset)
    for blocks in (site.folder("B1") / "packtrain/blocks").iterdir():
        blocks.write_bytes(blocks.read_bytes()[:-1])
    found["damaged"] = PackedTree(site.discover(), site.packing.identity, root)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_stretch_equals_the_original(trees: dict[str, PackedTree], data: st.DataObject) -> None:
    tree = trees[data.draw(st.sampled_from(sorted(trees)))]
    name = data.draw(st.sampled_from(["big", "big", "shards/a.tar", *CONTENT]))
    whole = CONTENT[name]
    near = st.sampled_from([0, 64 * KIB, BLOCK_BYTES, 2_500 * KIB, len(whole)]).flatmap(
        lambda at: st.integers(max(at - 700, 0), at + 700)
    )
    offset = data.draw(near | st.integers(0, len(whole) + 10))
    length = data.draw(st.integers(0, 3000) | st.integers(0, len(whole)))
    entry = tree.entry(name.encode())
    assert entry is not None
    target = bytearray(length)
    count = tree.read_into(entry, offset, memoryview(target))
    assert bytes(target[:count]) == whole[offset : offset + length]
    assert count == len(whole[offset : offset + length])


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("small")
    template = pack_template(root / "packed", {"a": 300 * KIB, "b/c": 5000})
    (root / "copy").mkdir()
    return copy_site(template, root / "copy")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_drive_holds_the_bytes_are_right_or_an_error_says_why(
    small_site: Site, tmp_path: Path, data: st.DataObject
) -> None:
    files = sorted(path for label in LABELS for path in small_site.folder(label).rglob("*") if path.is_file())
    # All is drawn before the first file is written: a draw may end the example.
    altered: dict[Path, bytearray] = {}
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(files))
        payload = altered.setdefault(path, bytearray(path.read_bytes()))
        match data.draw(st.sampled_from(["flip", "cut", "longer", "empty"])):
            case "flip" if payload:
                payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
            case "cut":
                del payload[data.draw(st.integers(0, len(payload))) :]
            case "longer":
                payload += data.draw(st.binary(min_size=1, max_size=100))
            case _:
                payload.clear()
    kept = {path: path.read_bytes() for path in altered}
    for path, payload in altered.items():
        path.write_bytes(payload)
    expected = {"a": content(300 * KIB, 0), "b/c": content(5000, 1)}
    try:
        tree = PackedTree(small_site.discover(), small_site.packing.identity, tmp_path)
        packed = PackedFiles(tree)
        for name, whole in expected.items():
            entry = packed.entry(name)
            assert entry is not None
            target = bytearray(len(whole))
            assert packed.open(entry).read_into(0, memoryview(target)) == len(whole)
            assert target == whole
        packed.close()
    except PacktrainError:
        pass
    finally:
        for path, payload in kept.items():
            path.write_bytes(payload)


def test_names_links_and_folders_are_those_of_the_cargo(trees: dict[str, PackedTree]) -> None:
    files = PackedFiles(trees["no case A"])
    assert [(each.name, each.kind) for each in files.children("")] == [
        ("big", "file"),
        ("empty", "file"),
        ("links", "directory"),
        ("names", "directory"),
        ("nothing here", "directory"),
        ("shards", "directory"),
    ]
    (up,) = files.children("links")
    assert (up.name, up.kind, up.link, up.bytes) == ("links/up", "file", "../shards/a.tar", 900 * KIB)
    assert [each.name for each in files.children("names")] == ["names/" + "long" * 40, "names/é"]
    assert files.children("nothing here") == []
    for nothing in ("no", "shards/", "shards/../big", "../big", "/big", "big/x", "\udcff"):
        assert files.entry(nothing) is None, nothing


def test_a_link_to_a_folder_leads_into_it(tmp_path: Path) -> None:
    cargo = write_cargo(tmp_path / "cargo", {"a/b/c": 700})
    for link, target in {"a/up": "..", "to": "a/b", "a/b/self": "../b", "gone": "x"}.items():
        (cargo / link).symlink_to(target)
    packing = make_packing(tmp_path)
    site = borrow_site((packing, packing.write()), tmp_path)
    files = PackedFiles(PackedTree(site.discover(), packing.identity, tmp_path))
    for name in ("to", "a/up/a/b", "to/self", "a/b/self/self"):
        assert [each.name for each in files.children(name)] == [f"{name}/c", f"{name}/self"]
        entry = files.entry(f"{name}/c")
        assert entry is not None and (entry.name, entry.kind, entry.bytes) == (f"{name}/c", "file", 700)
        target = bytearray(700)
        assert files.open(entry).read_into(0, memoryview(target)) == 700 and target == content(700, 0)
    assert files.entry("gone/c") is None and files.children("gone") == []


def test_what_is_left_out_of_is_named_and_what_remains_is_read(template: Template, tmp_path: Path) -> None:
    site = borrow_site(template, tmp_path)
    site.lose("A1", "A2", "B1")
    files = PackedFiles(PackedTree(site.discover(), site.packing.identity, tmp_path))
    outcomes: dict[str, str] = {}
    for name, whole in CONTENT.items():
        entry = files.entry(name)
        assert entry is not None
        target = bytearray(len(whole))
        try:
            files.open(entry).read_into(0, memoryview(target))
        except MoreDrivesWanted as error:
            assert error.where is not None and error.where.startswith(name[:200])
            outcomes[name] = "wanted"
        else:
            assert target == whole
            outcomes[name] = "read"
    assert set(outcomes.values()) == {"wanted", "read"}


def test_no_name_is_told_of_a_group_without_a_drive(tmp_path: Path) -> None:
    template = pack_template(tmp_path / "two", {"a": 900 * KIB, "b": 900 * KIB}, cases=(2, 2), groups=((1, 1), (1, 1)))
    site = borrow_site(template, tmp_path)
    site.lose("B1", "B2")
    with pytest.raises(MoreDrivesWanted, match="cannot even be named"):
        PackedTree(site.discover(), site.packing.identity, tmp_path)
    files = PackedFiles(PackedTree(site.discover(), site.packing.identity, tmp_path, partial=True))
    here = [each.name for each in files.children("") if each.kind == "file"]
    assert here in (["a"], ["b"])
    assert "B1, B2" in files.unknown()


def test_another_identity_and_no_good_catalog(template: Template, tmp_path: Path) -> None:
    site = copy_site(template, tmp_path)
    with pytest.raises(WrongKey):
        PackedTree(site.discover(), age.generate_identity(), tmp_path)
    for label in LABELS[:3]:
        flip(site.folder(label) / "packtrain/catalog.sqlite.age", 5000)
    assert PackedTree(site.discover(), site.packing.identity, tmp_path).entry(b"big") is not None
    flip(site.folder("B2") / "packtrain/catalog.sqlite.age", 5000)
    with pytest.raises(BeyondRepair, match="drive B2: chunk 0"):
        PackedTree(site.discover(), site.packing.identity, tmp_path)
    assert not list(tmp_path.glob("names-*"))


def test_a_volume_forged_to_fit_its_list_is_found_out_where_it_can_be(template: Template, tmp_path: Path) -> None:
    """Whoever rewrites a volume, to the public recipient, passes tags and lists; not the signed SHA-256 of a file."""
    site = copy_site(template, tmp_path)
    volume = site.volumes("A1", "*.tar.age")[0]
    length = volume.stat().st_size
    plain = length
    while age.ciphertext_bytes(plain) > length:
        plain -= 16
    while age.ciphertext_bytes(plain) < length:
        plain += 1
    forged = age.encrypt_bytes(bytes(plain), [site.packing.plan.recipient])
    assert len(forged) == length
    resign_group(site, {volume: forged})
    fleet = site.discover()
    assert site.groups is not None
    fleet.groups.update(site.groups)  # pyright: ignore[reportAttributeAccessIssue]
    files = PackedFiles(PackedTree(fleet, site.packing.identity, tmp_path))
    proofs, told = Proofs(), 0
    for name, whole in CONTENT.items():
        entry = files.entry(name)
        assert entry is not None
        target = bytearray(len(whole))
        source = files.open(entry)
        try:
            source.read_into(0, memoryview(target))
            proven = bytearray(len(whole))
            proofs.proven(entry, source).read_into(0, memoryview(proven))
            assert target == proven == whole
        except (IntegrityError, HostileArchive):
            told += 1
    assert told
