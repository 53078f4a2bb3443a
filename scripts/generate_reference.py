"""Writes the pages of docs/reference/ that the code knows best: exit codes, voyage.toml, command line, source tree.

And docs/spec/schema/: the JSON Schema of every document (document_schemas.py).

python scripts/generate_reference.py           write them
python scripts/generate_reference.py --check   write nothing; end with 1 if one is not as it would be written
"""

import ast
import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.inspect import (
    BoolType,
    Field,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

import docs_parts
import document_reference
import document_schemas
from packtrain import errors
from packtrain.cli.main import cli
from packtrain.diligence.rules.pack import BUILT_IN, built_in_pack
from packtrain.documents.voyage_file import VoyageFile
from packtrain.errors import PacktrainError
from python_reference import python_page

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PACKAGE = Path(__file__).parents[1] / "src" / "packtrain"
GENERATED = "Written by `scripts/generate_reference.py`; a test holds it against the code.\n"

MOST_EXAMPLES = 3

ENVIRONMENT = {
    "`DISPLAY`, `WAYLAND_DISPLAY`": "whether there is a display on which `serve --open` can open a browser",
    "`LC_ALL`, `LC_CTYPE`, `LANG`": "what `doctor` says of the locale",
    "`NO_COLOR`": "set to anything, `status` and progress are drawn without colours (no-color.org)",
    "`PACKTRAIN_LOADED_INDEX`": (
        "set by `train` for workers that read object storage: the SHA-256 of the index that `load` saw, and where"
    ),
    "`PACKTRAIN_SERVE_TOKEN`": "the token of `serve`, where `--token` is not given",
    "`PATH`": "finding other programs (age, ssh-keygen, smartctl, mkfs.ext4, uv, rsync) and the interpreters of a kit",
    "`RAY_ADDRESS`": "the cluster that `--engine ray` joins, where `ray_address` of voyage.toml says none",
    "`RAY_AUTH_MODE`": "`token`, or `train`, `load`, `prepare` and `inspect` warn that anybody on the network may join",
    "`SLURM_JOB_ID`, `SLURM_JOB_NODELIST`, `SLURM_NODEID`, `SLURMD_NODENAME`, `SLURM_LAUNCH_NODE_IPADDR`": (
        "where the job of `train` is, as Slurm tells its processes"
    ),
    "`SLURM_RESTART_COUNT`": "how often Slurm has put the job of `train` back",
    "`TERM`": "what a terminal can show: blocks of a QR code, pictures that are drawn over",
    "`TMPDIR`": "where files are put that are needed for a moment only",
    "the one that `[keys] passphrase_env` names": "the passphrase of a sealed key; you choose its name",
}
"""What packtrain reads of its environment, the training program's own variables aside."""

# Parameters of a rule pack that name country groups.
GROUP_NAMES = r'(?:group|adequate|unions) = (\[[^]]*\]|"[^"]+")'

# A pattern in words. A new one has to be named here, so that no regular expression ends up on the page.
PATTERNS = {
    r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}\Z": "name: letters, digits, space, `.` `_` `-`; at most 128",
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z": "label: letters, digits, `.` `_` `-`; at most 32",
    r"\A[^\x00]+\Z": "path",
    r"\A[0-9]{1,6}(\.[0-9]{1,6}){0,3}\Z": "version: `580.65`",
    r"\A[a-z][a-z0-9_]{0,63}\Z": "name: lower-case letters, digits and `_`",
    r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z": "day: `2026-12-01`",
    r"\Aage1[02-9ac-hj-np-z]{58}\Z": "`age1…`",
    r"\Assh-ed25519 [A-Za-z0-9+/]{68}\Z": "`ssh-ed25519 …`",
    r"\A(age1[02-9ac-hj-np-z]{58}|ssh-ed25519 [A-Za-z0-9+/]{68})\Z": "`age1…` or `ssh-ed25519 …`",
}


