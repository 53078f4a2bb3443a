"""packtrain drives [clear | format | sanitise | labels]"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.completing import drive_labels
from packtrain.cli.options import InOrder, folder_argument, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import Terminal, answer, ask
from packtrain.documents.sanitisation import NOT_SANITISED
from packtrain.units import format_bytes, format_rate, format_seconds, parse_bytes

if TYPE_CHECKING:
    from packtrain.devices.dip import DipReport
    from packtrain.devices.sanitise_plan import PlannedCommand
    from packtrain.documents.sanitisation import Method, Sanitisation
    from packtrain.drives import Deed, ListedDrive, ListedPart

_PATH = click.Path(path_type=Path)
_HEAD = ("DEVICE", "MODEL", "SERIAL", "SIZE", "FILE SYSTEM", "MOUNTED AT", "FREE", "HOLDS", "HEALTH", "ID")


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes that a text names."""
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group("drives", cls=InOrder, invoke_without_command=True)
@click.option("--smart", is_flag=True, help="Ask each drive for its health (smartctl; needs root).")
@click.option(
    "--dip-test",
    "dip_test",
    default=None,
    shell_complete=drive_labels,
    help="Write at length to this mount point or label.",
)
@click.option(
    "--dip-bytes",
    type=_Size(),
    default=None,
    help="Bytes to write (default: 8 GiB); never more than 5 % of the free space, and never longer than 10 minutes.",
)
@click.option("--dip-extent", type=_Size(), default="1MiB", show_default=True, help="One write: 128KiB to 1MiB.")
@json_option
@click.pass_context
def command(
    context: click.Context, smart: bool, dip_test: str | None, dip_bytes: int | None, dip_extent: int, as_json: bool
) -> None:
    """List the drives of this machine: by id, with serial number, size, what lies on them, and their health.

    What a drive holds is what it says of itself; `packtrain check` verifies. Drives that the system runs from are
    listed and never offered.
    """
    from packtrain import drives

    if context.invoked_subcommand is not None:
        if smart or dip_test is not None or dip_bytes is not None:
            raise click.UsageError(f"--smart and --dip-test stand alone, without {context.invoked_subcommand}")
        return
    if dip_test is not None:
        _dip_test(dip_test, dip_bytes, dip_extent, as_json=as_json)
        return
    listed = drives.list_drives(with_health=smart)
    rows = [row for drive in listed for row in _rows(drive)]
    text = columns([_HEAD, *rows]) if rows else "no drives that this machine would show"
    notices = [notice for drive in listed for notice in drive.notices()]
    answer("\n".join([text, *notices]), [drive.to_dict() for drive in listed], as_json=as_json)


@command.command("clear")
@click.argument("path", type=_PATH)
@click.option("--confirm", default=None, help="The last four of the drive's serial number, or of its volume id.")
@json_option
def clear(path: Path, confirm: str | None, as_json: bool) -> None:
    """Remove all files from the drive mounted at PATH. Nothing is overwritten: this is no erasure."""
    from packtrain import drives

    _do(drives.clearing(path, Terminal()), confirm, as_json=as_json)


@command.command("format")
@click.argument("device", type=_PATH)
@click.option(
    "--label", required=True, shell_complete=drive_labels, help="Name of the file system: the drive's label, A3."
)
@click.option("--confirm", default=None, help="The last four of the drive's serial number, or of its volume id.")
@json_option
def format_(device: Path, label: str, confirm: str | None, as_json: bool) -> None:
    """Make an ext4 on DEVICE, a whole drive or a partition. All that is on it goes."""
    from packtrain import drives

    try:
        deed = drives.formatting(device, label)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--label") from error
    _do(deed, confirm, as_json=as_json)


