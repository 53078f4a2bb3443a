"""The `packtrain` command: finds the verb, turns errors into one message and one exit code."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
from typing import Any, Final

import click

from packtrain import __version__, process_end
from packtrain.cli.stopping import StopSignals, what_is_kept
from packtrain.errors import MissingDependency, PacktrainError, SystemRefused

_VERBS: Final[dict[str, tuple[str, str]]] = {
    "init": ("init", "make a voyage folder and its keys"),
    "plan": ("plan", "send or carry? choose groups and codes for the drives"),
    "measure": ("measure", "time this machine and its drives, for the plan"),
    "prepare": ("prepare", "turn tables, images and clips into training shards"),
    "look": ("look", "write a page of what was prepared, list what was not kept"),
    "withdraw": ("withdraw", "take sources out of the data set, list what they touched"),
    "lineage": ("lineage", "tell where a sample came from, or what became of a source"),
    "replay": ("replay", "print which samples a training step saw"),
    "kit": ("kit", "build the kit for the site's Python, show what is in it"),
    "rehearse": ("rehearse", "prove the training program at home, with no network"),
    "lists": ("lists", "add the lists of parties to screen against, show them"),
    "rules": ("rules", "show the rules a voyage is judged by, add country groups"),
    "declare": ("declare", "sign who ships what to whom, for which end use"),
    "screen": ("screen", "hold names and addresses against the lists, answer candidates"),
    "flags": ("flags", "run the rules over the signed papers, answer what they raise"),
    "pack": ("pack", "write the drives: encrypted, coded, read back, signed"),
    "check": ("check", "verify drives without any key"),
    "carry": ("carry", "seal cases, hand them over with two signatures"),
    "custody": ("custody", "tell the custody log, check it, sign its head, revoke a key"),
    "papers": ("papers", "write the papers for customs and the record, to print"),
    "dossier": ("dossier", "exchange signed documents with another party"),
    "admit": ("admit", "site operator: judge a dossier, release the key"),
    "load": ("load", "read the drives into the store, repairing on the way"),
    "inspect": ("inspect", "see whether the site's hosts are fit, before training there"),
    "train": ("train", "run the training program through failures"),
    "update": ("update", "mend the program after departure, signed by both ends"),
    "return": ("homecoming", "bring home the results, and only the results"),
    "close": ("close", "destroy the keys and close the record"),
    "drives": ("drives", "list, test, clear and format drives, print their labels"),
    "status": ("status", "show where the voyage stands"),
    "report": ("report", "write report.html"),
    "serve": ("serve", "show the voyage in a browser, live"),
    "audit": ("audit", "tell from the record alone what happened, list its faults"),
    "doctor": ("doctor", "tell whether this machine is ready, and what to mend"),
    "completion": ("completion", "print what makes bash, zsh or fish complete"),
    "demo": ("demo", "a whole voyage on real data, on this machine"),
    "boxed": ("boxed", ""),
    "run-attempt": ("run_attempt", ""),
    "run-units": ("run_units", ""),
    "run-workers": ("run_workers", ""),
}
"""verb -> (module under cli/verbs, one line of help). Here and not in the modules, so that --help imports none."""

_HINTS: Final[dict[int, str]] = {
    errno.EACCES: "give this user the right to it",
    errno.EPERM: "give this user the right to it",
    errno.EROFS: "mount it for writing",
    errno.EIO: "check the disk, its cable and the kernel log",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EMFILE: 'allow more open files ("ulimit -n")',
    errno.ENFILE: "close other programs: the machine has no more open files to give",
}
_NO_REFUSAL: Final = frozenset({errno.EBADF, errno.EFAULT, errno.ENOTTY})
"""What only a program's own mistake brings about."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verb, (_, help_text) in _VERBS.items() if help_text]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"packtrain.cli.verbs.{_VERBS[cmd_name][0]}")
        command: Any = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs, in the order of the voyage"):
            formatter.write_dl([(verb, text) for verb, (_, text) in _VERBS.items() if text])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each verb works in a voyage folder: its argument, or --voyage where it has others (default: the current "
    "one).\n\nExit codes: docs/reference/exit-codes.md",
)
@click.version_option(__version__, prog_name="packtrain")
@click.option("--debug", is_flag=True, help="Log details to stderr and show tracebacks.")
@click.option("--no-progress", is_flag=True, help="Leave out bars and lines of progress; warnings stay.")
def cli(debug: bool, no_progress: bool) -> None:
    """Carry a training set that is too big for the network to the machines that can train on it."""
    from packtrain.cli import terminal

    terminal.hide_progress(hidden=no_progress)
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="packtrain: %(name)s: %(message)s")


def main() -> None:
    """Run the command line; exit with the code of the error, if any."""
    try:
        _run()
    except SystemExit as end:
        process_end.end_if_left_behind(end.code)
        raise


def _run() -> None:
    from packtrain.cli import terminal

    as_json = "--json" in sys.argv
    signals = StopSignals()
    signals.take()
    try:
        if "_PACKTRAIN_COMPLETE" in os.environ:  # a shell asks for completions; click answers it
            cli.main(prog_name="packtrain")
        # Not by cli.main(): that takes every broken pipe, an engine's too, for a reader of stdout that went away.
        with cli.make_context("packtrain", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.print_help(error)
        sys.exit(2)
    except click.ClickException as error:
        terminal.print_usage_error(error, as_json=as_json)
        sys.exit(2)
    except PacktrainError as error:
        if "--debug" in sys.argv:
            logging.getLogger(__name__).exception("traceback")
        terminal.print_error(error, as_json=as_json)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        exit_code = signals.exit_code
        terminal.print_stopped(sys.argv[1:], what_is_kept(sys.argv[1:]), exit_code=exit_code, as_json=as_json)
        sys.exit(exit_code)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and terminal.reader_is_gone():  # `packtrain report --json | head`
            sys.exit(0)
        refused = _not_loaded(error) if isinstance(error, ImportError) else None
        refused = _refusal(error) if isinstance(error, OSError) else refused
        if refused is not None:
            if "--debug" in sys.argv:
                logging.getLogger(__name__).exception("traceback")
            terminal.print_error(refused, as_json=as_json)
            sys.exit(refused.exit_code)
        if "--debug" in sys.argv:
            raise
        terminal.print_defect(error, as_json=as_json)
        sys.exit(1)
    sys.exit(0)


def _not_loaded(error: ImportError) -> MissingDependency | None:
    """Return what the user is told where a library does not load; None where it is packtrain's own module."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "packtrain"):
        return None
    return MissingDependency(
        "a library that packtrain needs does not load",
        where=name,
        found=str(error).splitlines()[0][:200],
        hint='"packtrain doctor" says what is missing, and the command that installs it',
    )


def _refusal(error: OSError) -> SystemRefused | None:
    """Return what the user is told where the operating system refused something; None where packtrain is at fault."""
    # A library's OSError without a number is not the kernel's; a pipe or a connection was between our own processes.
    if error.errno is None or error.errno in _NO_REFUSAL or isinstance(error, ConnectionError):
        return None
    places = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    hint = _HINTS.get(error.errno, "mend what the system names")
    return SystemRefused(
        f"the operating system refused: {error.strerror or os.strerror(error.errno)}",
        where=" -> ".join(places) or None,
        hint=f"{hint}, then run the same command again; --debug shows what packtrain was doing",
    )
