"""How drives are named on the command line: a folder of drives is none, a drive for another is LABEL=PATH."""

from pathlib import Path

import pytest

from command_parts import packtrain


@pytest.fixture
def drives(tmp_path: Path) -> Path:
    """Return a folder that holds something with the plan of a drive."""
    plan = tmp_path / "drives" / "a1" / "packtrain" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_bytes(b"{}")
    return tmp_path / "drives"


@pytest.mark.parametrize(
    "arguments",
    [("check", "HERE"), ("check", "HERE", "--repair"), ("load", "HERE"), ("admit", "dossier", "--drive", "HERE")],
)
def test_a_folder_of_drives_is_named_as_one(drives: Path, arguments: tuple[str, ...]) -> None:
    ran = packtrain(*(drives if word == "HERE" else word for word in arguments))

    assert ran.exit_code == 2
    assert f"{drives} is no drive, it holds drives: did you mean {drives}/*?" in ran.stderr


def test_a_drive_is_taken_as_one_whatever_lies_on_it(drives: Path) -> None:
    ran = packtrain("check", drives / "a1")

    assert ran.exit_code == 41
    assert "did you mean" not in ran.stderr + ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("pack", "--replace", "A1"),
        ("pack", "--replace", "A1="),
        ("check", "HERE", "--repair", "--onto", "=x"),
    ],
)
def test_a_drive_for_another_is_a_label_and_a_path(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = packtrain(*(tmp_path if word == "HERE" else word for word in arguments))

    assert ran.exit_code == 2
    assert "LABEL=PATH" in ran.stderr