def exit_codes() -> str:
    """Return exit-codes.md, from the classes of errors.py and the comments that divide them into families."""
    families = dict(re.findall(r"^# --- (\d+): (.*?) -*$", inspect.getsource(errors), re.MULTILINE))
    classes = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, PacktrainError)]
    lines = [
        "# Exit codes\n",
        GENERATED,
        "A code means one thing for good: it is never given to another error. With `--json` an error is one",
        "JSON document on stdout: `error` (the name below), `exit_code`, `what`, `where`, `expected`, `found` and",
        "`hint`.\n",
        "| code | meaning |",
        "| --- | --- |",
        "| 0 | done, or nothing to do |",
        "| 1 | a defect in packtrain itself: please report it (`Defect` with `--json`) |",
        "| 2 | a wrong command line (`UsageError` with `--json`) |",
        f"| {errors.SystemRefused.exit_code} | `SystemRefused`: {_lower(_summary(errors.SystemRefused))} |",
        "| 130 | stopped by Ctrl-C (`Stopped` with `--json`); the same command goes on where it stopped |",
        "| 143 | stopped by SIGTERM; the same |",
        "| 129 | stopped by SIGHUP, by which a terminal that goes away ends its commands; the same |",
    ]
    starts = sorted(map(int, families))
    for first, after in itertools.zip_longest(starts, starts[1:], fillvalue=1000):
        title = families[str(first)]
        lines += [f"\n## {first}: {title}\n", "| code | name | meaning |", "| --- | --- | --- |"]
        for kind in sorted(classes, key=lambda kind: kind.exit_code):
            if kind is not PacktrainError and first <= kind.exit_code < after:
                lines.append(f"| {kind.exit_code} | `{kind.__name__}` | {_summary(kind)} |")
    return "\n".join(lines) + "\n"


def voyage_toml() -> str:
    """Return voyage-toml.md, from the records of documents/voyage_file.py and their docstrings."""
    lines = [
        "# voyage.toml\n",
        GENERATED,
        "What you write; `packtrain init` makes a first one. An unknown field is refused, with the nearest known one",
        "as a hint. Relative paths are taken from the voyage folder. A change makes those stages run again that read",
        "the field; `packtrain status` says which.",
    ]
    for record in _records(type_info(VoyageFile)):
        name, _, meaning = _summary(record.cls).partition(": ")
        meanings = _attributes(record.cls)
        lines += [f"\n## `{name}`\n", f"{meaning[0].upper()}{meaning[1:]}\n"]
        lines += ["| field | value | default | meaning |", "| --- | --- | --- | --- |"]
        for field in record.fields:
            text = re.sub(r"(\[+[\w.]+\]+|\{\w+\})", r"`\1`", meanings[field.name])
            text = f"{text[0].upper()}{text[1:]}"
            lines.append(f"| `{field.name}` | {_value(field.type)} | {_default(field)} | {text} |")
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Return cli.md, from the help of every command."""
    lines = [
        "# Command line\n",
        GENERATED,
        "What `packtrain VERB --help` prints, and lines of other pages that use it, with the page that explains them.",
        "[Exit codes](exit-codes.md); what holds for a whole voyage is set in [voyage.toml](voyage-toml.md).\n",
        "An option that is not given has the default that its text tells; where it tells none, nothing is set.",
        "None but `serve --token` is taken from the environment. These variables are read:\n",
        "| variable | for |",
        "| --- | --- |",
        *(f"| {name} | {meaning} |" for name, meaning in ENVIRONMENT.items()),
        "",
    ]
    told = docs_parts.examples()
    root = click.Context(cli, info_name="packtrain", terminal_width=100, help_option_names=["-h", "--help"])
    for command, context in every_command(cli, root):
        level = "##" if context.parent is None or context.parent.parent is None else "###"
        lines += [f"{level} {context.command_path}\n", "```text", command.get_help(context).rstrip(), "```\n"]
        shown = examples_of(command, context.command_path, told)
        lines += [f"- `{line}` ([{docs_parts.title(docs_parts.DOCS / page)}](../{page}))" for line, page in shown] + [
            ""
        ] * bool(shown)
    return "\n".join(lines)


def examples_of(command: click.Command, path: str, told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return lines of other pages that call a command, each with its page: the shortest, then what adds options."""
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return []
    inner = set(command.commands) if isinstance(command, click.Group) else set[str]()
    left = [(line, page) for line, page in told if f"{line} ".startswith(f"{path} ")]
    left = [(line, page) for line, page in left if not inner & set(line.removeprefix(path).split()[:1])]
    # Sentences name a verb without what it needs: they serve where no script has it.
    if any(len(line) > len(path) for line, _ in left):
        left = [(line, page) for line, page in left if len(line) > len(path)]
    chosen: list[tuple[str, str]] = sorted(left, key=lambda one: len(one[0]))[:1]
    while left and len(chosen) < MOST_EXAMPLES:
        seen = {word for line, _ in chosen for word in line.split() if word.startswith("--")}
        most = max(left, key=lambda one: len({word for word in one[0].split() if word.startswith("--")} - seen))
        if {word for word in most[0].split() if word.startswith("--")} <= seen:
            break
        chosen.append(most)
    return chosen


