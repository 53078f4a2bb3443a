"""A drive in the hands of somebody without packtrain: sha256sum, bagit, ssh-keygen, age, tar, cat, and its README."""

import os
import re
import subprocess
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.documents.parties import Parties, Party, allowed_signers
from packtrain.volume import layout
from shipment_parts import Packing, make_packing, write_cargo

SIZES = {"shards/one.tar": 700_000, "shards/two.tar": 120_000, "index": 10, "it's here/a b": 400_000, "empty": 0}


@pytest.fixture(scope="module")
def packing(tmp_path_factory: pytest.TempPathFactory) -> Packing:
    root = tmp_path_factory.mktemp("shipment")
    write_cargo(root / "cargo", SIZES)
    (root / "cargo/link").symlink_to("index")
    (root / "cargo/void").mkdir()
    packing = make_packing(root, cases=(2, 2, 2), groups=[(4, 2)], contact="call +00 000")
    packing.write()
    return packing


def folders(packing: Packing) -> list[Path]:
    return [Path(drive.location) for drive in packing.drives.values()]


def test_sha256sum_accepts_both_manifests(packing: Packing) -> None:
    for folder in folders(packing):
        for name in (layout.MANIFEST, layout.TAG_MANIFEST):
            subprocess.run(["sha256sum", "--strict", "--quiet", "-c", name], cwd=folder, check=True)


def test_a_bagit_validator_accepts_every_drive(packing: Packing) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bagit
    for number, folder in enumerate(folders(packing), 1):
        bag = bagit.Bag(str(folder))
        bag.validate()
        assert bag.info["Bag-Group-Identifier"] == packing.plan.shipment
        assert bag.info["Bag-Count"] == f"{number} of 6"


@pytest.mark.needs_ssh_keygen
@pytest.mark.parametrize("kind", ["plan", "group", "drive", "shipment"])
def test_ssh_keygen_verifies_every_document(packing: Packing, tmp_path: Path, kind: str) -> None:
    party = Party(
        role="consignor", name="home", signer=packing.signer.public_line, recipient=age.recipient_of(packing.identity)
    )
    (tmp_path / "allowed_signers").write_text(allowed_signers(Parties(voyage="v", parties=(party,))))
    for folder in folders(packing):
        command = f"ssh-keygen -Y verify -f {tmp_path}/allowed_signers -I consignor -n packtrain-{kind}@v1"
        with (folder / f"packtrain/{kind}.json").open("rb") as document:
            done = subprocess.run(
                [*command.split(), "-s", str(folder / f"packtrain/{kind}.json.sig")],
                stdin=document,
                capture_output=True,
                check=False,
            )
        assert done.returncode == 0, done.stderr


@pytest.mark.needs_age
def test_stock_age_and_tar_list_a_volume_without_a_word_of_complaint(packing: Packing, tmp_path: Path) -> None:
    (tmp_path / "identity.txt").write_text(packing.identity + "\n")
    volume = next(path for folder in folders(packing) for path in folder.glob("data/*.tar.age"))
    plain = subprocess.run(["age", "-d", "-i", tmp_path / "identity.txt", volume], capture_output=True, check=True)
    listed = subprocess.run(["tar", "-tv"], input=plain.stdout, capture_output=True, check=True)
    assert listed.stdout
    assert not listed.stderr


@pytest.mark.needs_age
def test_the_commands_of_the_readme_restore_everything(packing: Packing, tmp_path: Path) -> None:
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "identity.txt").write_text(packing.identity + "\n")
    readme = (folders(packing)[0] / layout.README).read_text()
    unpack = re.search(r"^    for volume in .*?^    done\n", readme, re.DOTALL | re.MULTILINE)
    join = re.search(r"^    cd /restored\n(.*?)\n\n", readme, re.DOTALL | re.MULTILINE)
    assert join is not None
    assert unpack is not None
    commands = (
        unpack.group().replace("/restored", str(restored)).replace("identity.txt", str(tmp_path / "identity.txt"))
    )
    for folder in folders(packing):
        done = subprocess.run(["sh", "-ec", commands], cwd=folder, check=True, capture_output=True)
        assert done.stdout + done.stderr == b""
    subprocess.run(["sh", "-ec", join.group(1)], cwd=restored, check=True)
    cargo = Path(os.fsdecode(packing.entries[0].source))
    while cargo.name != "cargo":
        cargo = cargo.parent
    assert subprocess.run(["diff", "-r", cargo, restored], capture_output=True, check=False).stdout == b""
    assert (restored / "void").is_dir()


@pytest.mark.needs_age
def test_the_catalog_opens_in_stock_sqlite_after_age(packing: Packing, tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "identity.txt").write_text(packing.identity + "\n")
    sealed = folders(packing)[0] / layout.CATALOG
    plain = subprocess.run(["age", "-d", "-i", tmp_path / "identity.txt", sealed], capture_output=True, check=True)
    (tmp_path / "catalog.sqlite").write_bytes(plain.stdout)
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    names = {row[0] for row in connection.execute("select cast(path as text) from files where kind = 'file'")}
    connection.close()
    assert names == set(SIZES)


def test_the_readme_says_whom_to_call_and_nothing_of_the_content(packing: Packing) -> None:
    readme = (folders(packing)[0] / layout.README).read_text()
    assert "call +00 000" in readme
    assert "shards" not in readme


def test_the_specification_lies_on_the_drive_and_in_the_docs() -> None:
    documented = Path(__file__).parents[2] / "docs/spec/cargo-1.md"
    from packtrain.volume.bag import spec

    assert documented.read_bytes() == spec()


def test_the_arithmetic_of_the_specification_gives_the_parity(packing: Packing) -> None:
    """The Python in the spec is run as it stands, on the first bytes of a stripe."""
    text = (folders(packing)[0] / layout.SPEC).read_text()
    code = re.search(r"^    def mul.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert code is not None
    field: dict[str, Callable[..., int]] = {}
    exec("\n".join(line[4:] for line in code.group().splitlines()), field)
    mul, inv = field["mul"], field["inv"]
    k, n = 4, 6
    columns = {
        column: folders(packing)[layout.drive_of(0, column, n)] / layout.volume_name(0, column, k)
        for column in range(n)
    }
    heads = {column: path.read_bytes()[:300] if path.exists() else bytes(300) for column, path in columns.items()}
    for i in range(k, n):
        for offset in range(200, 300):
            expected = 0
            for j in range(k):
                expected ^= mul(inv(i ^ j), heads[j][offset])
            assert heads[i][offset] == expected


def test_the_readme_joins_no_file_of_which_a_piece_is_missing(packing: Packing, tmp_path: Path) -> None:
    readme = (folders(packing)[0] / layout.README).read_text()
    step = readme.split("2. Files larger than a volume")[1].split("3. To see which files")[0]
    script = textwrap.dedent("\n".join(line for line in step.splitlines() if line.startswith("    ")))
    for name, numbers in {"whole file": (1, 2, 3), "broken": (1, 3)}.items():
        for number in numbers:
            (tmp_path / f"{name}.{number:06d}of000003").write_text(str(number))
    script = script.replace("cd /restored", f"cd '{tmp_path}'")

    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert (tmp_path / "whole file").read_text() == "123"
    assert "INCOMPLETE: ./broken, 2 pieces of 000003" in done.stdout
    assert sorted(path.name for path in tmp_path.glob("broken*")) == ["broken.000001of000003", "broken.000003of000003"]
