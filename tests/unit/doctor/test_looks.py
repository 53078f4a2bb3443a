"""Each look under real conditions that it must tell."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from command_parts import CASES, done, packtrain
from doctor_parts import look, look_elsewhere, states, subject_of
from packtrain.devices.mounts import Mount
from packtrain.doctor.places import Place
from packtrain.documents.codec import encode
from packtrain.documents.shipment import Shipment
from sample_documents import samples


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A consignor's voyage of four drives, all of them there."""
    done("init", tmp_path / "home", "--name", "tiny")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("a,b\n1,2\n")
    voyage = tmp_path / "home" / "voyage.toml"
    lines = [line for line in voyage.read_text().splitlines() if not line.startswith("paths = ")]
    text = "\n".join(lines).replace("[sources]", '[sources]\npaths = ["../data"]') + CASES
    voyage.write_text(text)
    for name in ("a1", "a2", "b1", "b2"):
        (tmp_path / "drives" / name).mkdir(parents=True)
    return tmp_path / "home"


def _change(home: Path, old: str, new: str) -> None:
    text = (home / "voyage.toml").read_text()
    assert old in text
    (home / "voyage.toml").write_text(text.replace(old, new, 1))


@contextmanager
def _small_disk(point: Path, size: str, *options: str) -> Iterator[Path]:
    point.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "packtrain-test", str(point)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


# --- libraries and processor ----------------------------------------------------------------------------------------


def test_the_libraries_that_this_voyage_needs_are_really_loaded(home: Path) -> None:
    found = {one.what: one for one in look("libraries", "libraries", subject_of(home))}

    assert found["packtrain's libraries"].state == "ok"
    assert "msgspec" in found["packtrain's libraries"].found
    assert found["extra prepare"].state == "ok" and "not tried" not in found["extra prepare"].found
    assert "not tried" in found["extra pdf"].found


@pytest.mark.parametrize(
    ("module", "body", "what", "told"),
    [
        ("rensa", "raise ImportError('librensa.so: cannot open shared object file')", "extra prepare", "librensa.so"),
        ("rensa", "import os; os.kill(os.getpid(), 11)", "extra prepare", "ends Python"),
        ("segno", "raise ImportError('cut off')", "packtrain's libraries", "cut off"),
    ],
)
def test_a_library_that_is_there_and_does_not_load(
    home: Path, tmp_path: Path, module: str, body: str, what: str, told: str
) -> None:
    (tmp_path / "broken" / module).mkdir(parents=True)
    (tmp_path / "broken" / module / "__init__.py").write_text(body)

    from packtrain.doctor import libraries

    sys.path.insert(0, str(tmp_path / "broken"))
    try:
        found = {one.what: one for one in libraries.look_at_libraries(subject_of(home))}
    finally:
        sys.path.remove(str(tmp_path / "broken"))

    assert found[what].state == "fault"
    assert told in found[what].found
    assert f"--force-reinstall {module}" in found[what].remedy


def test_an_extra_that_is_missing_stops_the_voyage_that_asks_for_it(home: Path) -> None:
    if importlib.util.find_spec("presidio_analyzer") is not None:
        pytest.skip("the extra pii is installed here")
    before = {one.what: one for one in look("libraries", "libraries", subject_of(home))}["extra pii"]
    _change(home, "[prepare]", '[prepare]\nscan_also_with = "presidio"')

    found = {one.what: one for one in look("libraries", "libraries", subject_of(home))}["extra pii"]

    assert (before.state, found.state) == ("not needed", "fault")
    assert found.verbs == ("prepare",)
    assert found.remedy.endswith("-m pip install 'packtrain[pii]'")


def test_the_processor_is_tried() -> None:
    (code,), (hashed,) = (look("processor", name, subject_of(None)) for name in ("code", "hash"))

    assert "/s coded 10+4 on one core" in code.found and "isal" in code.found
    assert "/s on one core" in hashed.found


def test_isa_l_is_missed(tmp_path: Path) -> None:
    # The metadata of pyeclib lead to no library, and the linker's own list is empty.
    (tmp_path / "pyeclib-9.dist-info").mkdir()
    (tmp_path / "pyeclib-9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pyeclib\nVersion: 9\n")
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    script = "from doctor_parts import *; print(*look('processor', 'code', subject_of(None)))"
    ran = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )

    if "state='ok'" in ran.stdout:
        pytest.skip("the system has an ISA-L of its own")
    assert "state='fault'" in ran.stdout and "pip install --force-reinstall pyeclib" in ran.stdout, ran


