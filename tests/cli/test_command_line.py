import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import click
import pytest

from packtrain import __version__
from packtrain.cli.verbs import status
from packtrain.errors import DriveFull

# What only some verbs need. rich is in no dependency list, so that nobody brings it in by the way.
HEAVY = ("torch", "pyarrow", "duckdb", "PIL", "av", "rich", "numpy", "cryptography", "ray", "hypothesis")


class Ran(Protocol):
    """What a command left behind; see conftest.py."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


def test_help_lists_the_verbs_in_the_order_of_the_voyage(packtrain: Run) -> None:
    ran = packtrain("--help")

    verbs = [line.split()[0] for line in ran.stdout.partition("Verbs")[2].splitlines()[1:37]]
    order = (
        "init plan measure prepare look withdraw lineage replay kit rehearse lists rules declare screen flags pack "
        "check carry custody papers dossier admit load inspect train update return close drives status report serve "
        "audit doctor completion demo"
    )
    assert verbs == order.split()
    assert (ran.exit_code, ran.stderr) == (0, "")


def test_the_hidden_command_stays_hidden(packtrain: Run) -> None:
    assert "boxed" not in packtrain("--help").stdout
    assert packtrain("boxed", "--help").exit_code == 0


def test_help_imports_nothing_heavy() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "packtrain", "--help"], capture_output=True, text=True, check=True
    )

    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("plan", "--bytes", "80", "TB", "--drives", "4"), "what is 'TB'?"),
        (("plan", "--bytes", "80TB", "--drives", "4", "--cases", "8"), "4 drives, 8 cases"),
        (("carry", "observe", "sighted"), "--case or --drive"),
        (("admit", "dossier", "drives/A1"), "each drive is named by --drive here"),
    ],
)
def test_a_slip_of_a_tired_hand_is_a_usage_error(packtrain: Run, words: tuple[str, ...], complaint: str) -> None:
    ran = packtrain(*words)
    assert ran.exit_code == 2
    assert complaint in ran.stderr


def test_version_is_printed(packtrain: Run) -> None:
    assert packtrain("--version").stdout == f"packtrain, version {__version__}\n"


def test_without_a_verb_the_help_is_shown_as_a_mistake(packtrain: Run) -> None:
    ran = packtrain()

    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("Usage: packtrain")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sail"], "packtrain: error: No such command 'sail'."),
        (["sttus"], "packtrain: error: No such command 'sttus'. Did you mean 'status'?"),
        (["plan", "--fast"], "packtrain: error: No such option '--fast'."),
        (["load"], "packtrain: error: Missing argument 'DRIVES...'."),
        (["init", "--role", "captain"], "packtrain: error: Invalid value for '--role'"),
        (["prepare", "--workers", "0"], "packtrain: error: Invalid value for '--workers'"),
        (["check"], "packtrain: error: name the drives, or --voyage FOLDER"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_points_to_help(
    packtrain: Run, arguments: list[str], message: str
) -> None:
    ran = packtrain(*arguments)

    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith(message)
    assert ran.stderr.splitlines()[-1].startswith("packtrain: hint: packtrain")
    assert ran.stderr.splitlines()[-1].endswith("--help")


@pytest.mark.parametrize("verb", [("screen",), ("flags",), ("flags", "show"), ("carry", "seal"), ("lists", "show")])
def test_a_folder_where_it_is_no_argument_is_told_where_it_goes(packtrain: Run, verb: tuple[str, ...]) -> None:
    ran = packtrain(*verb, "home")

    assert ran.exit_code == 2
    assert f"packtrain {' '.join(verb)} --voyage FOLDER" in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize("day", ["27.11.2026", "2026-13-01", "27/11/2026"])
def test_a_day_that_cannot_be_read_is_answered_with_how_days_are_written(packtrain: Run, day: str) -> None:
    ran = packtrain("lists", "add", "own.csv", "--format", "csv", "--label", "own", "--date", day)

    assert ran.exit_code == 2
    assert f"{day!r} is not written as YYYY-MM-DD, such as 2027-03-31" in ran.stderr


@pytest.mark.parametrize("missing", ["--person", "--because"])
def test_an_answer_without_words_is_none(packtrain: Run, missing: str) -> None:
    words = {"--person": "A. Able", "--because": "seen on site", missing: " "}
    ran = packtrain("flags", "answer", "DC-1", *(part for pair in words.items() for part in pair))

    assert ran.exit_code == 2
    assert f"Invalid value for '{missing}': it is empty" in ran.stderr


def test_an_error_is_one_line_and_a_hint_and_ends_with_its_code(packtrain: Run, tmp_path: Path) -> None:
    ran = packtrain("status", tmp_path)

    assert ran.exit_code == 11
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        f"packtrain: error: {tmp_path}: no voyage.toml in this folder",
        'packtrain: hint: make one with "packtrain init", or name the folder: as the argument, or by --voyage',
    ]


def test_check_of_a_voyage_folder_says_how_its_drives_are_named(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path / "home", "--name", "test")

    ran = packtrain("check", tmp_path / "home")
    assert ran.exit_code == 2
    assert f"is a voyage folder, not a drive; its drives: --voyage {tmp_path / 'home'}" in ran.stderr

    ran = packtrain("check", "--voyage", tmp_path / "home")
    assert ran.exit_code == 10
    assert "no drives are named" in ran.stderr


def test_an_error_with_json_is_one_document_on_stdout(packtrain: Run, tmp_path: Path) -> None:
    ran = packtrain("status", tmp_path, "--json")

    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["exit_code"], document["error"]) == (11, 11, "NotAVoyage")
    assert set(document) == {"error", "exit_code", "what", "where", "expected", "found", "hint"}
    assert ran.stderr.startswith("packtrain: error: ")


def test_init_makes_a_folder_and_prints_the_public_page(packtrain: Run, tmp_path: Path) -> None:
    ran = packtrain("init", tmp_path / "v", "--name", "sky survey", "--role", "operator", "--json")

    document = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert document["role"] == "operator"
    assert document["party"] == (tmp_path / "v" / "keys" / "party.toml").read_text()
    assert "AGE-SECRET-KEY" not in ran.stdout + ran.stderr
    assert 'name = "sky survey"' in (tmp_path / "v" / "voyage.toml").read_text()


def test_init_twice_is_refused(packtrain: Run, tmp_path: Path) -> None:
    assert packtrain("init", tmp_path).exit_code == 0
    assert packtrain("init", tmp_path).exit_code == 16


def test_status_of_a_new_voyage_lists_every_stage_of_the_role(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path)

    ran = packtrain("status", tmp_path, "--json")

    stages = [row["stage"] for row in json.loads(ran.stdout)["stages"]]
    assert stages == ["plan", "prepare", "rehearse", "declare", "screen", "flags", "pack", "seal", "return", "close"]


def test_status_of_a_consignee_draws_the_last_training(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path, "--role", "consignee")
    assert "training" not in packtrain("status", tmp_path).stdout.splitlines()
    log = tmp_path / "logs" / "train" / "steps.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"[{1 + (i > 20)}, {i}, {4 - i / 10}, 8, {i}.5]\n" for i in range(1, 31)))

    text, document = packtrain("status", tmp_path).stdout, json.loads(packtrain("status", tmp_path, "--json").stdout)

    assert "training\nstep 30  loss 1.0000  attempt 2  1 steps/s, 8 samples/s" in text
    assert all(len(line) < 100 for line in text.splitlines())
    assert (document["training"]["last_step"], document["training"]["samples"]) == (30, 240)
    assert [attempt["first_step"] for attempt in document["training"]["attempts"]] == [1, 21]


def test_a_verb_of_another_party_is_refused(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path, "--role", "operator")

    ran = packtrain("plan", tmp_path)

    assert ran.exit_code == 15
    assert "belongs to another party" in ran.stderr
    assert ran.stderr.splitlines()[-1] == "packtrain: hint: run it in the consignor's voyage folder"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (
            ("carry", "seal"),
            "the consignor's voyage folder; the operator's own steps of \"carry\" are release, accept,",
        ),
        (("return", "export"), "the consignee's voyage folder; the operator's own steps of \"return\" are release"),
        (
            ("return", "accept", "x"),
            "the consignor's voyage folder; the operator's own steps of \"return\" are release",
        ),
    ],
)
def test_a_step_of_another_party_says_whose_it_is_and_which_are_ones_own(
    packtrain: Run, tmp_path: Path, arguments: tuple[str, ...], hint: str
) -> None:
    packtrain("init", tmp_path, "--role", "operator")

    ran = packtrain(*arguments, "--voyage", tmp_path)

    assert ran.exit_code == 15
    assert f'"{arguments[0]} {arguments[1]}" belongs to another party' in ran.stderr
    assert f"packtrain: hint: run it in {hint}" in ran.stderr


def test_the_custody_log_of_a_new_voyage_is_an_empty_list(packtrain: Run, tmp_path: Path) -> None:
    packtrain("init", tmp_path)

    assert json.loads(packtrain("custody", "show", "--voyage", tmp_path, "--json").stdout) == []


def test_a_locked_voyage_is_a_message(packtrain: Run, tmp_path: Path) -> None:
    from packtrain import durable

    packtrain("init", tmp_path)
    with durable.lock_folder(tmp_path):
        ran = packtrain("declare", tmp_path)

    assert ran.exit_code == 13


def test_the_code_that_a_verb_asks_for_is_the_code_of_the_process(
    packtrain: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def command() -> None:
        raise click.exceptions.Exit(41)

    monkeypatch.setattr(status, "command", command)

    assert packtrain("status").exit_code == 41


@pytest.mark.parametrize(
    ("raised", "exit_code", "message"),
    [
        (DriveFull("no space left"), 31, "packtrain: error: no space left"),
        (
            KeyboardInterrupt(),
            130,
            "packtrain: stopped by Ctrl-C: what was finished is kept; to go on: packtrain status",
        ),
        (click.Abort(), 130, "packtrain: stopped by Ctrl-C"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/a"),
            3,
            "packtrain: error: /data/a: the operating system refused: Permission denied\n"
            "packtrain: hint: give this user the right to it, then run the same command again",
        ),
        (OSError(errno.EIO, "Input/output error"), 3, "packtrain: error: the operating system refused: Input/output"),
        (OSError(errno.EROFS, "Read-only file system", b"/mnt", None, "/b"), 3, "packtrain: error: /mnt -> /b: the"),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, "packtrain: error: defect in packtrain: OSError"),
        (OSError("cannot identify image"), 1, "packtrain: error: defect in packtrain: OSError"),
        (BrokenPipeError(32, "of a worker"), 1, "packtrain: error: defect in packtrain: BrokenPipeError"),
        (ZeroDivisionError("by zero"), 1, "packtrain: error: defect in packtrain: ZeroDivisionError: by zero"),
    ],
)
def test_whatever_a_verb_raises_ends_with_one_message_and_one_code(
    packtrain: Run, monkeypatch: pytest.MonkeyPatch, raised: BaseException, exit_code: int, message: str
) -> None:
    @click.command()
    def command() -> None:
        raise raised

    monkeypatch.setattr(status, "command", command)
    ran = packtrain("status")

    assert ran.exit_code == exit_code
    assert ran.stderr.startswith(message)
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "what", "where"),
    [
        (["sail"], "No such command 'sail'.", "packtrain"),
        (["plan", "--quickly"], "No such option '--quickly'.", "packtrain plan"),
    ],
)
def test_a_wrong_command_line_with_json_is_one_document_on_stdout(
    packtrain: Run, arguments: list[str], what: str, where: str
) -> None:
    ran = packtrain(*arguments, "--json")

    assert ran.exit_code == 2
    assert json.loads(ran.stdout) == {
        "error": "UsageError",
        "exit_code": 2,
        "what": what,
        "where": where,
        "expected": None,
        "found": None,
        "hint": f"{where} --help",
    }


@pytest.mark.parametrize(
    ("raised", "name", "exit_code"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/data/a"), "SystemRefused", 3),
        (ZeroDivisionError("by zero"), "Defect", 1),
    ],
)
def test_what_no_verb_foresaw_is_one_document_with_json(
    packtrain: Run, monkeypatch: pytest.MonkeyPatch, raised: Exception, name: str, exit_code: int
) -> None:
    @click.command()
    @click.option("--json", is_flag=True)
    def command(json: bool) -> None:
        raise raised

    monkeypatch.setattr(status, "command", command)
    ran = packtrain("status", "--json")

    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["error"], document["exit_code"]) == (exit_code, name, exit_code)
    assert set(document) == {"error", "exit_code", "what", "where", "expected", "found", "hint"}


def test_debug_shows_the_traceback_of_an_error(packtrain: Run, tmp_path: Path) -> None:
    assert (
        "Traceback"
        in subprocess.run(
            [sys.executable, "-m", "packtrain", "--debug", "status", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m packtrain --help | true; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)

    assert ran.stdout == "0\n"
    assert ran.stderr == ""


def test_a_shell_can_ask_for_completions() -> None:
    asked = {
        "_PACKTRAIN_COMPLETE": "bash_complete",
        "COMP_WORDS": "packtrain pac",
        "COMP_CWORD": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "packtrain"], env=os.environ | asked, capture_output=True, text=True, check=False
    )

    assert ran.stdout == "plain,pack\n"


def test_sigterm_ends_like_ctrl_c_with_the_code_of_its_own(tmp_path: Path) -> None:
    code = "import time; from packtrain.cli import main as m; from packtrain.cli.verbs import status; import click\n"
    code += "@click.command()\ndef command():\n    print('here', flush=True)\n    time.sleep(60)\n"
    code += "status.command = command\nm.main()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    os.kill(child.pid, signal.SIGTERM)
    _, stderr = child.communicate(timeout=20)

    assert child.returncode == 143
    assert stderr.startswith("packtrain: stopped by SIGTERM")
