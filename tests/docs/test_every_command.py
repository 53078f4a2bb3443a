"""No command of the documentation can be wrong unseen.

Every packtrain command, in a fenced block or in a sentence, is held against the verbs and options that there are. Every
`sh` or `python` block is run by a test that is named here, or is named here with the reason why none runs it. `console`
blocks show what is typed at a place that tests have none of: another machine, a device, a network.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from docs_parts import ROOT, Block, blocks, commands, pages, spans
from packtrain.cli.main import cli

HOW_TO = "docs/how-to/"
# Pages of which a test runs each block of the language, and the test.
RUN = {
    ("docs/tutorial/first-voyage.md", "sh"): "tests/demo/test_demo.py",
    ("docs/explanation/the-reported-voyage.md", "sh"): "tests/docs/test_reported_voyage_page.py",
    (HOW_TO + "add-a-kind.md", "python"): "tests/docs/test_add_a_kind_page.py",
    (HOW_TO + "adopt-ready-shards.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "audit-a-voyage.md", "sh"): "tests/docs/test_audit_page.py",
    (HOW_TO + "be-the-site-operator.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "bring-results-home.md", "sh"): "tests/docs/test_bring_results_home.py",
    (HOW_TO + "measure-before-you-plan.md", "sh"): "tests/docs/test_measure_page.py",
    (HOW_TO + "bring-your-own-program.md", "python"): "tests/docs/test_bring_your_own_program.py",
    (HOW_TO + "carry-over-a-border.md", "sh"): "tests/docs/test_border_page.py",
    (HOW_TO + "eight-bays-sixty-drives.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "hand-over-cases.md", "sh"): "tests/docs/test_hand_over_page.py",
    (HOW_TO + "load-in-waves.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "look-at-your-data.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "mend-a-damaged-drive.md", "sh"): "tests/docs/test_drives_how_to.py",
    (HOW_TO + "mend-the-program.md", "sh"): "tests/docs/test_mend_the_program_page.py",
    (HOW_TO + "pack-any-folder.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "read-with-other-tools.md", "python"): "tests/docs/test_read_with_other_tools.py",
    (HOW_TO + "read-with-other-tools.md", "sh"): "tests/docs/test_read_with_other_tools.py",
    (HOW_TO + "restore-without-packtrain.md", "sh"): "tests/docs/test_drives_how_to.py",
    (HOW_TO + "screen-the-parties.md", "sh"): "tests/docs/test_screening_page.py",
    (HOW_TO + "send-or-carry.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "train-on-a-ray-or-slurm-site.md", "sh"): "tests/docs/test_train_on_a_site_page.py",
    (HOW_TO + "watch-a-voyage.md", "sh"): "tests/docs/test_how_to.py",
    (HOW_TO + "use-from-python.md", "python"): "tests/docs/test_use_from_python.py",
    (HOW_TO + "withdraw-a-source.md", "sh"): "tests/docs/test_withdraw_page.py",
    (HOW_TO + "your-own-data.md", "sh"): "tests/docs/test_how_to.py",
}
# Blocks that no test runs as they stand, by how their first line begins: why, and what shows it instead.
NOT_RUN = {
    "packtrain doctor": "finds what this machine has; tests/cli/test_doctor.py",
    "packtrain completion bash": "changes the shell of who types it; tests/cli/test_completion.py",
    "make demo": "sets a machine up from the network; `make test` runs the same demo (tests/demo/test_demo.py)",
    "packtrain drives\npacktrain drives sanitise": "needs root and a drive; tests/cli/test_sanitise.py",
    "packtrain drives  ": "run, but for what it finds: tests/docs/test_drives_how_to.py, tests/unit/devices",
    "packtrain drives --dip-test": "needs drives, and ten minutes; on loop devices: tests/unit/devices",
    "packtrain drives format": "needs root and a drive; on loop devices: tests/unit/devices",
    "packtrain drives labels": "needs a packed voyage at that place; tests/cli/test_drives.py",
    "umount /mnt/a1": "needs root and a drive; on loop devices: tests/cli/test_sanitise.py",
    "packtrain close hall": "goes on after drives were erased; tests/unit/stages/test_close.py",
    "for name, tensor in": "prints names of your own model; what it prints is read by tests/unit/training",
    "from packtrain.training.loader": "a piece of a program; tests/unit/training runs each of these calls",
}
ALL = [block for page in pages() for block in blocks(page)]


def _where(block: Block) -> str:
    return f"{block.page}:{block.line}"


def _command_of(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    command: click.Command = cli
    context = click.Context(cli, info_name="packtrain")
    while isinstance(command, click.Group) and words and not words[0].startswith(("$", "-")):
        inner = command.get_command(context, words[0])
        if inner is None:
            # Groups such as `screen` are verbs by themselves; what follows is then an option or an argument of theirs.
            if command is cli or not (command.invoke_without_command or command.params):
                raise click.UsageError(f"no verb {words[0]!r} of {context.command_path!r}")
            break
        context = click.Context(inner, info_name=words[0], parent=context)
        command, words = inner, words[1:]
    return command, context, words


def _options(command: click.Command, context: click.Context) -> set[str]:
    return {"--help", *(name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts))}


def _is_told(value: object) -> bool:
    """Return whether a value is one that can be held against its type: no variable, no placeholder."""
    return isinstance(value, str) and not re.search(r"[$…]|\.\.\.", value) and not re.fullmatch(r"[A-Z_]+", value)


def fault(words: list[str], *, strict: bool) -> str:
    """Return what is wrong with the words after `packtrain`, or nothing.

    Args:
        words: verb, options, arguments.
        strict: whether what the command needs must be there, and each value must be one of its kind. In a sentence only
            verb and options are held against the code.
    """
    try:
        command, context, rest = _command_of(words)
        if not strict:
            for word in rest:
                if word.startswith("--"):
                    name = word.partition("=")[0]
                    if name not in _options(command, context):
                        return f"{context.command_path} has no option {name}"
            return ""
        parsed: dict[str, Any]
        parsed, left, _ = command.make_parser(context).parse_args(list(rest))
        # What a substitution gives is not known here: options, or arguments.
        left = [word for word in left if word != "$SUBSTITUTED"]
        if left and not isinstance(command, click.Group):
            return f"too many arguments: {left}"
        for param in command.get_params(context):
            value = parsed.get(param.name or "")
            given = isinstance(value, (str, list, tuple, bool, int)) and value not in ((), [])
            if param.required and not given:
                return f"{param.get_error_hint(context)} is missing"
            if not given or isinstance(param.type, (click.Path, click.File)):
                continue
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if _is_told(one):
                    param.type(one, param=param, ctx=context)
    except click.UsageError as error:
        return error.format_message()
    return ""


def test_every_command_in_a_fenced_block_is_one_that_packtrain_takes() -> None:
    found = [(block, words) for block in ALL for words in commands(block.text)]
    wrong = [f"{_where(block)}: packtrain {' '.join(w)}: {why}" for block, w in found if (why := fault(w, strict=True))]

    assert len(found) > 200
    assert not wrong, "\n".join(wrong)


def test_every_command_in_a_sentence_has_verbs_and_options_that_there_are() -> None:
    found = [(page, span.split()[1:]) for page in pages() for span in spans(page) if span.startswith("packtrain ")]
    # `VERB` stands for any verb.
    found = [(page, words) for page, words in found if words[0] not in ("VERB", "...")]
    wrong = [
        f"{page.relative_to(ROOT)}: packtrain {' '.join(words)}: {why}"
        for page, words in found
        if (why := fault([word.strip(",;") for word in words], strict=False))
    ]

    assert len(found) > 50
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("frobnicate home", "no verb 'frobnicate'"),
        ("carry seale --voyage home", "no verb 'seale'"),
        ("pack --acept-losses home", "No such option"),
        ("prepare --engine spark", "is not one of"),
        ("plan --drives many", "is not a valid"),
        ("carry release --voyage home", "is missing"),
        ("pack home hall", "too many arguments"),
    ],
)
def test_a_wrong_command_would_be_seen(line: str, told: str) -> None:
    (words,) = commands(f"$ packtrain {line} > out.txt && true")

    assert told in fault(words, strict=True)


def test_every_block_of_a_script_is_run_by_a_test_or_has_a_reason_why_not() -> None:
    unknown: list[str] = []
    used: set[str] = set()
    for block in ALL:
        if block.language not in ("sh", "python") or (block.page, block.language) in RUN:
            continue
        begins = {name for name in NOT_RUN if block.text.startswith(name)}
        used |= begins
        if not begins:
            unknown.append(f"{_where(block)}: {block.first}")

    assert not unknown, "no test is named for these:\n" + "\n".join(unknown)
    assert used == set(NOT_RUN), "these rows belong to no block any more"


def test_the_tests_that_are_named_are_there_and_name_their_page() -> None:
    held = {(block.page, block.language) for block in ALL}
    assert not set(RUN) - held, "these pages have no such block any more"
    for (page, _), test in RUN.items():
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8"), f"{test} does not read {page}"
    for reason in NOT_RUN.values():
        for name in re.findall(r"tests/[\w/.]*\w", reason):
            assert (ROOT / name).exists(), name


def test_every_block_of_toml_or_json_is_well_formed() -> None:
    for block in ALL:
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            msgspec.json.decode(block.text)


def test_every_block_of_python_is_python() -> None:
    for block in ALL:
        if block.language == "python":
            compile(textwrap.dedent(block.text), _where(block), "exec")


def test_a_command_stands_in_a_block_that_is_run_or_behind_a_prompt() -> None:
    known = {"", "sh", "console", "text", "toml", "json", "python", "yaml"}
    assert {block.language for block in ALL} <= known
    hidden = [_where(block) for block in ALL if block.language not in ("sh", "console") and any(commands(block.text))]

    assert not hidden, "a reader would type these: sh if a test runs them, else console"


def test_every_command_that_packtrain_names_itself_is_one_that_it_takes() -> None:
    wrong: list[str] = []
    num_found = 0
    for path in sorted((ROOT / "src" / "packtrain").rglob("*.py")):
        for text in _texts(ast.parse(path.read_bytes())):
            for told in re.findall(r'["`]packtrain ([a-z][^"`]*)["`]', " ".join(text.split())):
                num_found += 1
                why = fault([word.strip(",;") for word in told.split()], strict=False)
                wrong += [f"{path.relative_to(ROOT)}: packtrain {told}: {why}"] if why else []

    assert num_found > 50
    assert not wrong, "\n".join(wrong)


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield what a module may say to people: its strings but for docstrings, with `$X` for what is filled in."""
    told_to_nobody = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "$X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told_to_nobody:
            yield node.value
