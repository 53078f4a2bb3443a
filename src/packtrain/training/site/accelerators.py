"""The accelerators of one host: what NVIDIA's management library says of them, and whether they compute alike."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain.documents.promised_section import PromisedSection
from packtrain.training.site.machine import HostTask, KitNeeds, joined, version_of
from packtrain.training.site.seen import Seen, figure
from packtrain.units import counted, format_bytes

ALIKE: Final = 0.1
"""A share of the median: an accelerator further below it is slower than its neighbours, and all wait for it."""
_LEAST_DRIVERS: Final = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
"""CUDA's major version -> the oldest Linux driver that runs all of its releases (minor version compatibility)."""
_BAD_REASONS: Final = {
    0x8: "slowed down by the hardware",
    0x20: "slowed down by the driver: too hot",
    0x40: "slowed down by the hardware: too hot",
    0x80: "slowed down by the hardware: the power supply asked for it",
}
_BURN: Final = Path(__file__).parent.parent / "programs" / "site" / "burn.py"
_BURN_PATIENCE_SECONDS: Final = 180.0
_DRIVER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Card:
    """One accelerator. What its driver does not tell is None.

    Attributes:
        uncorrected: errors of its memory that ECC could not correct, since the driver was loaded.
        pending_rows: whether rows of its memory wait to be replaced, at the next reset.
        failed_rows: whether rows could not be replaced.
        reasons: why its clock is not higher, as NVML's bits.
        pcie_width, most_pcie_width: lanes.
        nvlinks: NVLinks that are up.
    """

    name: str
    memory_bytes: int
    uncorrected: int | None = None
    pending_rows: bool | None = None
    failed_rows: bool | None = None
    reasons: int | None = None
    celsius: int | None = None
    watts: float | None = None
    most_watts: float | None = None
    pcie_width: int | None = None
    most_pcie_width: int | None = None
    pcie_generation: int | None = None
    nvlinks: int | None = None


@dataclass(frozen=True, slots=True)
class Cards:
    """All accelerators of a host.

    Attributes:
        driver: its version.
        cuda: the CUDA that it knows, "13.0".
        cards: those that answer.
        lost: of those that do not, the number and what the driver says: such as one that fell off the bus.
    """

    driver: str
    cuda: str
    cards: tuple[Card, ...]
    lost: tuple[str, ...] = ()


def read_cards() -> Cards | str:
    """Return the accelerators of this host, or why nothing is known of any.

    A driver that hangs, as it does where an accelerator died, is waited for a minute and no longer.
    """
    found: list[Cards | str] = []

    def read() -> None:
        try:
            found.append(_read_cards())
        except Exception as error:  # noqa: BLE001 - whatever a library of the driver does, others are looked at
            found.append(f"nvidia-ml-py failed: {type(error).__name__}: {error}")

    reading = threading.Thread(target=read, name="the NVIDIA driver", daemon=True)
    reading.start()
    reading.join(_DRIVER_SECONDS)
    return found[0] if found else f"the NVIDIA driver did not answer within {_DRIVER_SECONDS:g} s"