def source_tree() -> str:
    """Return source-tree.md: every folder and file of the package with the first line of its docstring."""
    lines = ["# Source tree\n", GENERATED, "From the ground up; [why it lies so](../explanation/design.md).\n"]
    lines += ["## packtrain\n", "| file | what it is |", "| --- | --- |"]
    lines += [f"| `{path.name}` | {_first_line(path)} |" for path in _modules(PACKAGE)]
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}):
        init = folder / "__init__.py"
        title = _first_line(init) if init.is_file() else ""
        lines += [f"\n## {folder.relative_to(PACKAGE).as_posix()}/\n", *([f"{title}\n"] if title else [])]
        files = _modules(folder)
        if files:
            lines += ["| file | what it is |", "| --- | --- |"]
            lines += [f"| `{path.name}` | {_first_line(path)} |" for path in files]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def rules() -> str:
    """Return rules.md: country groups, a site's policy, and every rule of the built-in pack."""
    pack = built_in_pack()
    text = (PACKAGE / "diligence" / "rules" / BUILT_IN).read_text(encoding="utf-8")
    groups = sorted({name for found in re.findall(GROUP_NAMES, text) for name in re.findall(r'"([^"]+)"', found)})
    lines = [
        "# Rules\n",
        GENERATED,
        f"Rule pack `{pack.id}` of {pack.date}, SHA-256 `{pack.sha256}`. {pack.about} Not legal advice;",
        "[what the levels mean, and who answers](../explanation/diligence.md).\n",
        "`verified`: the source, or a published text that reproduces it, was read. `recalled`: it could not be read",
        "again, and such a rule is never above FLAG. `design`: no legal text is claimed. A rule marked *full form* is",
        "not asked in the short form.\n",
        "## Country groups\n",
        "None comes with packtrain. The pack names " + ", ".join(f"`{name}`" for name in groups) + ".",
        "A rule that needs one which is not there says so, and holds the full form. `EU-CU` and `EU-ADEQUATE` only",
        "make things easier: without the customs union every border asks for a customs paper.\n",
        "```toml",
        "[[group]]",
        'name = "D5"',
        "as_of = 2026-11-20          # the day for which its publisher states it",
        'source = "where it was taken from"',
        'members = ["…", "…"]        # ISO 3166-1 alpha-2',
        "```\n",
        "## A site's policy\n",
        "`site.toml` raises, requires and shortens; anything milder than the pack is refused. All of it is optional:\n",
        "```toml",
        "max_list_age_days = 3       # on the day that a screening is signed",
        "max_group_age_days = 14",
        'required_lists = ["us-csl", "eu", "un"]',
        "[levels]",
        'FLAG = "HOLD"               # every FLAG of the pack is a HOLD here; recalled rules stay at FLAG',
        "[rules]",
        '"CUS-5" = "STOP"            # a rule, compared with its gravest case',
        '"PT-3.lost" = "HOLD"        # or one case of it',
        "[second_signer]",
        'levels = ["HOLD"]           # answers to these count when two persons signed one each',
        'rules = ["CUS-2"]',
        "```\n",
    ]
    for rule in pack.rules:
        days = [f"{word} {day}" for word, day in (("from", rule.in_force_from), ("to", rule.in_force_to)) if day]
        marks = [f"`{rule.mark}`", *(["*full form*"] if rule.is_full_only else []), *([" ".join(days)] if days else [])]
        lines += [
            f"## {rule.id}\n",
            f"{rule.title}.\n",
            "- " + "; ".join(f"{case}: **{level}**" for case, level in rule.levels.items()),
            "- " + ", ".join(marks),
            f"- {f'[{rule.source}]({rule.source_url})' if rule.source_url else rule.source}\n",
        ]
    return "\n".join(lines)


