"""Kits: what goes in, what is refused, and that one installs with no network."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from platform import python_version

import pytest

from kit_parts import make_wheel
from packtrain.digest import sha256_tree
from packtrain.documents.codec import decode, digest, encode
from packtrain.documents.kit import Kit
from packtrain.errors import DocumentError, KitError
from packtrain.training.box import Box
from packtrain.training.interpreter import packed_interpreter
from packtrain.training.kit import build_kit
from packtrain.training.kit_contents import kit_contents
from packtrain.training.kit_held import verify_kit
from packtrain.training.kit_install import check_installed
from packtrain.training.target import Target
from packtrain.training.wheels import read_wheels

COMMAND = "train.py --data {data} --steps {steps}"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "program"
    (folder / "model").mkdir(parents=True)
    (folder / "train.py").write_text("import model.layers\n")
    (folder / "model" / "layers.py").write_text("WIDTH = 8\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "train.pyc").write_bytes(b"cache")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    make_wheel(folder, "tiny-sum", "1.2", requires=["tiny-base>=1; python_version > '3'", "absent; extra == 'x'"])
    make_wheel(folder, "tiny-base", "1.0")
    return folder


@pytest.fixture
def no_wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "none"
    folder.mkdir()
    return folder


def _carry_uv(wheels: Path) -> None:
    """Put the wheel of uv that `make kit-wheels` fetched beside the others."""
    uv = next(iter((Path(__file__).parents[3] / "build" / "kit-wheels").glob("uv-*.whl")), None)
    if uv is None:
        pytest.skip("no wheel of uv (make kit-wheels)")
    wheels.mkdir(exist_ok=True)
    shutil.copyfile(uv, wheels / uv.name)


def _build(program: Path, wheels: Path, destination: Path, *provided: str) -> Kit:
    return build_kit(program, wheels, provided, COMMAND, destination)


def test_kit_names_every_file_with_its_digest_and_leaves_caches_behind(program: Path, wheels: Path, tmp_path: Path):
    kit = _build(program, wheels, tmp_path / "kit")
    assert [file.name for file in kit.files] == [
        "README.txt",
        "SHA256SUMS",
        "bom.cdx.json",
        "check_installed.py",
        "install.sh",
        "link_provided.py",
        "program/model/layers.py",
        "program/train.py",
        "provided.txt",
        "requirements.txt",
        "target.txt",
        "wheels/tiny_base-1.0-py3-none-any.whl",
        "wheels/tiny_sum-1.2-py3-none-any.whl",
    ]
    assert all(
        hashlib.sha256((tmp_path / "kit" / file.name).read_bytes()).hexdigest() == file.sha256 for file in kit.files
    )
    assert kit.program == sha256_tree(program)


def test_same_files_give_the_same_kit(program: Path, wheels: Path, tmp_path: Path):
    assert digest(_build(program, wheels, tmp_path / "one")) == digest(_build(program, wheels, tmp_path / "two"))


def test_kit_document_reads_back_from_its_bytes(program: Path, wheels: Path, tmp_path: Path):
    kit = _build(program, wheels, tmp_path / "kit")
    assert decode(Kit, encode(kit), "kit.json") == kit


@pytest.mark.parametrize("name", ["../outside", "program/../../outside", "/etc/passwd", "program/.hidden"])
def test_kit_document_with_a_name_that_leaves_the_folder_is_refused(
    program: Path, wheels: Path, tmp_path: Path, name: str
):
    kit = _build(program, wheels, tmp_path / "kit")
    with pytest.raises(DocumentError, match="does not fit its schema"):
        decode(Kit, encode(kit).replace(b"program/train.py", name.encode()), "kit.json")


def test_requirements_hold_the_digest_of_exactly_the_wheels_there(program: Path, wheels: Path, tmp_path: Path):
    _build(program, wheels, tmp_path / "kit")
    base, total = (hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(wheels.iterdir()))
    assert (tmp_path / "kit" / "requirements.txt").read_text() == (
        f"tiny-base==1.0 --hash=sha256:{base}\ntiny-sum==1.2 --hash=sha256:{total}\n"
    )


def test_an_older_kit_in_the_same_place_is_replaced_whole(program: Path, wheels: Path, tmp_path: Path):
    _build(program, wheels, tmp_path / "kit")
    (program / "model" / "layers.py").unlink()
    verify_kit(tmp_path / "kit", _build(program, wheels, tmp_path / "kit"))


@pytest.mark.parametrize(
    "tag", ["cp39-cp39-manylinux_2_17_x86_64", "py3-none-win_amd64", "cp311-cp311-macosx_11_0_arm64"]
)
def test_wheel_for_another_target_is_named(program: Path, wheels: Path, tmp_path: Path, tag: str):
    make_wheel(wheels, "elsewhere", tag=tag)
    with pytest.raises(KitError, match=f"elsewhere-1.0-{tag}.whl: wheel does not fit the target"):
        _build(program, wheels, tmp_path / "kit")


@pytest.mark.parametrize(
    ("stated", "is_refused"), [(">=3.99", True), ("<3.8", True), (">=3.8", False), (">=3.6.*", False)]
)
def test_a_wheel_that_says_itself_that_it_is_for_other_pythons_is_refused(
    tmp_path: Path, stated: str, is_refused: bool
):
    # Its tag fits any Python 3, and an installer that gets it by a list takes it.
    make_wheel(tmp_path, "picky", licence=[f"Requires-Python: {stated}"])
    if not is_refused:
        assert [wheel.name for wheel in read_wheels(tmp_path)] == ["picky"]
        return
    with pytest.raises(KitError, match=r"picky-1.0-py3-none-any.whl: wheel is not for the target's Python"):
        read_wheels(tmp_path)


def test_two_wheels_of_one_project_are_refused(program: Path, wheels: Path, tmp_path: Path):
    make_wheel(wheels, "tiny-base", "2.0")
    with pytest.raises(KitError, match="two wheels of one project"):
        _build(program, wheels, tmp_path / "kit")


def test_source_distribution_is_refused(program: Path, wheels: Path, tmp_path: Path):
    (wheels / "other-1.0.tar.gz").write_bytes(b"x")
    with pytest.raises(KitError, match="is no wheel"):
        _build(program, wheels, tmp_path / "kit")


def test_cut_wheel_is_refused(program: Path, wheels: Path, tmp_path: Path):
    path = wheels / "tiny_base-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(KitError, match="wheel is broken"):
        _build(program, wheels, tmp_path / "kit")


def test_wheel_whose_metadata_cannot_be_unpacked_is_refused(program: Path, wheels: Path, tmp_path: Path):
    path = wheels / "tiny_base-1.0-py3-none-any.whl"
    name = "tiny_base-1.0.dist-info/METADATA"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.0\n")
    whole = path.read_bytes()
    start = 30 + len(name)
    # A block of a kind that there is not; and a file that wants a password.
    for content in (whole[:start] + b"\x07" + whole[start + 1 :], whole[:6] + b"\x01" + whole[7:]):
        central = content.index(b"PK\x01\x02")
        locked = content[6] == 1
        path.write_bytes(content[: central + 8] + bytes([locked]) + content[central + 9 :])
        with pytest.raises(KitError, match="wheel is broken"):
            _build(program, wheels, tmp_path / "kit")


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock", "requirements-dev.txt", "sub/uv.toml"])
def test_a_password_in_the_programs_files_of_packages_is_refused(
    program: Path, wheels: Path, tmp_path: Path, name: str
):
    path = program / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('# one\nurl = "https://${USER}:${PASSWORD}@mirror.example/simple"\n')
    _build(program, wheels, tmp_path / "kit")
    path.write_text('# one\nurl = "https://me:hunter2@mirror.example/simple"\n')
    with pytest.raises(KitError, match=r"line 2: .*travels in the open") as caught:
        _build(program, wheels, tmp_path / "kit")
    assert "hunter2" not in str(caught.value)


def test_an_interpreter_whose_links_lead_out_of_its_folder_is_refused(tmp_path: Path):
    folder = tmp_path / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python3.11").write_bytes(b"x")
    (folder / "bin" / "python3").symlink_to("python3.11")
    with packed_interpreter(folder, tmp_path) as archive, tarfile.open(archive) as tar:
        assert tar.getnames() == ["python/bin/python3", "python/bin/python3.11"]
    for target in ("/usr/bin/env", "../../elsewhere"):
        (folder / "bin" / "tool").symlink_to(target)
        with pytest.raises(KitError, match="leads out of its folder"), packed_interpreter(folder, tmp_path):
            pass
        (folder / "bin" / "tool").unlink()


def test_missing_dependency_is_named(program: Path, wheels: Path, tmp_path: Path):
    (wheels / "tiny_base-1.0-py3-none-any.whl").unlink()
    with pytest.raises(KitError, match="tiny-sum needs tiny-base>=1, found nothing"):
        _build(program, wheels, tmp_path / "kit")


def test_what_only_an_early_patch_release_of_python_needs_must_be_there(program: Path, wheels: Path, tmp_path: Path):
    first = f"{sys.version_info.major}.{sys.version_info.minor}.1"
    make_wheel(wheels, "tiny-late", requires=[f"tiny-backport; python_full_version < '{first}'"])

    with pytest.raises(KitError, match="tiny-late needs tiny-backport, found nothing"):
        _build(program, wheels, tmp_path / "kit")

    make_wheel(wheels, "tiny-backport")
    assert _build(program, wheels, tmp_path / "kit")


def test_dependency_of_another_version_is_named(program: Path, wheels: Path, tmp_path: Path):
    (wheels / "tiny_base-1.0-py3-none-any.whl").unlink()
    make_wheel(wheels, "tiny-base", "0.9")
    with pytest.raises(KitError, match=r"tiny-sum needs tiny-base>=1, found 0\.9"):
        _build(program, wheels, tmp_path / "kit")


def test_provided_package_of_another_version_says_what_was_found(program: Path, wheels: Path, tmp_path: Path):
    with pytest.raises(KitError, match=r"click: .*\(expected 0.0.1, found \d"):
        _build(program, wheels, tmp_path / "kit", "click==0.0.1")


def test_provided_package_that_is_not_there_is_named(program: Path, wheels: Path, tmp_path: Path):
    with pytest.raises(KitError, match=r"no-such-package: .*found nothing"):
        _build(program, wheels, tmp_path / "kit", "no_such_package==1.0")


def test_provided_package_without_a_version_gets_the_one_here(program: Path, wheels: Path, tmp_path: Path):
    kit = _build(program, wheels, tmp_path / "kit", "click")
    assert [part.name for part in kit.provided] == ["click"]
    assert kit.provided[0].version.startswith("8.")


def test_package_both_carried_and_provided_is_refused(program: Path, wheels: Path, tmp_path: Path):
    make_wheel(wheels, "click", "8.5.1")
    with pytest.raises(KitError, match="among the wheels and provided"):
        _build(program, wheels, tmp_path / "kit", "click")


def test_command_must_begin_with_a_script_of_the_program(program: Path, wheels: Path, tmp_path: Path):
    with pytest.raises(KitError, match=r"found other\.py"):
        build_kit(program, wheels, (), "python other.py --steps {steps}", tmp_path / "kit")


def test_link_in_the_program_is_refused(program: Path, wheels: Path, tmp_path: Path):
    (program / "data").symlink_to("/etc")
    with pytest.raises(KitError, match="holds a link"):
        _build(program, wheels, tmp_path / "kit")


@pytest.mark.parametrize("name", ["program/train.py", "wheels/tiny_sum-1.2-py3-none-any.whl", "install.sh"])
def test_changed_file_is_named(program: Path, wheels: Path, tmp_path: Path, name: str):
    kit = _build(program, wheels, tmp_path / "kit")
    path = tmp_path / "kit" / name
    path.write_bytes(path.read_bytes()[:-1] + b"#")
    with pytest.raises(KitError, match=f"{name} differs"):
        verify_kit(tmp_path / "kit", kit)


def test_missing_added_and_linked_files_are_all_named_at_once(program: Path, wheels: Path, tmp_path: Path):
    kit = _build(program, wheels, tmp_path / "kit")
    (tmp_path / "kit" / "program" / "train.py").unlink()
    (tmp_path / "kit" / "program" / "extra.py").write_text("")
    (tmp_path / "kit" / "target.txt").rename(tmp_path / "target.txt")
    (tmp_path / "kit" / "target.txt").symlink_to(tmp_path / "target.txt")
    with pytest.raises(KitError) as caught:
        verify_kit(tmp_path / "kit", kit)
    assert all(
        text in caught.value.message
        for text in ("train.py is missing", "extra.py does not belong", "target.txt is a link", "in 3 files")
    )


def test_kit_json_may_lie_beside_the_files_it_names(program: Path, wheels: Path, tmp_path: Path):
    kit = _build(program, wheels, tmp_path / "kit")
    (tmp_path / "kit" / "kit.json").write_text("{}")
    verify_kit(tmp_path / "kit", kit)


# --- installing ----------------------------------------------------------------------------------------------------


def _install(kit: Path, environment: Path, *, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(kit / "install.sh"), str(environment), python], capture_output=True, text=True, check=False
    )


def _sum_anew(kit: Path) -> None:
    """Make SHA256SUMS fit the files: what stops the installation then is the next check."""
    files = [path for path in sorted(kit.rglob("*")) if path.is_file() and path.name != "SHA256SUMS"]
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(kit)}\n" for path in files)
    (kit / "SHA256SUMS").write_text("".join(sums))


def _says(environment: Path, code: str) -> str:
    done = subprocess.run([environment / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.long
def test_kit_without_a_wheel_of_uv_is_installed_by_pip(program: Path, wheels: Path, tmp_path: Path):
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python has no ensurepip (Debian package: python3-venv)")
    _build(program, wheels, tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert _says(tmp_path / "env", "import tiny_sum, tiny_base; print(tiny_sum.VALUE)") == "42"


@pytest.mark.long
def test_a_uv_that_does_not_run_here_is_replaced_by_pip(program: Path, wheels: Path, tmp_path: Path):
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python has no ensurepip (Debian package: python3-venv)")
    make_wheel(wheels, "uv", "99.0", files={"uv-99.0.data/scripts/uv": b"#!/bin/sh\nexit 127\n"})
    _build(program, wheels, tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert "3 packages of the kit installed by pip" in done.stdout


def test_provided_packages_are_linked_with_what_they_need_and_nothing_else(
    program: Path, no_wheels: Path, tmp_path: Path
):
    _build(program, no_wheels, tmp_path / "kit", "rich")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert _says(tmp_path / "env", "import rich.table, markdown_it, mdurl, pygments; print('all')") == "all"
    assert "msgspec" not in [path.name for path in (tmp_path / "env" / "provided").iterdir()]
    assert _says(tmp_path / "env", "import importlib.util; print(importlib.util.find_spec('msgspec'))") == "None"


def test_a_dependency_that_the_kit_carries_is_not_taken_from_the_site(program: Path, tmp_path: Path):
    _carry_uv(tmp_path / "wheels")
    make_wheel(tmp_path / "wheels", "mdurl", "99.0", files={"mdurl/__init__.py": b"FROM = 'kit'\n"})
    _build(program, tmp_path / "wheels", tmp_path / "kit", "rich")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert _says(tmp_path / "env", "import mdurl; print(mdurl.FROM)") == "kit"
    assert not (tmp_path / "env" / "provided" / "mdurl").exists()


def test_site_with_another_version_is_told_what_was_expected(program: Path, no_wheels: Path, tmp_path: Path):
    _build(program, no_wheels, tmp_path / "kit", "click")
    (tmp_path / "kit" / "provided.txt").write_text("click==0.0.1\n")
    _sum_anew(tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 80
    assert "click: the site does not provide it (expected 0.0.1, found 8." in done.stderr


def test_failed_installation_leaves_nothing_behind(program: Path, no_wheels: Path, tmp_path: Path):
    _build(program, no_wheels, tmp_path / "kit", "click")
    (tmp_path / "kit" / "provided.txt").write_text("click==0.0.1\n")
    _sum_anew(tmp_path / "kit")
    _install(tmp_path / "kit", tmp_path / "env")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("env")) == []


def test_installation_stops_at_a_damaged_program_file(program: Path, wheels: Path, tmp_path: Path):
    _build(program, wheels, tmp_path / "kit")
    (tmp_path / "kit" / "program" / "train.py").write_text("import os\n")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert (done.returncode, "kit is damaged" in done.stderr) == (80, True)
    assert "program/train.py: FAILED" in done.stderr
    assert "link_provided.py" not in done.stderr


def test_a_whole_kit_is_installed_where_sha256sum_knows_no_long_options(
    program: Path, no_wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = shutil.which("sha256sum")
    if real is None:
        pytest.skip("no sha256sum here")
    plain = tmp_path / "bin" / "sha256sum"
    plain.parent.mkdir()
    plain.write_text(
        f'#!/bin/sh\ncase "$*" in *--*) echo "unrecognized option" >&2; exit 1 ;; esac\nexec {real} "$@"\n'
    )
    plain.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plain.parent}{os.pathsep}{os.environ['PATH']}")
    _build(program, no_wheels, tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert "OK" not in done.stdout + done.stderr


def test_installation_stops_at_a_wheel_that_is_not_the_hashed_one(program: Path, wheels: Path, tmp_path: Path):
    _carry_uv(wheels)
    _build(program, wheels, tmp_path / "kit")
    make_wheel(tmp_path / "kit" / "wheels", "tiny-base", "1.0", files={"tiny_base.py": b"VALUE = 0\n"})
    _sum_anew(tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 80
    assert "Hash mismatch" in done.stderr


def test_installation_refuses_another_python(program: Path, wheels: Path, tmp_path: Path):
    _build(program, wheels, tmp_path / "kit")
    (tmp_path / "kit" / "target.txt").write_text("3.99 linux_riscv64\n")
    _sum_anew(tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert "expected Python 3.99 linux_riscv64, found Python 3." in done.stderr


@pytest.mark.namespaces
def test_kit_with_uv_installs_inside_the_box(program: Path, wheels: Path, tmp_path: Path):
    _carry_uv(wheels)
    _build(program, wheels, tmp_path / "kit")
    outcome = Box(tmp_path / "box").run(
        ["/bin/sh", str(tmp_path / "kit" / "install.sh"), str(tmp_path / "env"), sys.executable],
        cwd=tmp_path,
        log=tmp_path / "install.log",
    )
    assert outcome.status == 0, (tmp_path / "install.log").read_text()
    assert _says(tmp_path / "env", "import tiny_sum; print(tiny_sum.VALUE)") == "42"


# --- what else lies in it, and what is told ------------------------------------------------------------------------


def test_readme_says_what_the_site_must_have(program: Path, wheels: Path, tmp_path: Path):
    _build(program, wheels, tmp_path / "kit", "click")
    text = (tmp_path / "kit" / "README.txt").read_text()
    assert f"The interpreter is NOT in the kit: the site must have Python {Target.here().python}." in text
    assert "uv is NOT in the kit" in text
    assert "the site provides it to that Python: click 8." in text


def test_installation_says_in_one_line_what_it_did(program: Path, wheels: Path, tmp_path: Path):
    _carry_uv(wheels)
    _build(program, wheels, tmp_path / "kit", "click")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"packtrain: 3 packages of the kit installed by uv, 1 linked from the site; Python {python_version()}, "
        f"{tmp_path / 'env'}\n"
    )


def test_what_is_installed_is_held_against_what_was_asked_for():
    wanted = {"tiny-sum": "1.2", "tiny-base": "1.0"}
    assert check_installed.differences(wanted, {**wanted, "pip": "23.0"}) == []
    assert check_installed.differences(wanted, {"tiny-sum": "1.3", "stray": "9"}) == [
        "tiny-base: expected 1.0, found nothing",
        "tiny-sum: expected 1.2, found 1.3",
        "stray: not asked for, found 9",
    ]


def test_a_wheel_whose_metadata_says_another_version_is_refused(program: Path, wheels: Path, tmp_path: Path):
    path = wheels / "tiny_base-1.0-py3-none-any.whl"
    path.rename(wheels / "tiny_base-1.1-py3-none-any.whl")
    with pytest.raises(KitError, match=r"another than its name says \(expected tiny-base 1\.1, found tiny-base 1\.0"):
        _build(program, wheels, tmp_path / "kit")


def test_a_wheel_that_needs_a_newer_glibc_than_the_machines_is_refused_there(
    program: Path, no_wheels: Path, tmp_path: Path
):
    _build(program, no_wheels, tmp_path / "kit")
    line = (tmp_path / "kit" / "target.txt").read_text().split()
    (tmp_path / "kit" / "target.txt").write_text(f"{line[0]} {line[1]} 2.999\n")
    _sum_anew(tmp_path / "kit")
    done = _install(tmp_path / "kit", tmp_path / "env")
    assert (done.returncode, "needs glibc 2.999" in done.stderr) == (80, True)


def test_wheels_of_another_target_go_into_a_kit_for_it_and_into_no_other(program: Path, tmp_path: Path):
    make_wheel(tmp_path / "wheels", "tiny-far", tag="cp399-cp399-manylinux_2_28_aarch64")
    target = Target("3.99", "manylinux_2_28_aarch64")
    kit = build_kit(program, tmp_path / "wheels", (), COMMAND, tmp_path / "kit", target)
    assert (kit.target_python, kit.target_platform) == ("3.99", "manylinux_2_28_aarch64")
    assert (tmp_path / "kit" / "target.txt").read_text() == "3.99 linux_aarch64 2.28\n"
    contents = kit_contents(tmp_path / "kit", kit)
    assert (contents["glibc"], [one["name"] for one in contents["packages"]]) == ("2.28", ["tiny-far"])
    assert contents["interpreter"] == "absent: the site has 3.99"


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A folder that looks like an interpreter which can be moved: it runs this one."""
    folder = tmp_path / "cpython"
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / "__pycache__").mkdir(parents=True)
    (folder / "lib" / "__pycache__" / "x.pyc").write_bytes(b"cache")
    script = folder / "bin" / f"python{Target.here().python}"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    (folder / "bin" / "python3").symlink_to(script.name)
    return folder


