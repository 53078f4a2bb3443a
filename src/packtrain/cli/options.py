"""Arguments and options that several verbs share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from packtrain.cli.columns import table
from packtrain.cli.completing import voyage_folders
from packtrain.cli.terminal import Terminal, answer
from packtrain.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from packtrain.documents.receipt import Receipt
    from packtrain.voyage import Voyage

folder_argument = click.argument("folder", type=click.Path(path_type=Path), default=".", shell_complete=voyage_folders)
folders_argument = click.argument("folders", nargs=-1, type=click.Path(path_type=Path), shell_complete=voyage_folders)
voyage_option = click.option(
    "--voyage",
    "folder",
    type=click.Path(path_type=Path),
    default=".",
    shell_complete=voyage_folders,
    help="The voyage folder (default: this one).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


steps_option = click.option("--steps", type=click.IntRange(1), help="How many steps were trained.")


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what can be said of a training; without it the voyage folder is asked."""
    for option in (
        click.option("--order", type=click.Choice(["random", "block"]), help="Order of the samples."),
        click.option("--global-batch", type=click.IntRange(1), help="Samples of a step, over all workers."),
        click.option("--seed", type=click.IntRange(0), help="Seed of the training."),
    ):
        command = option(command)
    return command


def file_to_write(into: str | Path) -> Path:
    """Return the path that --into names; a usage error where no file can be written there.

    What is there and is no file (a device, a pipe) would be replaced by one.
    """
    path = Path(into).absolute()
    if not path.parent.is_dir() or (path.exists() and not path.is_file()):
        raise click.UsageError(f"--into names the file to write, in a folder that is there: {into}")
    return path


class _LabelledPath(click.ParamType[tuple[str, Path]]):
    """A drive's label and where a drive is mounted, as one word: A3=/mnt/spare."""

    name = "label=path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Return label and absolute path."""
        label, equals, path = str(value).partition("=")
        if not (label and equals and path):
            self.fail("say which drive, and where the other is mounted: LABEL=PATH", param, ctx)
        return label, Path(path).absolute()


LABELLED_PATH: Final = _LabelledPath()


class _When(click.DateTime):
    """A day, or an instant where `with_time` is set, in the one way of writing it that nobody reads differently."""

    def __init__(self, *, with_time: bool = False) -> None:
        super().__init__(["%Y-%m-%d", *(["%Y-%m-%dT%H:%M:%SZ"] if with_time else [])])
        self._written = "YYYY-MM-DD" + (" or YYYY-MM-DDTHH:MM:SSZ" if with_time else "")

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what stands for a value in the help."""
        return self._written.replace(" or ", "|")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the day as a datetime."""
        with contextlib.suppress(click.BadParameter):
            found = super().convert(value, param, ctx)
            assert isinstance(found, datetime)
            return found
        self.fail(f"{value!r} is not written as {self._written}, such as 2027-03-31", param, ctx)


class _Words(click.ParamType[str]):
    """A text that says something."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text without blanks around it."""
        return str(value).strip() or self.fail("it is empty: say it in words", param, ctx)


DAY: Final = _When()
DAY_OR_INSTANT: Final = _When(with_time=True)
WORDS: Final = _Words()


def no_folder_of_drives(ctx: click.Context, param: click.Parameter | None, value: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the paths of drives as they were given.

    Raises:
        UsageError: one is no drive, but a folder that holds drives.
    """
    from packtrain.volume import layout

    for path in value:
        with contextlib.suppress(OSError):
            if not (path / layout.PLAN).is_file() and any((inner / layout.PLAN).is_file() for inner in path.iterdir()):
                raise click.UsageError(f"{path} is no drive, it holds drives: did you mean {path}/*?", ctx)
    return value


class InOrder(click.Group):
    """A verb of several steps, which its help lists in the order they are taken."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names as they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each step with its whole sentence: click would cut it at 45 characters."""
        with formatter.section("Steps"):
            formatter.write_dl([(name, step.get_short_help_str(200)) for name, step in self.commands.items()])


def open_voyage(folder: Path, terminal: Terminal | None = None) -> Voyage:
    """Return the voyage in `folder`, its events shown on this terminal."""
    from packtrain.voyage import Voyage  # a shell that completes a verb waits for what is imported above

    terminal = terminal or Terminal()
    return Voyage(folder, terminal, terminal.ask_passphrase)


def answer_receipt(receipt: Receipt, *, as_json: bool) -> None:
    """Print what a stage did: its counts and facts, or the whole receipt with --json."""
    import msgspec

    answer(receipt_text(receipt), msgspec.to_builtins(receipt), as_json=as_json)


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt as aligned text: bytes in decimal units, names with spaces."""
    rows = [
        (
            name.replace("_", " "),
            format_bytes(value) if name.startswith("bytes_") or name.endswith("_bytes") else f"{value:,}",
        )
        for name, value in receipt.counts.items()
    ]
    rows += [(name.replace("_", " "), text) for name, text in receipt.facts.items()]
    rows.append(("time", format_seconds(receipt.seconds)))
    return f"{receipt.stage}\n{table(rows)}"