@command.command("sanitise")
@click.argument("device", type=_PATH)
@voyage_option
@click.option("--person", default=None, help="Who does it, name and function: it stands in the signed record.")
@click.option(
    "--method",
    type=click.Choice(["overwrite", "zeroout", "discard", "secure-discard"]),
    default="overwrite",
    show_default=True,
    help="One pass of zeros by packtrain, or blkdiscard with --zeroout, alone, or with --secure.",
)
@click.option("--read-all", is_flag=True, help="Read back every byte, not a sample.")
@click.option(
    "--yes-erase",
    default=None,
    metavar="LABEL",
    shell_complete=drive_labels,
    help="The drive's label, in place of typing it.",
)
@click.option("--without-results", is_flag=True, help="Erase though nothing came home.")
@click.option("--plan", "plan_alone", is_flag=True, help="Only show how the drive's own commands are called.")
@json_option
def sanitise(
    device: Path,
    folder: Path,
    person: str | None,
    method: Method,
    read_all: bool,
    yes_erase: str | None,
    without_results: bool,
    plan_alone: bool,
    as_json: bool,
) -> None:
    """Erase the drive DEVICE of this voyage's shipment, read it back, and sign what ran: Clear, or not sanitised.

    DEVICE is a whole drive that is not mounted, or a folder that plays one: its files are removed, which sanitises
    nothing. What is no drive of this shipment is refused, and so is every drive while the voyage is open. Cut off, the
    same command goes on.
    """
    if plan_alone:
        _show_plan(device, as_json=as_json)
        return
    if not person or not person.strip():
        raise click.UsageError("--person is missing: the record names who did it, by name and function")
    import msgspec

    def approve(label: str, told: Sequence[str]) -> None:
        if yes_erase is None:
            lines = "\n".join([*told, f"drive    {label} of this shipment", "all that is on it goes, for good"])
            typed = None if as_json else ask(lines, f"type the label of this drive, {label}")
            if typed is None:
                said = "; ".join(" ".join(line.split()) for line in told)
                raise click.UsageError(f"not done without confirmation ({said}); add --yes-erase {label}")
        else:
            typed = yes_erase
        if typed.strip() != label:
            raise click.UsageError(f"not done: '{typed}' is not the label of this drive, {label}")

    record = open_voyage(folder).sanitise(
        device, person.strip(), approve, method=method, read_all=read_all, without_results=without_results
    )
    answer(_sanitised_text(record), msgspec.to_builtins(record), as_json=as_json)


@command.command("labels")
@folder_argument
@click.option("--out", type=_PATH, default=None, help="The file to write (default: labels.html in the voyage folder).")
@click.option("--name", "with_name", is_flag=True, help="Print the voyage's name too; a thief reads labels.")
@click.option("--contact", "with_contact", is_flag=True, help="Print whom a finder should call, from voyage.toml.")
@json_option
def labels(folder: Path, out: Path | None, with_name: bool, with_contact: bool, as_json: bool) -> None:
    """Write a page of labels to print: one for each drive and case of the voyage in FOLDER, 100 x 62 mm."""
    from packtrain.report.labels import write_labels

    voyage = open_voyage(folder).folder
    path, made = write_labels(
        voyage, out or voyage.root / "labels.html", with_name=with_name, with_contact=with_contact
    )
    document = {"labels": str(path), "texts": [label.qr_text for label in made]}
    answer(f"{len(made)} labels written to {path}", document, as_json=as_json)


def _sanitised_text(record: Sanitisation) -> str:
    rows = [
        ("result", record.result.upper() if record.result == NOT_SANITISED else record.result),
        ("drive", f"{record.label}, {record.device.model}, serial {record.device.serial or 'none of its own'}"),
    ]
    rows += [("ran", f"{' '.join(step.argv) or step.tool}: {step.detail}") for step in record.steps]
    if (read := record.read_back) is not None:
        seen = f"{read.num_blocks:,} blocks ({read.how}), {format_bytes(read.read_bytes)}, {read.past_cache}"
        headers = f"{read.num_headers_left} of {read.num_headers} beginnings of volumes left"
        rows.append(("read back", f"{seen}: all {read.pattern or '??'}, {read.num_faults} faults; {headers}"))
    rows += [("why", record.why)] if record.why else []
    rows += [("limit", text) for text in record.limits]
    return f"sanitise {record.label}\n{table(rows)}"


def _show_plan(device: Path, *, as_json: bool) -> None:
    from packtrain import drives

    drive, plan = drives.own_commands(device)
    ways = [
        {
            "would_be": way.would_be,
            "argvs": [list(argv) for argv in way.argvs],
            "takes": way.takes,
            "before": list(way.before),
        }
        for way in plan.commands
    ]
    rows = [
        (f"would be {way.would_be}", "\n".join([*(" ".join(argv) for argv in way.argvs), *_notes(way)]))
        for way in plan.commands
    ]
    rows += [("remark", text) for text in plan.remarks]
    head = (
        f"{drive.device} ({drive.model or drive.name}): packtrain runs none of these; as long as they did not run and "
    )
    text = f"{head}were not verified, the drive is NOT SANITISED"
    document = {"device": str(drive.device), "commands": ways, "remarks": list(plan.remarks)}
    answer(f"{text}\n{table(rows)}", document, as_json=as_json)


