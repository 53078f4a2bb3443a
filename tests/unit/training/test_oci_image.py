"""A kit as an OCI image: read back by programs nobody here wrote, and refused where the base is not what it says."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from image_parts import tar_of, write_base
from kit_parts import make_wheel
from packtrain import durable
from packtrain.documents.codec import encode
from packtrain.documents.kit import Kit
from packtrain.errors import KitError
from packtrain.training.kit import build_kit
from packtrain.training.oci_image import PLACE, write_image


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    make_wheel(tmp_path / "wheels", "tiny-sum")
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "train.py").write_text("print(1)\n")
    kit = build_kit(tmp_path / "program", tmp_path / "wheels", (), "train.py", tmp_path / "kit")
    durable.write_bytes(tmp_path / "kit" / "kit.json", encode(kit))
    durable.write_bytes(tmp_path / "kit" / "kit.json.sig", b"signature")
    return kit


def _write(kit: Kit, root: Path, base: Path, name: str = "out.tar") -> Path:
    write_image(root / "kit", kit, base, root / name, "x86_64")
    return root / name


def test_the_same_base_and_kit_give_the_same_image(kit: Kit, tmp_path: Path):
    base = write_base(tmp_path / "base.tar")
    one, two = (_write(kit, tmp_path, base, name).read_bytes() for name in ("one.tar", "two.tar"))
    assert one == two
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".layer")]


def test_every_blob_is_the_one_its_name_says_and_the_base_stays_below(kit: Kit, tmp_path: Path):
    with tarfile.open(_write(kit, tmp_path, write_base(tmp_path / "base.tar"))) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive}  # pyright: ignore[reportOptionalMemberAccess]
    for name, payload in files.items():
        if name.startswith("blobs/"):
            assert name.rpartition("/")[2] == hashlib.sha256(payload).hexdigest()
    index = json.loads(files["index.json"])
    manifest = json.loads(files["blobs/sha256/" + index["manifests"][0]["digest"][7:]])
    config = json.loads(files["blobs/sha256/" + manifest["config"]["digest"][7:]])
    assert config["config"] == {"Env": ["SITE=yes"]}
    assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 2
    assert config["rootfs"]["diff_ids"][1] == manifest["layers"][1]["digest"]


def test_skopeo_and_umoci_read_the_image_and_find_the_kit(kit: Kit, tmp_path: Path):
    for tool in ("skopeo", "umoci"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} (Debian package: {tool})")
    out = _write(kit, tmp_path, write_base(tmp_path / "base.tar"))

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = json.loads(run("skopeo", "inspect", f"oci-archive:{out}"))
    assert (told["Architecture"], told["Os"], len(told["Layers"]), told["Env"]) == ("amd64", "linux", 2, ["SITE=yes"])
    run("skopeo", "copy", "--insecure-policy", f"oci-archive:{out}", "oci:layout:kit")
    run("umoci", "unpack", "--rootless", "--image", "layout:kit", "bundle")
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "etc" / "site").read_text() == "the site's\n"
    for file in kit.files:
        assert hashlib.sha256((root / PLACE / file.name).read_bytes()).hexdigest() == file.sha256
    assert (root / PLACE / "kit.json").read_bytes() == encode(kit)


def test_a_base_for_another_machine_is_refused(kit: Kit, tmp_path: Path):
    base = write_base(tmp_path / "base.tar", architecture="arm64")
    with pytest.raises(KitError, match=r"another machine than the kit \(expected linux amd64, found linux arm64"):
        _write(kit, tmp_path, base)


def test_a_layer_that_differs_from_its_digest_is_refused_and_nothing_is_left(kit: Kit, tmp_path: Path):
    digest = hashlib.sha256(tar_of({"etc/site": b"the site's\n"})).hexdigest()
    layer = f"blobs/sha256/{digest}"
    base = write_base(tmp_path / "base.tar", changed={layer: b"another"})
    with pytest.raises(KitError, match="which differs from its digest"):
        _write(kit, tmp_path, base)
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize(
    ("index", "told"),
    [
        (b"no json", "is no JSON"),
        (b"[]", "is no JSON object"),
        (b"{}", "no manifests"),
        (b'{"manifests": [3]}', "no manifests"),
        (b'{"manifests": []}', "0 images for amd64"),
        (b'{"manifests": [{"digest": "sha256:../../etc/passwd"}]}', "a digest 'sha256:../../etc/passwd'"),
        (b'{"manifests": [{"digest": "sha256:%s"}]}' % (b"0" * 64), "no blobs/sha256/0000"),
        (b'{"manifests": [{"digest": "x", "platform": 3}, {"digest": "y"}]}', "0 images for amd64"),
    ],
)
def test_a_base_that_is_no_image_is_refused(kit: Kit, tmp_path: Path, index: bytes, told: str):
    base = write_base(tmp_path / "base.tar", changed={"index.json": index})
    with pytest.raises(KitError, match="no OCI archive that can be built on") as caught:
        _write(kit, tmp_path, base)
    assert told in caught.value.message


def test_a_cut_archive_is_refused(kit: Kit, tmp_path: Path):
    base = write_base(tmp_path / "base.tar")
    for size in (0, 100, 700, 2000):
        base.write_bytes(base.read_bytes()[:size])
        with pytest.raises(KitError, match="no OCI archive that can be built on"):
            _write(kit, tmp_path, base)
