"""Kits from a uv.lock for another Python than home's: what goes in, what the usual tools get wrong, what installs."""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kit_parts import make_wheel
from lock_parts import (
    FORK,
    HOME_VERSION,
    NEW,
    OLD,
    OTHER,
    OTHER_TARGET,
    OTHER_VERSION,
    lock,
    make_sdist,
    other_python,
    quiet_environment,
    uv,
)
from packtrain.documents.codec import digest
from packtrain.documents.kit import Kit
from packtrain.errors import KitError, LockUnreadable, WheelUnavailable
from packtrain.events import Event, Notice, Sink, discard
from packtrain.training.bom import read_properties
from packtrain.training.box import Box
from packtrain.training.kit_held import verify_kit
from packtrain.training.kit_lock.locked_kit import LockedKit, build_locked_kit, check_folder
from packtrain.training.target import Target

ABI_TAG = f"cp311-abi3-{OTHER_TARGET.platform}"
FOREIGN_TAG = OTHER_TARGET.platform.replace("2_28", "2_39")


class Place:
    """A program, an index of tiny wheels, and where the kit goes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index"
        self.program = root / "program"
        self.program.mkdir()
        (self.program / "train.py").write_text("import tiny_num\nprint(tiny_num.VALUE)\n")
        for version in (OLD, NEW):
            self.wheel("tiny-num", version, files={"tiny_num.py": f"VALUE = {version!r}\n".encode()})

    def wheel(self, name: str, version: str = "1.0", **how: object) -> Path:
        return make_wheel(self.index / name, name, version, **how)  # pyright: ignore[reportArgumentType]

    def lock(self, *dependencies: str, more: str = "", head: str = "") -> Path:
        return lock(self.program, dependencies or FORK, index=self.index, more=more, head=head)

    def wanted(self, target: Target = OTHER_TARGET, *provided: str, **chosen: tuple[str, ...]) -> LockedKit:
        return LockedKit(
            program=self.program,
            command="train.py",
            lock=self.program / "uv.lock",
            extras=chosen.get("extras", ()),
            groups=chosen.get("groups", ()),
            provided=provided,
            target=target,
            interpreter=None,
        )

    def build(self, wanted: LockedKit | None = None, *, destination: str = "kit", sink: Sink = discard) -> Kit:
        return build_locked_kit(
            wanted or self.wanted(),
            self.root / destination,
            cache=self.root / "cache",
            wheelhouses=(),
            is_offline=True,
            python=Path(sys.executable),
            sink=sink,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _wheels(kit: Kit) -> list[str]:
    return [file.name.removeprefix("wheels/") for file in kit.files if file.name.startswith("wheels/")]


def test_the_fork_of_the_target_goes_in_and_not_that_of_home(place: Place):
    place.lock()
    assert _wheels(place.build()) == [f"tiny_num-{OTHER_VERSION}-py3-none-any.whl"]
    assert _wheels(place.build(place.wanted(Target.here()))) == [f"tiny_num-{HOME_VERSION}-py3-none-any.whl"]


def test_the_usual_tools_take_homes_fork_with_exit_0_and_a_kit_of_it_is_refused(place: Place, tmp_path: Path):
    """The trap: pip evaluates the markers of a list for the Python it runs under, whatever Python it fetches for."""
    place.lock()
    environment = quiet_environment(tmp_path)
    listed = subprocess.run(
        [uv(), "export", "--frozen", "--no-emit-project", "--no-hashes", "--python", sys.executable],
        cwd=place.program,
        env=environment,
        capture_output=True,
        check=True,
    ).stdout
    (tmp_path / "list.txt").write_bytes(listed)
    fetched = tmp_path / "fetched"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-index", "--no-deps", "--only-binary", ":all:"),
            *("--find-links", str(place.index / "tiny-num"), "--python-version", OTHER, "--implementation", "cp"),
            *("--platform", OTHER_TARGET.platform, "--requirement", "list.txt", "--dest", str(fetched)),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Had pip got it right, this test would have to be told: then nothing is left to warn of.
    assert [path.name for path in fetched.iterdir()] == [f"tiny_num-{HOME_VERSION}-py3-none-any.whl"]
    with pytest.raises(KitError, match=f"tiny-num is {HOME_VERSION}, the lock has {OTHER_VERSION}"):
        check_folder(place.wanted(), fetched)
    (fetched / f"tiny_num-{HOME_VERSION}-py3-none-any.whl").unlink()
    with pytest.raises(KitError, match=f"tiny-num {OTHER_VERSION} is not there"):
        check_folder(place.wanted(), fetched)
    place.build()
    check_folder(place.wanted(), place.root / "kit" / "wheels")


def test_a_wheel_of_the_right_version_and_other_bytes_is_refused(place: Place, tmp_path: Path):
    place.lock()
    make_wheel(tmp_path / "folder", "tiny-num", OTHER_VERSION, files={"tiny_num.py": b"VALUE = 'forged'\n"})
    with pytest.raises(KitError, match=r"\.whl is none of the lock's files"):
        check_folder(place.wanted(), tmp_path / "folder")


def test_a_wheel_in_the_index_that_was_replaced_after_locking_is_refused(place: Place):
    place.lock()
    place.wheel("tiny-num", OTHER_VERSION, files={"tiny_num.py": b"VALUE = 'replaced'\n"})
    with pytest.raises(WheelUnavailable, match=r"is not the one of the lock \(expected sha256") as caught:
        place.build()
    assert "uv lock --upgrade-package tiny_num" in str(caught.value.hint)


@pytest.mark.long
@pytest.mark.namespaces
def test_a_kit_for_another_python_installs_and_runs_there_with_no_network(place: Place, tmp_path: Path):
    python = other_python()
    if (reason := Box.probe()) is not None:
        pytest.skip(f"no box: {reason}")
    place.wheel("tiny-abi", tag=ABI_TAG)
    place.lock(*FORK, "tiny-abi")
    kit = place.build()
    verify_kit(place.root / "kit", kit)
    box = Box(tmp_path / "box")
    log = tmp_path / "log"
    install = ["/bin/sh", str(place.root / "kit" / "install.sh"), str(tmp_path / "env")]
    assert box.run([*install, str(python)], cwd=tmp_path, log=log).status == 0, log.read_text()
    assert f"packtrain: 2 packages of the kit installed by pip; Python {OTHER}." in log.read_text()
    program = str(place.root / "kit" / "program" / "train.py")
    assert box.run([str(tmp_path / "env" / "bin" / "python"), program], cwd=tmp_path, log=log).status == 0
    assert log.read_text() == f"{OTHER_VERSION}\n"
    # On home's Python it is refused in words.
    assert box.run([*install[:2], str(tmp_path / "home"), sys.executable], cwd=tmp_path, log=log).status == 80
    assert f"expected Python {OTHER} " in log.read_text()


def test_extras_markers_and_groups_are_followed_and_nothing_else(place: Place):
    for name in ("tiny-ex", "tiny-win", "tiny-dev", "tiny-mine"):
        place.wheel(name)
    place.wheel("tiny-pure", requires=["tiny-win; sys_platform == 'win32'", "tiny-ex; extra == 'more'", "tiny-num"])
    place.lock(
        "tiny-pure[more]",
        head='[project.optional-dependencies]\nmine = ["tiny-mine"]',
        more='[dependency-groups]\ndev = ["tiny-dev"]',
    )
    names = {name.partition("-")[0] for name in _wheels(place.build())}
    assert names == {"tiny_pure", "tiny_num", "tiny_ex"}
    more = place.build(place.wanted(extras=("mine",), groups=("dev",)))
    assert {name.partition("-")[0] for name in _wheels(more)} == names | {"tiny_mine", "tiny_dev"}
    with pytest.raises(LockUnreadable, match=r"no extra of that name \(expected mine, found absent\)"):
        place.build(place.wanted(extras=("absent",)))


def test_conflicting_extras_choose_their_own_version(place: Place):
    place.wheel("tiny-abi", tag=ABI_TAG)
    place.lock(
        "tiny-abi",
        head=f'[project.optional-dependencies]\ncpu = ["tiny-num=={OLD}"]\ngpu = ["tiny-num=={NEW}"]',
        more='[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]',
    )
    for extra, version in (("cpu", OLD), ("gpu", NEW)):
        wheels = _wheels(place.build(place.wanted(extras=(extra,))))
        assert f"tiny_num-{version}-py3-none-any.whl" in wheels
        assert len(wheels) == 2


def test_what_the_site_provides_stays_behind_with_what_only_it_needs(place: Place):
    place.wheel("tiny-torch", "2.0", requires=["tiny-cuda", "tiny-shared"])
    place.wheel("tiny-cuda")
    place.wheel("tiny-shared")
    place.wheel("tiny-user", requires=["tiny-torch", "tiny-shared"])
    place.lock("tiny-user")
    kit = place.build(place.wanted(OTHER_TARGET, "tiny-torch"))
    assert {name.partition("-")[0] for name in _wheels(kit)} == {"tiny_user", "tiny_shared"}
    assert [(one.name, one.version) for one in kit.provided] == [("tiny-torch", "2.0")]
    assert (
        "NOT in the kit, because the site provides it to that Python: tiny-torch 2.0."
        in (place.root / "kit" / "README.txt").read_text()
    )
    with pytest.raises(
        KitError, match=r"tiny-torch: lock has another version .*expected 2\.0 \(the lock\), found 3\.0"
    ):
        place.build(place.wanted(OTHER_TARGET, "tiny-torch==3.0"))


def test_a_package_with_no_wheel_for_the_target_and_no_source_is_named(place: Place):
    place.wheel("tiny-far", tag=f"py3-none-{FOREIGN_TAG}")
    place.lock("tiny-far")
    with pytest.raises(
        WheelUnavailable, match=rf"tiny-far 1\.0: .*no source.*expected Python {OTHER} on manylinux_2_28"
    ):
        place.build()


def test_a_pure_package_that_comes_as_source_only_is_built_at_home_once(place: Place):
    make_sdist(place.index / "tiny-src", "tiny-src", "1.5", "py3-none-any")
    place.lock("tiny-src")
    kit = place.build()
    assert _wheels(kit) == ["tiny_src-1.5-py3-none-any.whl"]
    table = json.loads((place.root / "kit" / "bom.cdx.json").read_text())
    told = read_properties(next(one for one in table["components"] if one["name"] == "tiny-src")["properties"])
    assert told["built-from"].startswith("sdist sha256:")
    assert told["vouched-by"] == "built here from the sdist"
    # The second time it comes out of the cache: the sources could be gone.
    (place.index / "tiny-src" / "tiny_src-1.5.tar.gz").unlink()
    assert digest(place.build(destination="again")) == digest(kit)


def test_a_compiled_package_for_another_target_is_not_built_at_home(place: Place):
    make_sdist(
        place.index / "tiny-src", "tiny-src", "1.5", f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-linux_x"
    )
    place.lock("tiny-src")
    with pytest.raises(WheelUnavailable, match=r"tiny-src 1\.5: wheel that was built here does not fit the target"):
        place.build()


def test_a_source_that_does_not_build_says_why(place: Place):
    make_sdist(place.index / "tiny-src", "tiny-src", "1.5", "py3-none-any' + undefined + '")
    place.lock("tiny-src")
    with pytest.raises(WheelUnavailable, match=r"tiny-src 1\.5: wheel cannot be built from source.*undefined"):
        place.build()


def test_a_lock_for_other_pythons_is_refused(place: Place):
    path = place.lock()
    path.write_text(path.read_text().replace('requires-python = ">=3.11"', 'requires-python = "<3.9"'))
    with pytest.raises(LockUnreadable, match="lock is not for the target's Python"):
        place.build()


@pytest.mark.parametrize("target", [Target.here(), OTHER_TARGET], ids=["home's", "another"])
@pytest.mark.parametrize("sign", ["<", ">="])
def test_what_some_patch_release_of_the_target_needs_is_carried(place: Place, target: Target, sign: str):
    # Home's own patch release is on one side of it; the site's may be on the other.
    place.lock(f"tiny-num=={OLD}; python_full_version {sign} '{target.python}.{sys.version_info[2] + 1}'")
    assert _wheels(place.build(place.wanted(target))) == [f"tiny_num-{OLD}-py3-none-any.whl"]


def test_two_versions_for_two_patch_releases_are_no_guess(place: Place):
    first, second = (f"python_full_version {sign} '{OTHER}.4'" for sign in ("<", ">="))
    place.lock(f"tiny-num=={OLD}; {first}", f"tiny-num=={NEW}; {second}")
    with pytest.raises(LockUnreadable, match=r"depends on the patch release .*tiny-num 2\.[45] and 2\.[45]"):
        place.build()


def test_a_package_with_wheels_for_other_systems_alone_is_built_from_its_source(place: Place):
    make_sdist(place.index / "tiny-src", "tiny-src", "1.5", "py3-none-any")
    place.wheel("tiny-src", "1.5", tag="py3-none-win_amd64")
    place.lock("tiny-src")
    assert _wheels(place.build()) == ["tiny_src-1.5-py3-none-any.whl"]
    check_folder(place.wanted(), place.root / "kit" / "wheels")


def test_of_two_builds_of_a_version_the_later_is_taken(place: Place):
    for number in ("1", "9", "10", ""):
        path = place.wheel("tiny-again", files={"tiny_again.py": f"BUILD = {number!r}\n".encode()})
        path.rename(path.with_name(path.name.replace("1.0-", f"1.0-{number}-" if number else "1.0-")))
    place.lock("tiny-again")
    assert _wheels(place.build()) == ["tiny_again-1.0-10-py3-none-any.whl"]


def test_the_same_lock_gives_the_same_kit(place: Place):
    place.lock()
    assert digest(place.build()) == digest(place.build(destination="other"))


def test_where_the_lock_names_no_digest_the_list_says_so(place: Place):
    path = place.lock()
    path.write_text(re.sub(r', hash = "sha256:[0-9a-f]{64}"', "", path.read_text()))
    place.build()
    table = json.loads((place.root / "kit" / "bom.cdx.json").read_text())
    told = [read_properties(one["properties"]).get("vouched-by") for one in table["components"]]
    assert "version of uv.lock, which names no digest for it" in told


def test_a_project_that_is_a_package_is_built_and_its_folder_stays_as_it_is(place: Place, tmp_path: Path):
    make_sdist(tmp_path, "tiny-own", "3.0", "py3-none-any")
    with tarfile.open(tmp_path / "tiny_own-3.0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "tiny_own-3.0"
    (folder / "backend.py").write_text("open('left.txt', 'w')\n" + (folder / "backend.py").read_text())
    place.lock("tiny-own", more='[tool.uv.sources]\ntiny-own = { path = "../tiny_own-3.0" }')
    (folder / "left.txt").unlink(missing_ok=True)
    assert _wheels(place.build()) == ["tiny_own-3.0-py3-none-any.whl"]
    assert not (folder / "left.txt").exists()


def test_an_override_of_the_project_is_the_locks_word_and_warned_of(place: Place):
    place.wheel("tiny-user", requires=[f"tiny-num=={NEW}"])
    place.lock("tiny-user", more=f'[tool.uv]\noverride-dependencies = ["tiny-num=={OLD}"]')
    events: list[Event] = []
    assert f"tiny_num-{OLD}-py3-none-any.whl" in _wheels(place.build(sink=events.append))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert len(told) == 1
    assert f"tiny-user needs tiny-num=={NEW}, found {OLD}" in told[0]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ('"tiny-num"', '"tiny-num", "forgotten"', "forgotten"),
        ('"tiny-num", "other"', '"tiny-num"', "other"),
        (f'"tiny-num<{NEW}"', f'"tiny-num>={NEW}"', "tiny-num"),
    ],
)
def test_a_lock_that_is_older_than_its_project_is_refused(place: Place, before: str, after: str, named: str):
    place.wheel("other")
    place.lock(*before.replace('"', "").split(", "))
    place.build()
    project = place.program / "pyproject.toml"
    project.write_text(project.read_text().replace(f"dependencies = [{before}]", f"dependencies = [{after}]"))
    with pytest.raises(LockUnreadable, match="lock is older than") as caught:
        place.build()
    assert str(caught.value.found).startswith(f"{named} changed")


def test_a_lock_is_of_its_project_however_that_spells_names_versions_extras_and_itself(place: Place):
    place.wheel("other")
    more = (
        '[project.optional-dependencies]\na = ["Other >= 1.0.0"]\nall = ["prog[a]"]\n'
        f'[tool.uv.sources]\nmade = {{ path = "{place.wheel("made", "2.0")}" }}\n'
    )
    place.lock(
        f"Tiny_Num  >={OLD}.0 , <3 ; python_version >= '3.12'",
        f"tiny.num<{NEW};python_version < '3.12'",
        "made >= 1",
        "other; python_version < '3'",
        more=more,
    )
    place.build()