def _notes(way: PlannedCommand) -> list[str]:
    notes = [f"takes {way.takes}"] if way.takes else []
    return [f"({'; '.join([*notes, *way.before])})"]


def _do(deed: Deed, confirm: str | None, *, as_json: bool) -> None:
    """Do it if the word was typed: on the command line, or now on the terminal."""
    if confirm is None:
        typed = None if as_json else ask("\n".join(deed.told), f"type {deed.word_of}")
        if typed is None:
            told = "; ".join(" ".join(line.split()) for line in deed.told)
            raise click.UsageError(f"not done without confirmation ({told}); add --confirm {deed.word}: {deed.word_of}")
        confirm = typed
    if not deed.is_confirmed_by(confirm):
        raise click.UsageError(f"not done: '{confirm}' is not {deed.word_of}")
    sentence, document = deed.do()
    answer(sentence, document, as_json=as_json)


def _dip_test(name: str, asked_bytes: int | None, extent_bytes: int, *, as_json: bool) -> None:
    from packtrain import drives
    from packtrain.devices.dip import LARGEST_EXTENT_BYTES, SMALLEST_EXTENT_BYTES

    if not SMALLEST_EXTENT_BYTES <= extent_bytes <= LARGEST_EXTENT_BYTES or extent_bytes % 4096:
        raise click.BadParameter("128KiB to 1MiB, a multiple of 4KiB", param_hint="--dip-extent")
    folder = drives.find_folder(name)
    report = drives.run_dip_test(folder, Terminal(), asked_bytes=asked_bytes, extent_bytes=extent_bytes)
    answer(f"dip test of {folder}\n{_dip_text(report)}", {"path": str(folder), **report.to_dict()}, as_json=as_json)


def _dip_text(report: DipReport) -> str:
    written = f"{format_bytes(report.written_bytes)} in writes of {format_bytes(report.extent_bytes)}, {report.method}"
    dips = f"{report.num_dips}, {format_seconds(report.dip_seconds)} in all"
    if report.num_dips:
        dips += f", the longest {format_seconds(report.longest_dip_seconds)}"
    rows = [
        ("verdict", f"{report.verdict}: {report.sentence()}"),
        ("median", format_rate(report.median_bytes_per_second)),
        ("slowest 1 %", f"{format_rate(report.slowest_percent_bytes_per_second)} or less"),
        ("dips", f"{dips} (slower than a third of the median)"),
        ("written", written),
        ("time", format_seconds(report.seconds)),
    ]
    return table([*rows, ("stopped", report.stopped)] if report.stopped else rows)


def _rows(listed: ListedDrive) -> list[tuple[str, ...]]:
    drive = listed.drive
    health = listed.health.text() if listed.health is not None else ""
    serial = drive.serial.text if drive.serial is not None else "-"
    if drive.serial is not None and drive.serial.source == "bridge":
        serial = f"({serial})"
    short_id = drive.id.removeprefix("/dev/disk/by-id/").removeprefix("/dev/disk/")
    rows: list[tuple[str, ...]] = []
    for number, one in enumerate(listed.parts):
        first = number == 0
        rows.append(
            (
                one.part.name,
                drive.model if first else "",
                serial if first else "",
                format_bytes(one.part.size_bytes),
                _content(one),
                " ".join(map(str, one.part.mounts)) or "-",
                format_bytes(one.part.free_bytes) if one.part.free_bytes is not None else "-",
                _holds(listed, one),
                health if first else "",
                short_id if first else "",
            )
        )
    return rows


def _content(one: ListedPart) -> str:
    if one.part.file_system is None:
        return "-"
    flag = "read-only" if one.part.is_read_only else ""
    return " ".join(filter(None, (one.part.file_system.kind, one.part.file_system.label, flag)))


def _holds(listed: ListedDrive, one: ListedPart) -> str:
    if listed.drive.use:
        return f"not offered: {one.part.use or listed.drive.use}"
    if one.holding is not None:
        return one.holding.text()
    return "not mounted" if one.part.file_system is not None else "no file system"