# --- programs ---------------------------------------------------------------------------------------------------------


def test_without_age_on_the_path_it_is_said_what_that_means(tmp_path: Path) -> None:
    found = look_elsewhere("programs", "programs", environment={"PATH": str(tmp_path)})

    (age,) = [one for one in found if one["what"] == "age"]
    assert (age["state"], age["remedy"]) == ("not needed", "apt-get install age")
    assert "packtrain has its own" in age["why"]


def test_a_program_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from packtrain.doctor import programs

    (tmp_path / "age").write_text("#!/bin/sh\nwhile :; do :; done\n")
    (tmp_path / "age").chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "PATIENCE_SECONDS", 0.5)

    (age,) = [one for one in look("programs", "programs", subject_of(None)) if one.what == "age"]
    assert (age.state, age.found) == ("warn", f"does not run: no answer within 0.5 s, {tmp_path}/age")


# --- room, drives, file systems ---------------------------------------------------------------------------------------


def test_a_small_temporary_folder_is_warned_of(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "small", "1m") as small:
        (found,) = look_elsewhere("places", "room", environment={"TMPDIR": str(small)})

    assert (found["what"], found["state"]) == ("temporary folder", "warn")
    assert "in memory" in found["found"] and "TMPDIR=" in found["remedy"]


def test_a_store_without_room_for_what_comes_stops_the_load(tmp_path: Path) -> None:
    guest = tmp_path / "guest"
    done("init", guest, "--role", "consignee")
    coming = samples()[Shipment]
    assert isinstance(coming, Shipment)
    coming = msgspec.structs.replace(coming, plaintext_bytes=1 << 20)
    unknown = states(look("places", "room", subject_of(guest)))["store"]
    (guest / "documents").mkdir(exist_ok=True)
    (guest / "documents" / "shipment.json").write_bytes(encode(coming))
    with _small_disk(tmp_path / "small", "32k") as small:
        _change(guest, 'store = "store"', f'store = "{small}/new"')
        found = {one.what: one for one in look("places", "room", subject_of(guest))}["store"]

    assert unknown == "not shown"
    assert (found.state, found.verbs) == ("fault", ("load",))


def test_a_disk_mounted_for_reading_only_is_no_store(tmp_path: Path) -> None:
    guest = tmp_path / "guest"
    done("init", guest, "--role", "consignee")
    with _small_disk(tmp_path / "read-only", "1m", "ro") as point:
        _change(guest, 'store = "store"', f'store = "{point}"')
        found = {one.what: one for one in look("places", "room", subject_of(guest))}["store"]

    assert found.state == "fault" and "mounted for reading only" in found.found


def test_drives_that_are_there_share_a_disk_and_are_told_so(home: Path) -> None:
    assert states(look("drives", "drives", subject_of(home))) == {"drives apart": "warn", "drives": "ok"}


def test_a_drive_that_is_missing_stops_packing(home: Path) -> None:
    (home.parent / "drives" / "b2").rmdir()

    (missing,) = [one for one in look("drives", "drives", subject_of(home)) if one.state == "fault"]
    assert missing.verbs == ("plan", "pack") and missing.found.endswith("drives/b2")


def test_a_remedy_can_be_typed_as_it_stands(home: Path) -> None:
    _change(home, '"../drives/b2"', '"../drives/b2 & b3"')

    (missing,) = [one for one in look("drives", "drives", subject_of(home)) if one.state == "fault"]
    subprocess.run(["sh", "-c", missing.remedy.partition(": ")[2]], check=True)
    assert states(look("drives", "drives", subject_of(home)))["drives"] == "ok"


def test_a_packed_shipment_needs_no_drives(home: Path) -> None:
    shutil.rmtree(home.parent / "drives")
    (home / "documents").mkdir(exist_ok=True)
    (home / "documents" / "shipment.json").write_text("{}")

    assert states(look("drives", "drives", subject_of(home))) == {"drives": "ok"}


@pytest.mark.root
def test_a_drive_of_fat_is_warned_of(home: Path) -> None:
    from loop_drives import loop_device, mounted

    if shutil.which("mkfs.vfat") is None:
        pytest.skip("no mkfs.vfat (Debian package: dosfstools)")
    point = home.parent / "drives" / "b2"
    with loop_device(home.parent / "fat.img", 8 << 20) as device:
        subprocess.run(["mkfs.vfat", str(device)], check=True, capture_output=True)
        with mounted(device, point, "vfat"):
            (point / "Some Name").touch()
            found = look("drives", "drives", subject_of(home))
            from packtrain.doctor.places import see

            place = see([point])[0][point]

    (fat,) = [one for one in found if "FAT" in one.why]
    assert fat.state == "warn" and "drives format" in fat.remedy
    assert place.seen["folds_case"] is True


