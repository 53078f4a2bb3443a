"""QR codes on the command line: --qr writes or shows one, --scan takes one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from packtrain.cli.terminal import answer

_ENDINGS = (".png", ".svg")
_MAX_TYPED = 8192


def qr_target(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return where the code goes: a file of PNG or SVG, or "-"; anything else is a usage error."""
    if value is None or value == "-" or value.lower().endswith(_ENDINGS):
        return value
    raise click.BadParameter("a QR code is written as FILE.png or FILE.svg, or shown with -", ctx, param)


def scanned(path: Path | None, scan: str | None) -> str | None:
    """Return the text of the code that was given, None where a file was; exactly one of the two must be.

    Raises:
        UsageError: none, or both.
        CodeUnreadable, StageNotReady, MissingDependency: see `read_scan`.
    """
    if (path is None) == (scan is None):
        raise click.UsageError("name the file that the other side wrote, or --scan its code")
    if scan is None:
        return None
    from packtrain.diligence.qr_codes import read_scan

    return read_scan(sys.stdin.readline(_MAX_TYPED) if scan == "-" else scan)


def answer_code(
    done: str, next_verb: str, file: Path | None, code: str | None, picture: str | None, *, as_json: bool
) -> None:
    """Print what was written, and what the other side runs; write the picture, or show the code as blocks.

    Args:
        done: released, accepted or adopted.
        next_verb: what the other side runs.
        file: the hand-over or answer file, if one was written.
        code: the text of the code, if one was asked for.
        picture: where it goes, or "-".
        as_json: print one JSON document.
    """
    lines = [done]
    # Who accepts has to say how the answer goes back; a command that is told runs as it stands.
    by_file, by_code = (" --into ANSWER", " --qr -") if next_verb.endswith(" accept") else ("", "")
    if file is not None:
        lines.append(f"file {file}; the other side runs: {next_verb} {file.name}{by_file}")
    if code is not None and picture is not None:
        from packtrain.diligence.qr_codes import code_blocks, write_code

        if picture == "-":
            lines.append(f"code; the other side runs: {next_verb} --scan PICTURE{by_code}")
            lines.append(code_blocks(code))
        else:
            path = write_code(code, Path(picture))
            lines.append(f"code {path}; the other side runs: {next_verb} --scan {path.name}{by_code}")
        lines.append(code)
    document = {"file": str(file) if file is not None else None, "code": code, "picture": picture}
    answer("\n".join(lines), document, as_json=as_json)
