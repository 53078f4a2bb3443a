"""packtrain serve"""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from packtrain.cli.options import folders_argument, json_option
from packtrain.cli.terminal import answer

_PORT = 8427


def _token(_context: click.Context, _parameter: click.Parameter, token: str | None) -> str | None:
    from packtrain.web.access import fault_of_token

    if token is not None and (fault := fault_of_token(token)):
        raise click.BadParameter(fault)
    return token


def _address(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts or ("127.0.0.1",):
        try:
            found.append(str(ipaddress.ip_address(text.strip("[]"))))
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is no address in numbers, such as 127.0.0.1, ::1 or 0.0.0.0") from error
    return tuple(dict.fromkeys(found))


@click.command("serve")
@folders_argument
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, help=f"0 takes a free one (default: {_PORT}).")
@click.option(
    "--listen",
    "addresses",
    multiple=True,
    callback=_address,
    metavar="ADDRESS",
    help="Where to listen (default: 127.0.0.1, this machine alone). At an address of the network a token is needed.",
)
@click.option(
    "--token",
    envvar="PACKTRAIN_SERVE_TOKEN",
    callback=_token,
    help="Whoever opens the page must know this (default: a new one is made where one is needed).",
)
@click.option("--shared-machine", is_flag=True, help="Ask for a token on 127.0.0.1 too: others work on this machine.")
@click.option("--pictures", is_flag=True, help="Show sample pictures; leave it out where the data is private.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@json_option
def command(
    folders: tuple[Path, ...],
    port: int,
    addresses: tuple[str, ...],
    token: str | None,
    *,
    shared_machine: bool,
    pictures: bool,
    opens: bool,
    as_json: bool,
) -> None:
    """Show voyage FOLDERS (default: the current one) as a page in a browser, live while a stage runs. Ctrl-C ends it.

    Only reads, and holds no lock. Without --listen only this machine is answered. What is sent is not encrypted: over a
    network, rather forward the port by ssh.
    """
    from packtrain.events import discard
    from packtrain.voyage import Voyage
    from packtrain.web.serving import Served, serve_page

    voyages = [Voyage(folder, discard, only_watches=True) for folder in folders or (Path(),)]

    def ready(served: Served) -> None:
        answer(
            "\n".join([*(f"the page is at {url}" for url in served.urls), *served.notes, "Ctrl-C ends it"]),
            {"urls": list(served.urls), "port": served.port, "folders": [str(one.folder.root) for one in voyages]},
            as_json=as_json,
        )

    serve_page(
        voyages,
        addresses,
        port,
        ready,
        token=token,
        asks_for_token=shared_machine,
        with_pictures=pictures,
        opens=opens,
    )
