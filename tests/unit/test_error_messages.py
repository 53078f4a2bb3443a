"""Every error in the source, whether a test meets it or not: its words have the form of the house, and it is raised."""

import ast
from functools import cache
from pathlib import Path

import pytest

import packtrain
from error_form import CLASSES, faults_of
from packtrain.errors import MachineUnready, PacktrainError, RecordFaulty, RecordUnvouched

SOURCE = Path(packtrain.__file__).parent
# Their codes are those of a verdict that is printed as an answer: nothing is raised.
VERDICTS = {RecordFaulty.__name__, RecordUnvouched.__name__, MachineUnready.__name__}


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _words(node: ast.expr) -> str:
    """Return the words of a literal; what is filled in is `{}`; empty for what is no literal."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    return ""


@cache
def _source() -> dict[str, str]:
    files = sorted(path for path in SOURCE.rglob("*.py") if path.name != "errors.py")
    return {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in files}


@cache
def _calls() -> list[tuple[str, str, ast.Call]]:
    return [
        (f"{name}:{node.lineno}", _name(node), node)
        for name, text in _source().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and _name(node) in CLASSES
    ]


def test_every_message_in_the_source_has_the_form_of_the_house() -> None:
    faults: list[str] = []
    num_read = 0
    for place, kind, call in _calls():
        keywords = {word.arg: _words(word.value) for word in call.keywords}
        what = _words(call.args[0]) if call.args else ""
        usual = CLASSES[kind].usual_hint
        if any(word.arg is None for word in call.keywords):
            continue
        hint = keywords.get("hint", usual) if keywords.get("hint", usual) != "" else "{}"
        faults += [f"{place}: {fault}" for fault in faults_of(what or "{}", None, hint)]
        num_read += bool(what)
    assert num_read > 700
    assert faults == []


def test_every_class_is_raised_somewhere() -> None:
    text = "\n".join(_source().values())
    raised = {name for _, name, _ in _calls()} | {name for name in CLASSES if f"{name} if " in text}
    assert CLASSES.keys() - raised == VERDICTS, "nothing raises it: delete it"
    assert all(f"{name}.exit_code" in text for name in VERDICTS)


def test_a_usual_hint_has_the_form_too_and_is_taken_where_no_other_is_given() -> None:
    for kind in CLASSES.values():
        assert kind.usual_hint is None or faults_of("{}", None, kind.usual_hint) == []
        assert kind("something").hint == kind.usual_hint
        assert kind("something", hint="do this").hint == "do this"
    assert PacktrainError("something").hint is None


@pytest.mark.parametrize(
    ("what", "hint", "fault"),
    [
        ("No such drive", "mount it", "begins with a capital"),
        ("no such drive.", "mount it", "ends with a full stop"),
        ("no such drive PosixPath('/mnt')", "mount it", 'shows "PosixPath("'),
        ("no such drive", None, "no hint"),
        ("", "mount it", "nothing is said"),
    ],
)
def test_what_breaks_the_form_is_told(what: str, hint: str | None, fault: str) -> None:
    assert any(fault in one.replace("'", '"') for one in faults_of(what, None, hint))
