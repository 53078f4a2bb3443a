"""Runs the command line in this process: what `packtrain ARGS` prints, and the code it ends with. And a voyage."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from command_parts import Site, prepared
from packtrain.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What one command left behind."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def packtrain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: object) -> Ran:
        before = signal.getsignal(signal.SIGTERM)
        monkeypatch.setattr(sys, "argv", ["packtrain", *map(str, arguments)])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        code = ended.value.code
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A declared, prepared voyage, to be copied: no test changes it."""
    return prepared(tmp_path_factory.mktemp("at-home"))
