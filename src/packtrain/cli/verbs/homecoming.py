"""packtrain return export | release | accept | sign-model"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer, table


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


@command.command("accept")
@click.argument("outbox", type=click.Path(path_type=Path))
@voyage_option
@json_option
def accept(outbox: Path, folder: Path, as_json: bool) -> None:
    """Consignor: check OUTBOX and its two signatures, open it into results/."""
    answer_receipt(open_voyage(folder).accept_results(outbox), as_json=as_json)


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