def test_a_source_that_is_not_there_stops_prepare(home: Path) -> None:
    shutil.rmtree(home.parent / "data")

    found = {one.what: one for one in look("places", "room", subject_of(home))}["sources"]
    assert (found.state, found.verbs) == ("fault", ("prepare",))


@pytest.mark.parametrize(
    ("file_system", "is_shared"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False), ("", False)]
)
def test_a_file_system_that_machines_share_is_known(file_system: str, is_shared: bool) -> None:
    mount = Mount("0:1", "/", Path("/mnt"), file_system, "server:/a", False)
    assert Place(Path("/mnt/a"), {"near": "/mnt"}, mount).is_on_network is is_shared


@pytest.mark.root
def test_a_mount_that_hangs_is_told_and_hangs_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hung_mount import hung_mount
    from packtrain.doctor import places

    monkeypatch.setattr(places, "PATIENCE_SECONDS", 2.0)
    with hung_mount(tmp_path / "hung") as point:
        _change(home, '"../drives/b2"', f'"{point}"')
        found = look("drives", "drives", subject_of(home))
        ran = packtrain("doctor", point, "--json")

    (hung,) = [one for one in found if one.state == "fault"]
    assert hung.found == f"{point} does not answer within 2 s"
    assert "umount -l" in hung.remedy
    assert ran.exit_code == 97
    assert f"{point} does not answer within 2 s" in [one["found"] for one in ran.document()["findings"]]


# --- keys and clock ---------------------------------------------------------------------------------------------------


def test_keys_as_init_makes_them_are_well(home: Path) -> None:
    assert states(look("keys", "keys", subject_of(home))) == {"signing key": "ok", "identity": "ok"}


def test_a_key_that_others_can_read_is_warned_of(home: Path) -> None:
    (home / "keys").chmod(0o755)
    (home / "keys" / "signer").chmod(0o644)

    found = {one.what: one for one in look("keys", "keys", subject_of(home))}["signing key"]

    assert (found.state, found.remedy) == ("warn", f"chmod 600 {home}/keys/signer")
    assert "0644" in found.found


def test_a_key_that_is_gone_stops_what_signs(home: Path) -> None:
    (home / "keys" / "signer").unlink()

    found = {one.what: one for one in look("keys", "keys", subject_of(home))}["signing key"]
    assert found.state == "fault" and "pack" in found.verbs


def test_a_clock_before_the_last_receipt_is_a_fault(home: Path) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("no faketime on this machine (Debian package: faketime)")
    (home / "receipts").mkdir(exist_ok=True)
    (home / "receipts" / "plan.json").write_text('{"finished":"2026-03-02T10:00:00Z","stage":"plan"}')

    (slow, _) = look_elsewhere("clock", "clock", home, prefix=["faketime", "2026-03-02 09:00:00"])

    assert slow["state"] == "fault" and "receipts/plan.json" in slow["found"]
    assert "pack" in slow["verbs"]


def test_a_clock_before_packtrain_itself_is_warned_of() -> None:
    if shutil.which("faketime") is None:
        pytest.skip("no faketime on this machine (Debian package: faketime)")

    (slow, _) = look_elsewhere("clock", "clock", prefix=["faketime", "2020-01-01 09:00:00"])

    assert slow["state"] == "warn" and "packtrain itself was changed" in slow["found"]


def test_this_clock_is_after_the_record(home: Path) -> None:
    assert look("clock", "clock", subject_of(home))[0].state == "ok"


# --- what the kernel grants -------------------------------------------------------------------------------------------


@pytest.mark.namespaces
def test_namespaces_that_the_kernel_forbids_are_named_with_the_sysctl() -> None:
    forbid = 'for name in user net; do echo 0 > /proc/sys/user/max_${name}_namespaces || exit 77; done; exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"]

    (found,) = look_elsewhere("kernel", "namespaces", prefix=prefix)

    assert (found["state"], found["verbs"]) == ("fault", ["rehearse"])
    assert "user.max_user_namespaces = 0" in found["found"]
    assert "sudo sysctl -w user.max_user_namespaces=15000" in found["remedy"]


