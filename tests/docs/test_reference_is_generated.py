"""The reference pages say what the code says: a stale page fails here and is written anew by the script it names."""

import re
import subprocess
import sys
from pathlib import Path

import click

import docs_parts
import generate_reference
from document_schemas import document_types
from packtrain import errors
from packtrain.cli.main import cli
from packtrain.errors import PacktrainError

SCRIPT = Path(__file__).parents[2] / "scripts" / "generate_reference.py"


def test_the_reference_pages_are_as_the_script_writes_them() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_design_names_every_room_of_the_house() -> None:
    page = (SCRIPT.parents[1] / "docs" / "explanation" / "design.md").read_text()
    house = page.partition("## The house")[2].split("```")[1]
    source = docs_parts.ROOT / "src" / "packtrain"
    rooms = {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    rooms |= {path.name for path in source.glob("[a-z]*.py") if not path.name.startswith("verbs_of_")}

    assert rooms - set(house.split()) == set()


def test_every_error_stands_once_among_the_exit_codes() -> None:
    page = (SCRIPT.parents[1] / "docs" / "reference" / "exit-codes.md").read_text()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PacktrainError)]
    kinds.remove(PacktrainError)

    assert len(kinds) > 50
    assert {kind.__name__: page.count(f"`{kind.__name__}`") for kind in kinds} == {kind.__name__: 1 for kind in kinds}


def _commands() -> list[tuple[str, click.Command]]:
    found = generate_reference.every_command(cli, click.Context(cli, info_name="packtrain"))
    return [(context.command_path, command) for command, context in found]


def test_the_commands_are_all_verbs() -> None:
    assert len(_commands()) > 60


def test_every_option_with_a_default_tells_it() -> None:
    silent = [
        f"{path} {option.opts[0]}"
        for path, command in _commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag and option.to_info_dict()["default"]
        if not option.show_default and "default" not in (option.help or "")
    ]

    assert not silent


def test_one_option_is_taken_from_the_environment_and_what_is_read_of_it_is_listed() -> None:
    listed = set(re.findall(r"`([A-Z_]+)`", " ".join(generate_reference.ENVIRONMENT)))
    source = docs_parts.ROOT / "src" / "packtrain"
    # The reference program is told by its launcher; that is a contract of its own.
    texts = [path.read_text() for path in source.rglob("*.py") if "programs" not in path.parts]
    read = {name for text in texts for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', text)}

    assert read <= listed
    taken = {option.envvar: path for path, command in _commands() for option in command.params if option.envvar}
    assert taken == {"PACKTRAIN_SERVE_TOKEN": "packtrain serve"}
    assert set(taken) <= listed


def test_every_verb_has_an_example() -> None:
    told = docs_parts.examples()
    calls = [(p, c) for p, c in _commands() if not isinstance(c, click.Group) or c.invoke_without_command]

    assert [path for path, command in calls if not generate_reference.examples_of(command, path, told)] == []


def test_the_specification_names_every_document() -> None:
    page = (docs_parts.DOCS / "spec" / "documents.md").read_text()
    # Sealed in envelopes, and lines of a log: they are in the table by what they lie in.
    elsewhere = {"shipment-key": "shipment key (inside", "custody": "`custody.jsonl`", "custody-head": "`heads/"}
    elsewhere |= {"receipt": "| receipts |", "list": "/list.json`", "country-group": "`country-groups/"}
    for kind in (document.kind for document in document_types()):
        named = elsewhere.get(kind, f"`{kind}.json`")
        plural = f"`{kind}s/<digest>"
        assert named in page or plural in page, kind
