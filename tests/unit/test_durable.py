import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain import durable
from packtrain.errors import DriveFull, VoyageLocked


def test_a_written_file_holds_its_bytes_and_nothing_else_is_left(tmp_path: Path) -> None:
    durable.write_bytes(tmp_path / "new" / "a.json", b"payload", mode=0o600)

    assert (tmp_path / "new" / "a.json").read_bytes() == b"payload"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]
    assert stat.S_IMODE((tmp_path / "new" / "a.json").stat().st_mode) == 0o600


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    with pytest.raises(RuntimeError), durable.atomic_writer(path) as stream:
        stream.write(b"half")
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_hosts_that_write_one_shared_file_at_once_both_do_and_the_last_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with durable.atomic_writer(path, shared=True) as first:
        first.write(b"the whole of it")
        with durable.atomic_writer(path, shared=True) as other:
            other.write(b"and this is whole as well")
        assert path.read_bytes() == b"and this is whole as well"
        first.write(b", to its end")
    assert path.read_bytes() == b"the whole of it, to its end"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_that_write_one_file_at_once_the_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with durable.atomic_writer(path) as first:
        first.write(b"the whole of it")
        with pytest.raises(OSError, match="another process is writing this file"), durable.atomic_writer(path) as other:
            other.write(b"half")
        first.write(b", and the end")
    assert path.read_bytes() == b"the whole of it, and the end"
    assert list(tmp_path.iterdir()) == [path]
    durable.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_a_writer_that_died_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ("a" + durable.TEMPORARY_SUFFIX)).write_bytes(b"half")
    durable.write_bytes(tmp_path / "a", b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"whole")]


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / ("a.json" + durable.TEMPORARY_SUFFIX)).symlink_to(victim)

    durable.write_bytes(tmp_path / "a.json", b"payload")

    assert victim.read_bytes() == b"untouched"
    assert (tmp_path / "a.json").read_bytes() == b"payload"


def test_a_link_under_the_name_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / "a.json").symlink_to(victim)

    durable.write_bytes(tmp_path / "a.json", b"payload")

    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "a.json").is_symlink()


def test_steps_are_told_in_order(tmp_path: Path) -> None:
    steps: list[str] = []
    durable.observe_steps(steps.append)
    try:
        durable.write_bytes(tmp_path / "a", b"")
    finally:
        durable.observe_steps(None)

    assert steps == ["written a", "synced a", "renamed a", "durable a"]


def test_lines_are_appended(tmp_path: Path) -> None:
    durable.append_line(tmp_path / "log", b"one")
    durable.append_line(tmp_path / "log", b"two")

    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_half_a_line_is_never_glued_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntw")

    durable.append_line(tmp_path / "log", b"three")

    assert (tmp_path / "log").read_bytes() == b"one\nthree\n"


@pytest.mark.root
def test_a_full_disk_is_a_message_and_leaves_the_old_file(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("root may not mount here")
    try:
        path = tmp_path / "a"
        path.write_bytes(b"old")

        with pytest.raises(DriveFull, match="no space left"):
            durable.write_bytes(path, bytes(1 << 20))

        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_size_limit_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    child = os.fork()
    if child == 0:
        # SIGXFSZ is ignored by Python; the write then fails with EFBIG.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            durable.append_line(path, b"x" * 8192)
        except OSError:
            os._exit(7)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_locked_folder_refuses_another_process_and_says_so(tmp_path: Path) -> None:
    with durable.lock_folder(tmp_path):
        code = "import sys; from pathlib import Path; from packtrain.durable import lock_folder\n"
        code += "with lock_folder(Path(sys.argv[1])): pass"
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)

    assert other.returncode == 1
    assert "VoyageLocked" in other.stderr


def test_a_lock_is_not_shared_within_a_process_either(tmp_path: Path) -> None:
    with durable.lock_folder(tmp_path), pytest.raises(VoyageLocked), durable.lock_folder(tmp_path):
        pass


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), durable.lock_folder(tmp_path):
        raise RuntimeError

    with durable.lock_folder(tmp_path):
        pass


@pytest.mark.parametrize("old", [{}, {"a.json": b"old", "a.json.sig": b"of old"}])
def test_files_written_together_are_all_new_or_all_as_they_were_wherever_the_process_dies(
    tmp_path: Path, old: dict[str, bytes]
) -> None:
    class Killed(BaseException):
        pass

    new = {"a.json.sig": b"of new", "sub/b": b"", "a.json": b"new\n3 4\n"}

    def found(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    outcomes: set[bool] = set()
    folder = tmp_path
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, payload in old.items():
            (folder / name).write_bytes(payload)
        left = [number]

        def observer(name: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed(name)

        durable.observe_steps(observer)
        try:
            durable.write_together(folder, new)
        except Killed:
            pass
        else:
            break
        finally:
            durable.observe_steps(None)
        durable.finish_together(folder)
        assert found(folder) in (old, new)
        outcomes.add(found(folder) == new)
    assert outcomes == {True, False}
    assert found(folder) == new


def test_what_is_no_file_is_never_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="would be replaced"):
        durable.write_bytes(tmp_path / "pipe", b"payload")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()