def test_an_interpreter_travels_and_is_taken_where_none_is_named(
    program: Path, no_wheels: Path, tmp_path: Path, interpreter: Path
):
    kit = build_kit(program, no_wheels, (), COMMAND, tmp_path / "kit", interpreter=interpreter)
    again = build_kit(program, no_wheels, (), COMMAND, tmp_path / "two", interpreter=interpreter)
    assert digest(kit) == digest(again)
    assert "The interpreter is in the kit" in (tmp_path / "kit" / "README.txt").read_text()
    with tarfile.open(tmp_path / "kit" / "interpreter.tar.gz") as archive:
        assert [(one.name, one.mtime, one.uid) for one in archive] == [
            ("python/bin/python3", 0, 0),
            (f"python/bin/python{Target.here().python}", 0, 0),
        ]
    done = subprocess.run(
        ["sh", str(tmp_path / "kit" / "install.sh"), str(tmp_path / "env")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "env.python" / "python" / "bin" / "python3").is_symlink()
    assert f"Python {python_version()}" in done.stdout


@pytest.mark.parametrize("target", [sys.executable, "../../elsewhere/python3"])
def test_an_environment_that_leads_to_this_machines_python_is_no_interpreter(
    program: Path, no_wheels: Path, tmp_path: Path, target: str
):
    # At home, where the kit is tried, the link leads somewhere.
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(sys.executable, tmp_path / "elsewhere" / "python3")
    (tmp_path / "venv" / "bin" / "python3").symlink_to(target)
    with pytest.raises(KitError, match="holds a link that leads out of its folder"):
        build_kit(program, no_wheels, (), COMMAND, tmp_path / "kit", interpreter=tmp_path / "venv")


@pytest.mark.parametrize("what", ["absent", "no archive", "empty folder"])
def test_what_is_no_interpreter_is_refused(program: Path, no_wheels: Path, tmp_path: Path, what: str):
    path = tmp_path / "python"
    if what == "no archive":
        path.write_text("#!/bin/sh\n")
    elif what == "empty folder":
        path.mkdir()
    with pytest.raises(KitError, match="interpreter"):
        build_kit(program, no_wheels, (), COMMAND, tmp_path / "kit", interpreter=path)