def _modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_bytes())) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


PAGES = {
    "exit-codes.md": exit_codes,
    "voyage-toml.md": voyage_toml,
    "cli.md": command_line,
    "documents.md": lambda: document_reference.page(GENERATED),
    "rules.md": rules,
    "source-tree.md": source_tree,
    "python.md": lambda: python_page(GENERATED),
}


def _lower(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:].removesuffix('.')}"


def _summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


def _attributes(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstring's `Attributes:` say, by field."""
    _, _, block = (inspect.getdoc(record) or "").partition("\nAttributes:\n")
    found: dict[str, str] = {}
    for line in block.splitlines():
        if match := re.match(r"    (\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif found and line.strip():
            found[list(found)[-1]] += f" {line.strip()}"
    return found


def _records(info: Type) -> Iterator[StructType]:
    """Yield the records of the file, each after the one that holds it, none twice; not the file itself."""
    seen: set[type] = set()

    def below(holder: Type) -> Iterator[StructType]:
        match holder:
            case StructType():
                if holder.cls not in seen:
                    seen.add(holder.cls)
                    yield holder
                    for field in holder.fields:
                        yield from below(field.type)
            case UnionType():
                for member in holder.types:
                    yield from below(member)
            case VarTupleType():
                yield from below(holder.item_type)
            case _:
                pass

    return (record for record in below(info) if record.cls is not VoyageFile)


def _value(info: Type) -> str:
    match info:
        case StructType():
            return "table"
        case UnionType():
            return " or ".join(_value(member) for member in info.types if not isinstance(member, NoneType))
        case VarTupleType():
            least = f", at least {info.min_length}" if info.min_length else ""
            return f"list: {_value(info.item_type)}{least}"
        case LiteralType():
            return ", ".join(f'`"{value}"`' for value in info.values)
        case StrType(pattern=str() as pattern):
            return PATTERNS[pattern]
        case StrType():
            return "text"
        case IntType() | FloatType():
            word = "integer" if isinstance(info, IntType) else "number"
            least = f"{info.ge:,}" if info.ge is not None else (f"over {info.gt:,}" if info.gt is not None else "")
            most = f" to {info.le:,}" if info.le is not None and info.le < 2**53 - 1 else " or more"
            return f"{word}, {least}{most}" if least else word
        case BoolType():
            return "`true` or `false`"
        case _:
            raise NotImplementedError(info)


def _default(field: Field) -> str:
    if field.required:
        return "required"
    value: Any = field.default
    if value is msgspec.NODEFAULT or value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f'`"{item}"`' for item in value)
    return f'`"{value}"`' if isinstance(value, str) else f"{value:,}"


def every_command(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command with its context. Verbs are imported when they are asked for: `commands` has none of them."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from every_command(inner, click.Context(inner, info_name=name, parent=context, terminal_width=100))


def main(arguments: list[str]) -> int:
    """Write or check the files; return the exit code."""
    wanted = {REFERENCE / name: make() for name, make in PAGES.items()}
    wanted |= {document_schemas.FOLDER / name: text for name, text in document_schemas.schema_files().items()}
    stale = [path for path, text in wanted.items() if _text(path) != text]
    strays = sorted(set(document_schemas.FOLDER.glob("*")) - set(wanted))
    for path in [*stale, *strays]:
        name = path.relative_to(REFERENCE.parents[1])
        if "--check" in arguments:
            print(f"{name} is not what the code says: run python scripts/generate_reference.py")
        elif path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {name}")
        else:
            path.unlink()
            print(f"removed {name}: there is no such document")
    return 1 if "--check" in arguments and (stale or strays) else 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