def _read_cards() -> Cards | str:
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return 'nvidia-ml-py is not installed: pip install "packtrain[gpu]"'
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return f"no NVIDIA driver answers: {error}"
    try:
        try:
            count = nvml.nvmlDeviceGetCount()
            cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
            driver = _words(nvml.nvmlSystemGetDriverVersion())
        except nvml.NVMLError as error:
            return f"the NVIDIA driver answers, and does not tell its accelerators: {error}"
        cards: list[Card] = []
        lost: list[str] = []
        for number in range(count):
            try:
                cards.append(_card(nvml, nvml.nvmlDeviceGetHandleByIndex(number)))
            except nvml.NVMLError as error:
                lost.append(f"{number}: {error}")
        return Cards(driver, f"{cuda // 1000}.{cuda % 1000 // 10}", tuple(cards), tuple(lost))
    finally:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _card(nvml: Any, handle: Any) -> Card:
    def asked(ask: Callable[[], Any]) -> Any:
        # Old drivers, virtual machines and small cards lack one or the other.
        try:
            return ask()
        except (nvml.NVMLError, AttributeError):
            return None

    reasons = asked(lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    if reasons is None:
        reasons = asked(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    rows = asked(lambda: nvml.nvmlDeviceGetRemappedRows(handle))
    power = asked(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    most_power = asked(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
    links = [asked(lambda link=link: nvml.nvmlDeviceGetNvLinkState(handle, link)) for link in range(18)]
    return Card(
        name=_words(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        uncorrected=asked(
            lambda: nvml.nvmlDeviceGetTotalEccErrors(
                handle, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
            )
        ),
        pending_rows=bool(rows[2]) if rows is not None else None,
        failed_rows=bool(rows[3]) if rows is not None else None,
        reasons=reasons,
        celsius=asked(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        watts=power / 1000 if power is not None else None,
        most_watts=most_power / 1000 if most_power is not None else None,
        pcie_width=asked(lambda: nvml.nvmlDeviceGetCurrPcieLinkWidth(handle)),
        most_pcie_width=asked(lambda: nvml.nvmlDeviceGetMaxPcieLinkWidth(handle)),
        pcie_generation=asked(lambda: nvml.nvmlDeviceGetCurrPcieLinkGeneration(handle)),
        nvlinks=None if all(link is None for link in links) else sum(link == 1 for link in links),
    )


def _words(text: str | bytes) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text)[:128]


def look_at_accelerators(seen: Seen, task: HostTask) -> None:
    """Note what the accelerators of this host are, how they are under load, and whether they compute alike."""
    found = read_cards()
    if isinstance(found, Cards) and found.lost:
        _lost(seen, found)
    if isinstance(found, str) or not found.cards:
        why = found if isinstance(found, str) else f"driver {found.driver} is here, and no accelerator"
        _none_found(seen, task.promised, why, has_driver=not isinstance(found, str))
        return
    with _burning(task) as burn:
        loaded = burn.watch(read_cards)
    under_load = loaded if isinstance(loaded, Cards) and loaded.cards else found
    if set(under_load.lost) - set(found.lost):
        _lost(seen, under_load)
    judge_cards(seen, under_load, task.promised, task.kit)
    judge_burn(seen, burn.result(), task.seconds)


def _lost(seen: Seen, found: Cards) -> None:
    seen.bad(
        "accelerators that do not answer",
        joined(found.lost),
        "restart the host; where it comes again, have the accelerator replaced: dmesg tells its XID error",
        [figure("lost", len(found.lost))],
        asked="none",
    )


def _none_found(seen: Seen, promised: PromisedSection, why: str, *, has_driver: bool) -> None:
    if not promised.accelerators:
        seen.not_shown("accelerators", why)
    elif has_driver:
        remedy = "ask the provider for them; in a container: --gpus all"
        seen.bad("accelerators", why, remedy, asked=_asked(promised), is_promised=True)
    else:
        seen.not_shown("accelerators", why, asked=_asked(promised), is_promised=True)


def _asked(promised: PromisedSection) -> str:
    count = f"{promised.accelerators} x " if promised.accelerators is not None else ""
    memory = promised.accelerator_memory_bytes
    told = f"{count}{promised.accelerator or 'accelerator'}" if count or promised.accelerator else ""
    return ", ".join(filter(None, (told, f"{format_bytes(memory)} each" if memory else "")))


def judge_cards(seen: Seen, found: Cards, promised: PromisedSection, kit: KitNeeds) -> None:
    """Note what is to be said of a host's accelerators as the driver tells them."""
    cards = found.cards
    names = sorted({card.name for card in cards})
    least_memory = min(card.memory_bytes for card in cards)
    wanted = (promised.accelerator or "").casefold()
    is_good = (
        (promised.accelerators is None or len(cards) >= promised.accelerators)
        and all(wanted in card.name.casefold() for card in cards)
        and (promised.accelerator_memory_bytes is None or least_memory >= promised.accelerator_memory_bytes)
        and len(names) == 1
    )
    seen.judged(
        "accelerators",
        f"{len(cards)} x {', '.join(names)}, {format_bytes(least_memory)} each",
        "ask the provider for the accelerators that were promised, of one kind; in a container: --gpus all",
        [figure("accelerators", len(cards)), figure("memory of each", least_memory, "bytes")],
        is_good=is_good,
        asked=_asked(promised),
        is_promised=bool(_asked(promised)),
    )
    _driver(seen, found, promised, kit)
    _each(
        seen,
        "accelerator memory errors",
        [_memory_fault(card) for card in cards],
        "none that ECC could not correct",
        "reset the accelerator (nvidia-smi --gpu-reset) or restart the host; where they come again, have it replaced",
    )
    _each(
        seen,
        "accelerator clocks",
        [
            "; ".join(words for bit, words in _BAD_REASONS.items() if (card.reasons or 0) & bit)
            if card.reasons is not None
            else None
            for card in cards
        ],
        "none is slowed down by heat or power",
        "have air and power of the host looked at: nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER",
        [
            *(
                figure(f"{n} temperature", card.celsius, "°C")
                for n, card in enumerate(cards)
                if card.celsius is not None
            ),
            *(figure(f"{n} power", card.watts, "W") for n, card in enumerate(cards) if card.watts is not None),
        ],
    )
    _links(seen, cards)


def _driver(seen: Seen, found: Cards, promised: PromisedSection, kit: KitNeeds) -> None:
    built = version_of(kit.cuda)[:1]
    least = _LEAST_DRIVERS.get(built[0]) if built else None
    driver = version_of(found.driver)
    is_good = not (least is not None and driver < least) and not (built and version_of(found.cuda)[:1] < built)
    asked = f"for CUDA {kit.cuda} of the kit's torch {spelled(least) if least else 'a newer one'}" if built else ""
    if promised.driver is not None:
        is_good = is_good and driver >= version_of(promised.driver)
        asked = "; ".join(filter(None, (asked, f"{promised.driver} was promised")))
    seen.judged(
        "NVIDIA driver",
        f"{found.driver}, which knows CUDA {found.cuda}",
        "install a newer driver, or bring a kit whose torch is built for an older CUDA",
        is_good=is_good,
        asked=asked and f"{asked}, or newer",
        is_promised=promised.driver is not None,
    )


def spelled(version: Sequence[int]) -> str:
    """Return a driver's version as it is written: three numbers, the last with two digits."""
    return ".".join(f"{part:02d}" if place == 2 else str(part) for place, part in enumerate(version))


def _memory_fault(card: Card) -> str | None:
    told = [f"{card.uncorrected} not corrected"] if card.uncorrected else []
    told += ["rows of it could not be replaced"] if card.failed_rows else []
    told += ["rows of it wait for a reset to be replaced"] if card.pending_rows else []
    if not told and card.uncorrected is None and card.failed_rows is None:
        return None
    return ", ".join(told)


def _each(
    seen: Seen, what: str, faults: Sequence[str | None], good: str, remedy: str, figures: Sequence[Any] = ()
) -> None:
    """Note a finding of all accelerators together: "" is good, None was not told."""
    told = [f"{number}: {fault}" for number, fault in enumerate(faults) if fault]
    if told:
        seen.bad(what, joined(told), remedy, figures, asked=good)
    elif all(fault is None for fault in faults):
        seen.not_shown(what, "the driver does not tell", asked=good)
    else:
        seen.told(what, good, figures, asked=good)


def _links(seen: Seen, cards: Sequence[Card]) -> None:
    most = max((card.nvlinks or 0 for card in cards), default=0)
    faults: list[str | None] = []
    for card in cards:
        told: list[str] = []
        if card.pcie_width is not None and card.most_pcie_width is not None and card.pcie_width < card.most_pcie_width:
            told.append(f"PCIe x{card.pcie_width} of x{card.most_pcie_width}")
        if (card.nvlinks or 0) < most:
            told.append(f"{counted(card.nvlinks or 0, 'NVLink')} of {most}")
        faults.append(", ".join(told) if told or card.pcie_width is not None else None)
    figures = [
        figure(f"{n} PCIe lanes", card.pcie_width) for n, card in enumerate(cards) if card.pcie_width is not None
    ]
    figures += [figure(f"{n} NVLinks", card.nvlinks) for n, card in enumerate(cards) if card.nvlinks is not None]
    _each(
        seen,
        "accelerator links",
        faults,
        "all PCIe lanes, and as many NVLinks on each",
        "have the accelerator seated anew: nvidia-smi -q -d PCI, nvidia-smi nvlink --status",
        figures,
    )


# --- computing ---


class _Burn:
    def __init__(self, process: subprocess.Popen[str] | None, why: str) -> None:
        self._process, self._why, self._said = process, why, ("", "")

    def watch(self, look: Callable[[], Cards | str], pause_seconds: float = 1.0) -> Cards | str:
        """Return the last look while it ran: heat shows at the end of it. It is ended where it takes far too long."""
        last: Cards | str = ""
        process = self._process
        if process is None:
            return last
        reading = threading.Thread(target=self._read, args=(process,), daemon=True)
        reading.start()
        waited = 0.0
        while reading.is_alive() and waited < _BURN_PATIENCE_SECONDS:
            reading.join(pause_seconds)
            waited += pause_seconds
            if reading.is_alive():
                found = look()
                last = found if isinstance(found, Cards) else last
        return last

    def _read(self, process: subprocess.Popen[str]) -> None:
        self._said = process.communicate()

    def result(self) -> list[dict[str, Any]] | str:
        """Return what the program found of each accelerator, or why it found nothing."""
        try:
            record = json.loads(self._said[0].strip().splitlines()[-1])
            found = [
                {"tflops": float(one["tflops"]), "is_repeated": one["is_repeated"] is True} for one in record["devices"]
            ]
            return found or str(record["why"])
        except (ValueError, IndexError, KeyError, TypeError):
            lines = self._said[1].strip().splitlines()
            return self._why or (lines[-1][:300] if lines else "it ended without a word")


@contextlib.contextmanager
def _burning(task: HostTask) -> Iterator[_Burn]:
    argv = [task.python, str(_BURN), "--seconds", str(task.seconds)]
    try:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        yield _Burn(None, (error.strerror or str(error)).lower())
        return
    try:
        yield _Burn(process, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def judge_burn(seen: Seen, found: list[dict[str, Any]] | str, seconds: float) -> None:
    """Note whether all accelerators multiply matrices alike, none more than a tenth below the median."""
    what, asked = "matrix products", f"all within {ALIKE:.0%} of the median"
    if isinstance(found, str):
        seen.not_shown(what, found, asked=asked)
        return
    rates = [one["tflops"] for one in found]
    if not all(map(math.isfinite, rates)):
        seen.not_shown(what, f"the program told rates that are no numbers: {rates}", asked=asked)
        return
    median = statistics.median(rates)
    slow = [f"{number}: {rate:.1f}" for number, rate in enumerate(rates) if rate < (1 - ALIKE) * median]
    wrong = [str(number) for number, one in enumerate(found) if not one["is_repeated"]]
    told = f"{min(rates):.1f} to {max(rates):.1f} TFLOP/s in bfloat16, median {median:.1f}, over {seconds:g} s"
    told += f"; slower: {joined(slow)}" if slow else ""
    told += f"; other results the second time: {joined(wrong)}" if wrong else ""
    seen.judged(
        what,
        told,
        "look at its heat and power under load (nvidia-smi -q -d PERFORMANCE); where it stays so, have it replaced",
        [figure(f"{number} rate", rate, "TFLOP/s") for number, rate in enumerate(rates)],
        is_good=not slow and not wrong,
        asked=f"{asked}, the same result each time",
    )
