"""What real shells offer after TAB: bash and zsh on a terminal of their own, fish by its own engine."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import packtrain as package
from command_parts import CASES, done
from packtrain.cli.main import cli

SHELLS = ("bash", "zsh", "fish")
_PATIENCE_SECONDS = 60


def _needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to stand in: one voyage with cases and a list, one other folder, and `packtrain` on the PATH."""
    root = tmp_path_factory.mktemp("completion")
    done("init", root / "sky-survey")
    with (root / "sky-survey" / "voyage.toml").open("a") as file:
        file.write(CASES)
    (root / "sky-survey" / "lists" / "own-list").mkdir(parents=True)
    (root / "sky-survey" / "lists" / "own-list" / "list.json").write_text("{}")
    (root / "other").mkdir()
    (root / "bin").mkdir()
    command = root / "bin" / "packtrain"
    source = Path(package.__file__).parents[1]
    command.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m packtrain "$@"\n')
    command.chmod(0o755)
    for shell in SHELLS:
        (root / shell).write_text(done("completion", shell).stdout)
    return root


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


class _Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, argv: list[str], home: Path, set_up: str) -> None:
        master, slave = pty.openpty()
        self._process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, cwd=home, env=_environment(home), start_new_session=True
        )
        os.close(slave)
        self._master = master
        self.type(f"{set_up}\necho re''ady\n")
        self.wait(r"(?<!'')ready")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self, pattern: str) -> str:
        """Return what was shown up to where the pattern is."""
        shown, deadline = "", time.monotonic() + _PATIENCE_SECONDS
        while not re.search(pattern, shown):
            readable, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
            assert readable, f"never came: {pattern!r}; shown: {shown!r}"
            shown += os.read(self._master, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        os.close(self._master)
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def typed(home: Path) -> Callable[[str, str], str]:
    """Return the line that a shell makes of some words and two TABs, when Enter echoes it in place of running it."""

    def complete(shell: str, words: str) -> str:
        _needs(shell)
        # What is completed is the command `packtrain`; then it becomes a function that only shows its words.
        show = "packtrain() { printf '<%s>' \"$*\"; }"
        if shell == "bash":
            argv = ["bash", "--norc", "--noprofile", "-i"]
            set_up = f"bind 'set bell-style none'; . {home / 'bash'}"
        else:
            argv = ["zsh", "-f", "-i"]
            set_up = f"autoload -U compinit; compinit -D -u; unsetopt beep; . {home / 'zsh'}"
        running = _Shell(argv, home, set_up)
        try:
            running.type(f"{words}\t")
            # The word stands completed before Enter is typed: the shell reads the terminal only when it is done.
            running.type(f"\x01{show}; \x05\n")
            return re.findall(r"<([^<>%]*)>", running.wait(r"<[^<>%]*>"))[-1].strip()
        finally:
            running.close()

    return complete


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("packtrain statu", "status"),
        ("packtrain pack --dr", "pack --dry-run"),
        ("packtrain status sky", "status sky-survey"),
        ("packtrain load --voyage sky-survey --without A2", "load --voyage sky-survey --without A2"),
    ],
)
def test_a_shell_finishes_the_word(typed: Callable[[str, str], str], shell: str, words: str, line: str) -> None:
    assert typed(shell, words).rstrip("/") == line


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("packtrain fl", {"flags"}),
        ("packtrain custody co", {"cosign"}),
        ("packtrain lists add --format ofac", {"ofac-csv", "ofac-xml"}),
        ("packtrain status sk", {"sky-survey"}),
        ("packtrain status o", {"other/"}),
        ("packtrain load --voyage sky-survey --without ", {"A", "B", "A1", "A2", "B1", "B2"}),
        ("packtrain carry observe lost --voyage sky-survey --case ", {"A", "B"}),
        ("packtrain pack sky-survey --replace B", {"B1=", "B2="}),
        ("packtrain lists add --voyage sky-survey --label o", {"own-list"}),
        ("packtrain rules show MT", set()),
        ("packtrain rules show SCR-", {"SCR-1", "SCR-2"}),
    ],
)
def test_fish_offers(home: Path, words: str, offered: set[str]) -> None:
    _needs("fish")
    ran = subprocess.run(
        ["fish", "--no-config", "-c", f'source {home / "fish"}; complete -C "{words}"'],
        cwd=home,
        env=_environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE_SECONDS,
    )

    found = {line.partition("\t")[0] for line in ran.stdout.splitlines()}
    assert found == offered if "SCR" not in words else found >= offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("load --voyage sky-survey --without ", {"A", "B", "A1", "A2", "B1", "B2"}),
        ("pack sky-survey --replace A", {"A1=", "A2="}),
        ("flags answer SCR-", {"SCR-1", "SCR-2"}),
        ("lists add --voyage sky-survey --label ", {"own-list"}),
        ("load --voyage nowhere --without ", set()),
        ("completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_is_told(home: Path, words: str, offered: set[str]) -> None:
    ran = _asked(home, words)

    found = {line.partition(",")[2] for line in ran.stdout.splitlines() if line}
    assert found >= offered if "SCR" in words else found == offered
    assert ran.stderr == ""


@pytest.mark.parametrize("broken", ["[drives]\ncase = 3", "case = [", "[[drives.case]]\ndrives = 7", "\udc80"])
def test_a_voyage_toml_that_nobody_can_read_offers_nothing(home: Path, tmp_path: Path, broken: str) -> None:
    (tmp_path / "voyage.toml").write_bytes(broken.encode(errors="surrogateescape"))

    ran = _asked(home, f"load --voyage {tmp_path} --without ")

    assert (ran.stdout.strip(), ran.stderr) == ("", "")


def test_a_tab_waits_for_nothing_heavy(home: Path) -> None:
    ran = _asked(home, "pack sky-survey --replace A", "-X", "importtime")

    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "packtrain.cli.completing" in imported
    assert not {name for name in imported if name.startswith(("packtrain.stages", "cryptography", "rich", "numpy"))}


def test_the_script_as_json(home: Path) -> None:
    document = json.loads(done("completion", "bash", "--json").stdout)

    assert document["shell"] == "bash"
    assert document["script"].strip() == (home / "bash").read_text().strip()


def _asked(home: Path, words: str, *options: str) -> subprocess.CompletedProcess[str]:
    line = f"packtrain {words}"
    asked = {
        "_PACKTRAIN_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - (not line.endswith(" "))),
        "PYTHONPATH": str(Path(package.__file__).parents[1]),
    }
    argv = [sys.executable, *options, "-m", "packtrain"]
    return subprocess.run(argv, cwd=home, env=os.environ | asked, capture_output=True, text=True, check=True)


def test_every_voyage_folder_is_completed_as_one() -> None:
    import click

    def commands(command: click.Command) -> list[click.Command]:
        if not isinstance(command, click.Group):
            return [command]
        context = click.Context(command)
        inner = [command.get_command(context, name) for name in command.list_commands(context)]
        return [command, *(one for each in inner if each is not None for one in commands(each))]

    from packtrain.cli.completing import voyage_folders

    folders = [(one.name, param) for one in commands(cli) for param in one.params if param.name == "folder"]
    assert len(folders) > 30
    # `init` makes one where there is none.
    assert {name for name, param in folders if param._custom_shell_complete is not voyage_folders} == {"init"}
