"""What one host has: read of this machine, and of recordings of others."""

import functools
import platform
import sys
from pathlib import Path

import pytest

from packtrain.documents.inspection import Finding
from packtrain.documents.kit import Kit, KitFile, Provided
from packtrain.documents.promised_section import PromisedSection
from packtrain.inspecting import look_at_host
from packtrain.training.site import machine
from packtrain.training.site.kit_needs import needs_of_kit
from packtrain.training.site.machine import HostTask, KitNeeds, cgroup_bytes, look_at_machine, look_at_names
from packtrain.training.site.seen import Seen

_ask_once = functools.cache(machine.ask_python)


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask each interpreter once in all tests: to answer it imports torch, which takes seconds."""
    monkeypatch.setattr(machine, "ask_python", _ask_once)


def looked(**fields: object) -> dict[str, Finding]:
    seen = Seen("here")
    look_at_machine(seen, HostTask(python=sys.executable, folders=(), **fields))  # type: ignore[arg-type]
    return {one.what: one for one in seen.findings}


def test_this_machine_is_told_with_figures() -> None:
    found = looked()

    assert found["processors"].figures[0].value >= 1
    assert found["memory"].figures[0].value > 0
    assert found["Python"].verdict == "good"


def test_more_than_there_is_was_promised() -> None:
    found = looked(promised=PromisedSection(cores=100_000, memory_bytes=2**50))

    assert {what: (found[what].verdict, found[what].is_promised) for what in ("processors", "memory")} == {
        "processors": ("bad", True),
        "memory": ("bad", True),
    }


@pytest.mark.parametrize(
    ("kit", "what"),
    [
        (KitNeeds(python="3.5"), "Python"),
        (KitNeeds(python="3.5", machine="s390x", glibc="2.17"), "kernel and glibc"),
        (KitNeeds(machine=platform.machine(), glibc="2.99"), "kernel and glibc"),
        (KitNeeds(torch="0.1"), "torch"),
    ],
    ids=["python", "machine", "glibc", "torch"],
)
def test_a_host_that_the_kit_does_not_run_on_is_bad(kit: KitNeeds, what: str) -> None:
    finding = looked(kit=kit)[what]

    assert finding.verdict == "bad" and finding.remedy


def test_a_torch_of_any_build_keeps_a_kit_that_names_none() -> None:
    there = machine.ask_python(sys.executable)["torch"]
    release = there.partition("+")[0]

    assert looked(kit=KitNeeds(torch=release))["torch"].verdict == "good"
    assert looked(kit=KitNeeds(torch=there))["torch"].verdict == "good"
    assert looked(kit=KitNeeds(torch=f"{release}+cu999"))["torch"].verdict == "bad"


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    seen = Seen("here")
    look_at_machine(seen, HostTask(python=str(tmp_path / "python"), folders=()))

    finding = next(one for one in seen.findings if one.what == "Python")
    assert finding.verdict == "bad" and "does not answer" in finding.found


@pytest.mark.parametrize(
    ("addresses", "verdict"),
    [(["127.0.1.1"], "bad"), (["10.0.0.7"], "good"), (["10.0.0.7", "::1"], "bad"), ([], "bad")],
)
def test_a_name_that_leads_to_the_loopback_is_a_trap_where_others_look_for_it(
    addresses: list[str], verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "addresses_of", lambda _: addresses)
    seen = Seen("here")
    look_at_names(seen, HostTask(python=sys.executable, folders=(), is_alone=False))
    look_at_names(seen, HostTask(python=sys.executable, folders=()))

    assert [one.verdict for one in seen.findings] == [verdict, "good"]


def test_the_smallest_bound_of_a_control_group_and_those_above_it_counts(tmp_path: Path) -> None:
    proc, sys_root = tmp_path / "proc", tmp_path / "sys"
    inner = sys_root / "fs" / "cgroup" / "system.slice" / "job"
    inner.mkdir(parents=True)
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/system.slice/job\n")
    assert cgroup_bytes(proc, sys_root) is None
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text("8000000000\n")
    assert cgroup_bytes(proc, sys_root) == 8_000_000_000


def kit_of(*names: str, provided: tuple[Provided, ...] = ()) -> Kit:
    files = tuple(KitFile(name=f"wheels/{name}", bytes=1, sha256="1" * 64) for name in names)
    platform_tag = "manylinux_2_28_x86_64"
    return Kit(
        target_python="3.12",
        target_platform=platform_tag,
        program="2" * 64,
        command="train.py",
        files=files,
        provided=provided,
    )


@pytest.mark.parametrize(
    ("kit", "torch", "cuda"),
    [
        (kit_of("torch-2.13.0+cu130-cp312-cp312-manylinux_2_28_x86_64.whl"), "2.13.0+cu130", "13.0"),
        (kit_of("torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"), "2.13.0+cpu", ""),
        (
            kit_of(
                "torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl",
                "nvidia_cuda_runtime_cu12-12.8.90-py3-none-manylinux2014_x86_64.whl",
            ),
            "2.13.0",
            "12.8",
        ),
        (kit_of("numpy-2.4.0-cp312-cp312-manylinux_2_27_x86_64.whl"), "", ""),
        (kit_of(provided=(Provided(name="torch", version="2.13.0+cu126"),)), "2.13.0+cu126", "12.6"),
    ],
)
def test_the_cuda_of_a_kit_is_in_its_torch_or_beside_it(kit: Kit, torch: str, cuda: str) -> None:
    needs = needs_of_kit(kit)

    assert (needs.torch, needs.cuda, needs.python, needs.machine) == (torch, cuda, "3.12", "x86_64")


def test_the_oldest_glibc_of_the_wheels_is_asked_for() -> None:
    assert (
        needs_of_kit(kit_of("numpy-2.4.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl")).glibc == "2.27"
    )


def test_a_folder_is_measured_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    promised = PromisedSection(free_bytes=1, disk_mb_per_second=1e9)
    task = HostTask(python=sys.executable, folders=(str(tmp_path / "store"),), promised=promised, seconds=0.1)
    found = {one.what: one for one in look_at_host(task)}

    assert found["room, store"].verdict == "good"
    assert found["rate, store"].verdict == "bad" and found["rate, store"].is_promised
    assert list((tmp_path / "store").iterdir()) == []
