"""Accelerators that fell off the bus, and drivers that hang: what is told of them, and that the others are told."""

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from packtrain.documents.inspection import Finding
from packtrain.documents.promised_section import PromisedSection
from packtrain.training.site import accelerators
from packtrain.training.site.accelerators import Cards, look_at_accelerators, read_cards
from packtrain.training.site.machine import HostTask

pynvml = pytest.importorskip("pynvml")


class Driver(SimpleNamespace):
    """A driver of three accelerators of which the second fell off the bus. No such part can be had here."""

    NVMLError = pynvml.NVMLError

    def __getattr__(self, name: str) -> Any:
        def ask(*_: object) -> Any:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

        return ask


def driver(**more: Any) -> Driver:
    def handle(number: int) -> int:
        if number == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return number

    return Driver(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 3,
        nvmlSystemGetCudaDriverVersion_v2=lambda: 13000,
        nvmlSystemGetDriverVersion=lambda: b"580.65.06",
        nvmlDeviceGetHandleByIndex=handle,
        nvmlDeviceGetName=lambda _: "H200\x1b[2J",
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=141 << 30),
        NVML_TEMPERATURE_GPU=0,
        NVML_MEMORY_ERROR_TYPE_UNCORRECTED=1,
        NVML_VOLATILE_ECC=0,
        **more,
    )


def looked(monkeypatch: pytest.MonkeyPatch, library: Any, **promised: Any) -> dict[str, Finding]:
    from packtrain.training.site.seen import Seen

    monkeypatch.setitem(sys.modules, "pynvml", library)
    seen = Seen("here")
    task = HostTask(python="/nowhere/python", folders=(), promised=PromisedSection(**promised), seconds=0.1)
    look_at_accelerators(seen, task)
    return {one.what: one for one in seen.findings}


def test_an_accelerator_that_fell_off_the_bus_is_named_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(monkeypatch, driver(), accelerators=3)

    lost = found["accelerators that do not answer"]
    assert lost.verdict == "bad" and lost.found.startswith("1: GPU is lost")
    assert found["accelerators"].verdict == "bad" and found["accelerators"].found.startswith("2 x H200\\u001b")
    assert found["matrix products"].verdict == "not shown"


def test_a_driver_that_hangs_or_fails_anyhow_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "_DRIVER_SECONDS", 0.05)
    woken = threading.Event()
    try:
        hung = looked(monkeypatch, driver(nvmlShutdown=woken.wait), accelerators=3)["accelerators"]
        assert (hung.verdict, hung.is_promised) == ("not shown", True)
        assert "did not answer within" in hung.found
    finally:
        woken.set()
    monkeypatch.setattr(accelerators, "_DRIVER_SECONDS", 60.0)
    failed = looked(monkeypatch, SimpleNamespace())["accelerators"]
    assert "AttributeError" in failed.found


def test_without_nvidia_ml_py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = looked(monkeypatch, None)["accelerators"]
    assert missing.verdict == "not shown" and 'pip install "packtrain[gpu]"' in missing.found
    assert looked(monkeypatch, None, accelerators=8)["accelerators"].is_promised


def test_a_machine_without_a_driver_is_told_so_by_the_real_library() -> None:
    found = read_cards()
    if isinstance(found, Cards):
        pytest.skip("this machine has an NVIDIA driver: tests/gpu looks at it")
    assert found.startswith("no NVIDIA driver answers")
