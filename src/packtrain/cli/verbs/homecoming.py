"""packtrain return export | release | pieces | gather | accept | sign-model"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.columns import table
from packtrain.cli.options import InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.units import GIB, MIB, format_bytes, parse_bytes

_SMALLEST_PIECE_BYTES, _LARGEST_PIECE_BYTES = MIB, 4 * GIB


def _piece_bytes(ctx: click.Context, param: click.Parameter, value: str) -> int:
    try:
        size_bytes = parse_bytes(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    # Whole mebibytes: file systems that share blocks share whole ones only.
    if not _SMALLEST_PIECE_BYTES <= size_bytes <= _LARGEST_PIECE_BYTES or size_bytes % MIB:
        raise click.BadParameter("a piece has a whole number of mebibytes, 1MiB to 4GiB", ctx, param)
    return size_bytes


@click.group("return", cls=InOrder)
def command() -> None:
    """Bring home the results and only the results: declared tensors and small text."""


@command.command("export")
@voyage_option
@json_option
def export(folder: Path, as_json: bool) -> None:
    """Consignee: put the declared results into outbox/, each file sealed to the consignor."""
    answer_receipt(open_voyage(folder).export_results(), as_json=as_json)


@command.command("release")
@click.argument("outbox", type=click.Path(path_type=Path))
@voyage_option
@json_option
def release(outbox: Path, folder: Path, as_json: bool) -> None:
    """Operator: check the export list of OUTBOX and countersign it."""
    answer_receipt(open_voyage(folder).release_results(outbox), as_json=as_json)


@command.command("pieces")
@click.option(
    "--size",
    "piece_bytes",
    default="64MiB",
    show_default=True,
    callback=_piece_bytes,
    help="Bytes of a piece. What a cut link costs is at most one: 64MiB to 256MiB suit most links.",
)
@voyage_option
@json_option
def pieces(piece_bytes: int, folder: Path, as_json: bool) -> None:
    """Consignee: cut the released outbox into outbox-pieces/, for a link that breaks."""
    done = open_voyage(folder).cut_results(piece_bytes)
    rows = [("pieces", f"{done.num_pieces:,}"), ("bytes", format_bytes(done.total_bytes)), ("folder", str(done.folder))]
    answer(f"pieces\n{table(rows)}", done.to_dict(), as_json=as_json)


@command.command("gather")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--consume",
    is_flag=True,
    help="Remove the pieces of each file that is joined: room for one file more is enough then.",
)
@voyage_option
@json_option
def gather(folders: tuple[Path, ...], consume: bool, folder: Path, as_json: bool) -> None:
    """Consignor, operator: join the pieces in FOLDERS into inbox/, and list what is to be sent again.

    Needs no key. Exit codes: 0 inbox/ is whole; 92 pieces are missing, cut or damaged: missing-pieces.txt names them.
    """
    done = open_voyage(folder).gather_results(folders, consume=consume)
    rows = [
        ("pieces", f"{done.gathered.num_pieces:,}"),
        ("bytes", format_bytes(done.gathered.total_bytes)),
        ("outbox", str(done.outbox)),
    ]
    answer(f"gathered\n{table(rows)}", done.to_dict(), as_json=as_json)


@command.command("accept")
@click.argument("outbox", type=click.Path(path_type=Path))
@click.option(
    "--base",
    "bases",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Weights that these are a difference to, beside [results] base and results/; a file, or a folder of them.",
)
@voyage_option
@json_option
def accept(outbox: Path, bases: tuple[Path, ...], folder: Path, as_json: bool) -> None:
    """Consignor: check OUTBOX and its two signatures, open it into results/."""
    answer_receipt(open_voyage(folder).accept_results(outbox, bases), as_json=as_json)


@command.command("sign-model")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    default=None,
    help="An EC private key on P-256, in PEM (default: keys/model-signer, made at the first use).",
)
@voyage_option
@json_option
def sign_model(key: Path | None, folder: Path, as_json: bool) -> None:
    """Consignor: sign results/ into results/model.sig, as OpenSSF's model_signing verifies it."""
    signed = open_voyage(folder).sign_model(key)
    verify = (
        f"model_signing verify key --signature {signed.signature} --public_key {signed.public_key} "
        f"{signed.signature.parent}"
    )
    rows = [
        ("signature", str(signed.signature)),
        ("public key", str(signed.public_key)),
        ("files", f"{len(signed.files)}"),
        ("verify with", verify),
    ]
    answer(table(rows), signed.to_dict(), as_json=as_json)
