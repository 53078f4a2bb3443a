"""What every test shares: Hypothesis profiles, and marks that say what a test needs from the machine."""

import gc
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from chromium_parts import CHROMIUM

if TYPE_CHECKING:
    from packtrain.errors import PacktrainError

ON_CI = os.environ.get("CI", "") not in ("", "0", "false")

# ci: the same examples on every run, so that a red run can be had again. dev: new examples each time. nightly: by hand.
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None, print_blob=True)
hypothesis.settings.register_profile("dev", max_examples=60, deadline=None, print_blob=True)
hypothesis.settings.register_profile("nightly", max_examples=5000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if ON_CI else "dev"))


@cache
def _has_accelerator() -> bool:
    # Import torch only when a test asks for a device: it costs about 2 s.
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.accelerator.is_available()


@cache
def _has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True, check=False, timeout=20)
    return done.returncode == 0


# mark -> (is it there, what to say where it is not)
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "gpu": (_has_accelerator, "no accelerator that torch can see"),
    "root": (lambda: os.geteuid() == 0, "not root"),
    "namespaces": (_has_namespaces, "unshare cannot make a network namespace here"),
    "needs_age": (lambda: shutil.which("age") is not None, "no age command (Debian package: age)"),
    "needs_ssh_keygen": (
        lambda: shutil.which("ssh-keygen") is not None,
        "no ssh-keygen (Debian package: openssh-client)",
    ),
    "needs_chromium": (lambda: CHROMIUM is not None, "no chromium (Debian package: chromium)"),
    "needs_torch": (lambda: importlib.util.find_spec("torch") is not None, "torch is not installed (make torch)"),
}
# What `make test` installs; where it is missing on CI, set-up is broken and a skip would hide it.
_BY_APT = {"needs_age", "needs_ssh_keygen", "needs_chromium"}
INSTALLED_BY_MAKE = {"needs_torch"} | (_BY_APT if os.geteuid() == 0 else set[str]())


@pytest.fixture(autouse=True, scope="session")
def form_of_errors() -> Iterator[None]:
    """Hold every error that a command prints in this process to the form that tests/error_form.py tells."""
    from error_form import faults_of_error
    from packtrain.cli import terminal

    print_error = terminal.print_error

    def print_well_formed(error: "PacktrainError", *, as_json: bool = False) -> None:
        if os.environ.get("PACKTRAIN_ERRORS_SEEN"):  # to be read by a person: every message of a run
            with Path(os.environ["PACKTRAIN_ERRORS_SEEN"]).open("a") as file:
                file.write(f"{type(error).__name__} {error.message}\n    -> {error.hint}\n")
        faults = faults_of_error(error)
        assert not faults, f"{type(error).__name__}: {'; '.join(faults)}"
        print_error(error, as_json=as_json)

    terminal.print_error = print_well_formed
    yield
    terminal.print_error = print_error


def pytest_configure() -> None:
    """Take Ctrl-C and a closed login as a program of a terminal does: under nohup, or behind `&`, both are ignored.

    Commands that tests start would inherit that, and never be stopped.
    """
    if threading.current_thread() is threading.main_thread():
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, usual)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without the garbage collector, and keep what was collected out of its sight from then on.

    Two million objects stay to the end: to go through them again and again took a quarter of the time of collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has a target of its own in the Makefile, unless it is asked for.

    With several workers the modules that hold slow tests begin first: a module stays with one worker, and the others
    would wait at the end for one that began last.
    """
    own_target = ("long", "full_size", "cluster", "programs", "benchmarks")
    unasked = [mark for mark in own_target if mark not in config.option.markexpr]
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in unasked)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        out = set(left_out)
        items[:] = [item for item in items if item not in out]
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose mark names something this machine lacks; on CI fail where make should have installed it."""
    for mark, (is_there, reason) in NEEDS.items():
        if item.get_closest_marker(mark) is None or is_there():
            continue
        if ON_CI and mark in INSTALLED_BY_MAKE:
            pytest.fail(f"{mark}: {reason}", pytrace=False)
        pytest.skip(reason)