@pytest.mark.parametrize(("limit", "state"), [(40, "fault"), (60, "warn"), (400, "ok")])
def test_a_limit_of_open_files_is_held_against_the_drives(home: Path, limit: int, state: str) -> None:
    (found,) = look_elsewhere("kernel", "open_files", home, prefix=["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"])

    assert found["state"] == state
    assert found["found"].startswith(f"{limit} (at most {limit}); 4 drives at once take up to 80")


def test_shared_memory_and_devices_are_looked_at() -> None:
    assert [one.what for one in look("kernel", "shared_memory", subject_of(None))] == ["/dev/shm"]
    assert [one.what for one in look("kernel", "devices", subject_of(None))] == ["block devices", "loop devices"]


# --- people and clusters ----------------------------------------------------------------------------------------------


def test_a_locale_without_utf_8_is_warned_of() -> None:
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}

    (found,) = look_elsewhere("person", "locale", environment=variables)

    assert (found["state"], found["remedy"]) == ("warn", "export LC_ALL=C.UTF-8")


def test_a_passphrase_that_nobody_can_be_asked_for(home: Path) -> None:
    _change(home, "[prepare]", '[keys]\nenvelope = "passphrase"\n\n[prepare]')

    (found,) = look_elsewhere("person", "terminal", home)
    assert found["state"] == "warn" and "passphrase_file" in found["remedy"]


def test_a_head_of_ray_that_is_not_there_stops_prepare(home: Path) -> None:
    pytest.importorskip("ray")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        _change(home, "[prepare]", f'[prepare]\nengine = "ray"\nray_address = "{address}"')
        found = {one.what: one for one in look("cluster", "ray", subject_of(home))}

    assert found["Ray"].state == "ok"
    assert (found["Ray's head"].state, found["Ray's head"].verbs) == ("fault", ("prepare",))
    assert found["Ray's head"].found == f"{address}: connection refused"


def test_a_head_of_ray_that_is_not_there_stops_a_site_of_ray(home: Path) -> None:
    pytest.importorskip("ray")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        _change(home, "[prepare]", f'[site]\nengine = "ray"\nray_address = "{address}"\n\n[prepare]')
        site = {one.what: one for one in look("cluster", "ray", subject_of(home))}
        _change(home, "[prepare]", f'[prepare]\nengine = "ray"\nray_address = "{address}"')
        both = [one for one in look("cluster", "ray", subject_of(home)) if one.what == "Ray's head"]

    assert site["Ray"].verbs == ("train",)
    assert (site["Ray's head"].state, site["Ray's head"].verbs) == ("fault", ("train",))
    assert site["Ray's head"].why == "train cannot join the cluster"
    assert [one.verbs for one in both] == [("prepare", "train")]


def test_slurm_that_knows_no_cluster_stops_who_asks_for_it(home: Path, tmp_path: Path) -> None:
    for name in ("sbatch", "squeue", "scancel", "scontrol"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'sbatch: error: no controller' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    _change(home, "[prepare]", '[site]\nengine = "slurm"\n\n[prepare]')
    (trains,) = look_elsewhere("cluster", "slurm", home, environment={"PATH": str(tmp_path)})
    assert (trains["state"], trains["verbs"]) == ("fault", ["train"])
    _change(home, "[prepare]", '[prepare]\nengine = "slurm"')

    (here,) = look_elsewhere("cluster", "slurm", home, environment={"PATH": str(tmp_path)})
    (gone,) = look_elsewhere("cluster", "slurm", home, environment={"PATH": str(tmp_path / "empty")})

    assert (here["state"], here["found"]) == ("fault", "sbatch: error: no controller")
    assert here["verbs"] == ["prepare", "train"]
    assert gone["state"] == "fault" and gone["found"].startswith("no sbatch")


@pytest.mark.needs_torch
def test_torch_is_asked_what_it_sees(home: Path) -> None:
    _change(home, "[prepare]", '[training]\nprogram = "program"\ncommand = "train.py"\n\n[prepare]')

    found = {one.what: one for one in look("training", "torch", subject_of(home))}
    assert found["torch"].state == "ok" and "built for" in found["torch"].found
    assert "accelerators" in found


def test_a_program_that_is_there_and_does_not_run_is_not_well(tmp_path: Path) -> None:
    broken = tmp_path / "age"
    broken.write_text("#!/bin/sh\necho 'libfoo.so: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = {one["what"]: one for one in look_elsewhere("programs", "programs", environment=environment)}
    assert found["age"]["state"] == "warn" and "libfoo.so" in found["age"]["found"]
    assert found["blkdiscard"]["state"] in ("ok", "not needed")
