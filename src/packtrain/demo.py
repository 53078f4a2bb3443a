"""The demo: a whole voyage on real data, three parties in three folders on one machine, with losses on the way.

Nothing here is simulated but the distance: the drives are folders, the loss of a drive is a folder moved away, damage
is bytes overwritten, and the killed worker is a process that gets SIGKILL. All else is the product's own stages.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, TypeVar

from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import ROLES, Role
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.errors import AdmissionHeld, KitError, MissingDependency, SourceUnreadable
from packtrain.events import Event, Notice, Sink, TrainingStep, WorkersStarted
from packtrain.record.folder import VoyageFolder
from packtrain.stages.flags import FlagReply
from packtrain.units import MIB, format_bytes, format_seconds
from packtrain.voyage import Voyage

T = TypeVar("T")
CASES: Final = ("A", "B", "C", "D")
LOST_DRIVE: Final = "C2"
DAMAGED_DRIVE: Final = "A1"
DAMAGED_VOLUMES: Final = 6
STEPS: Final = 160
KILL_AT_STEP: Final = 85
COMMAND: Final = (
    "train.py --data {data} --ckpt {checkpoints} --out {results} --steps {steps} --batch 32 --checkpoint-every 5"
)
_INTO_SOURCES: Final = "sources"
_CARRIERS: Final = ("Ada Example", "Ben Example", "Cleo Example", "Dan Example")


@dataclass(slots=True)
class DemoResult:
    """What the demo did; `to_dict` is what `packtrain demo --json` prints."""

    samples_prepared: int
    samples_loaded: int
    bytes_packed: int
    bytes_stored: int
    drives_total: int
    drives_lost: int
    blocks_repaired: int
    volumes_rebuilt: int
    restarts: int
    loss_first: float
    loss_last: float
    results_sha256: str
    shipment_root: str
    report: str
    survives: str
    rejects: int
    duplicates: int
    not_shown: list[str]
    holds_answered: int
    evaluation: dict[str, dict[str, float]]
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def rows(self) -> list[tuple[str, str]]:
        """Return the result as a table of names and values."""
        same = "all of them" if self.samples_loaded == self.samples_prepared else "NOT ALL"
        return [
            (
                "samples out",
                f"{self.samples_prepared:,} ({self.rejects} set aside, {self.duplicates} duplicates dropped)",
            ),
            ("samples loaded", f"{self.samples_loaded:,}, {same}"),
            (
                "packed",
                f"{format_bytes(self.bytes_packed)}, as {format_bytes(self.bytes_stored)} with parity "
                f"on {self.drives_total} drives in {len(CASES)} cases",
            ),
            ("survives", self.survives.replace("; ", ";\n")),
            ("held", f"{self.holds_answered} time at the site, until a person had answered the data scan by name"),
            ("drives lost", f"{self.drives_lost} of {self.drives_total}"),
            ("repaired", f"{self.blocks_repaired:,} damaged blocks, {self.volumes_rebuilt:,} volumes of lost drives"),
            ("workers killed", f"{self.restarts} (training went on from its checkpoint)"),
            ("loss", f"{self.loss_first:.4f} at the first step, {self.loss_last:.4f} at the last"),
            ("evaluation", ";\n".join(_judged(kind, of) for kind, of in self.evaluation.items())),
            ("shipment root", self.shipment_root),
            ("results", self.results_sha256),
            ("not shown here", "\n".join(self.not_shown) or "nothing"),
            ("time", f"{format_seconds(sum(self.seconds.values()))} in all stages"),
            ("report", self.report),
        ]


def _judged(kind: str, of: Mapping[str, float]) -> str:
    model, baseline = of["model_bits_per_token"], of["baseline_bits_per_token"]
    return f"{kind}: {model:.2f} bits a token on {of['samples']:g} held-out samples, {baseline:.2f} by counting pairs"


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        result = work()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.monotonic() - started, 2)
        return result


class _WorkerKiller:
    """Passes events on; at a given step of the first attempt it kills the last rank, once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pids: tuple[int, ...] = ()
        self._done = False

    def __call__(self, event: Event) -> None:
        self._sink(event)
        if isinstance(event, WorkersStarted):
            self._pids = event.pids
        elif isinstance(event, TrainingStep) and event.step >= KILL_AT_STEP and self._pids and not self._done:
            self._done = True
            self._sink(Notice("demo", f"killing worker {len(self._pids) - 1} at step {event.step}"))
            os.kill(self._pids[-1], signal.SIGKILL)


def run_demo(into: Path, data: Path, kit_wheels: Path, sink: Sink) -> DemoResult:
    """Play the whole voyage in `into` and return what came of it.

    Args:
        into: an empty or new folder; sources, drives, store and results stay there to look at.
        data: tables/, images/ and clips/ as the project's set-up fetches them.
        kit_wheels: wheels of everything the reference program imports, but torch.
        sink: takes the events.

    Raises:
        SourceUnreadable: the demo's data is not there, or `into` is not empty.
        MissingDependency: torch or another extra is not installed.
    """
    into = into.resolve()  # the kit's interpreter lies below it, and is started in the program's folder
    _check_ground(into, data, kit_wheels)
    watch = _Stopwatch()
    folders: dict[Role, Path] = {role: into / role for role in ROLES}
    voyages = watch.time("init", lambda: _set_out(into, data, kit_wheels, folders, sink))
    consignor, operator, consignee = (voyages[role] for role in ROLES)
    drives = {f"{case}{i}": into / "drives" / f"{case}{i}" for case in CASES for i in (1, 2)}

    def say(text: str) -> None:
        sink(Notice("demo", text))

    say("the consignor prepares, rehearses, declares and packs")
    watch.time("plan", consignor.plan)
    prepared = watch.time("prepare", consignor.prepare)
    watch.time("rehearse", consignor.rehearse)
    watch.time("declare", consignor.declare)
    say("the rules run: names and places of airports look personal, and a person says what they are")
    watch.time("flags", lambda: _answer(consignor, "Ada Example"))
    packed = watch.time("pack", consignor.pack)
    checked = watch.time("check", lambda: consignor.check(()))
    assert checked.exit_code == 0, checked.text()
    say("the consignor hands four sealed cases over; the operator judges the papers and releases the key")
    watch.time("carry", lambda: _carry(into, consignor, operator))
    holds = watch.time("admit", lambda: _admit(into, consignor, operator, consignee, list(drives.values())))

    say(_lose_and_damage(into, drives))
    say("the consignee loads what is left, and trains")
    left = [path for label, path in drives.items() if label != LOST_DRIVE]
    loaded = watch.time("load", lambda: consignee.load(left))
    python = watch.time("train", lambda: _install_kit(consignee.folder))
    trainee = Voyage(folders["consignee"], _WorkerKiller(sink))
    trained = watch.time("train", lambda: trainee.train(python))

    say("the consignee exports, the operator releases, the consignor accepts")
    outbox = folders["consignee"] / "outbox"
    watch.time("return", consignee.export_results)
    watch.time("return", lambda: operator.release_results(outbox))
    watch.time("return", lambda: consignor.accept_results(outbox))
    for voyage in (consignor, operator, consignee):
        say(f"the {voyage.role} closes")
        watch.time("close", voyage.close)

    from packtrain.overview import overview
    from packtrain.report.write import write_page

    report = watch.time(
        "report",
        lambda: write_page(overview([consignor, operator, consignee], with_pictures=True), into / "report.html"),
    )
    placement = consignor.placement()
    exported = consignor.folder.read_signed(ExportList)
    return DemoResult(
        samples_prepared=prepared.counts["samples_prepared"],
        samples_loaded=loaded.counts["samples_loaded"],
        bytes_packed=packed.counts["bytes_packed"],
        bytes_stored=packed.counts["bytes_stored"],
        drives_total=len(drives),
        drives_lost=loaded.counts["drives_lost"],
        blocks_repaired=loaded.counts["blocks_repaired"],
        volumes_rebuilt=loaded.counts["volumes_rebuilt"],
        restarts=trained.counts["restarts"],
        loss_first=float(trained.facts["loss_first"]),
        loss_last=float(trained.facts["loss_last"]),
        results_sha256=exported.results,
        shipment_root=consignor.folder.digest(Shipment),
        report=str(report),
        survives=placement.statement,
        rejects=prepared.counts["rejects"],
        duplicates=prepared.counts["duplicates"],
        not_shown=_not_shown(consignor),
        holds_answered=holds,
        evaluation=json.loads((consignor.folder.root / "results" / "evaluation.json").read_bytes())["kinds"],
        seconds=watch.seconds,
    )


def _not_shown(consignor: Voyage) -> list[str]:
    """Return what this machine could not show in the rehearsal, with the reason."""
    sheet = consignor.folder.read(Ready)
    return [f"{clause.clause}: {clause.evidence}" for clause in sheet.clauses if clause.verdict == "not shown"]


def _check_ground(into: Path, data: Path, kit_wheels: Path) -> None:
    if into.exists() and any(into.iterdir()):
        raise SourceUnreadable("the demo wants an empty folder", where=str(into), hint="name another one with --into")
    for folder in (data / "tables", data / "images", data / "clips", kit_wheels):
        if not folder.is_dir() or not any(folder.iterdir()):
            raise SourceUnreadable(
                "the demo's data is not there",
                where=str(folder),
                hint='run "make demo" once in the checkout: it fetches it',
            )
    try:
        metadata.version("torch")
    except metadata.PackageNotFoundError as error:
        raise MissingDependency("torch is not installed", hint="install the torch that fits this machine") from error


def _set_out(into: Path, data: Path, kit_wheels: Path, folders: Mapping[Role, Path], sink: Sink) -> dict[Role, Voyage]:
    from packtrain.stages.init import init, party_toml

    _gather_sources(data, into / _INTO_SOURCES)
    made = {role: init(folders[role], "demo voyage", role) for role in ROLES}
    parties = "\n".join(party_toml(made[role], role) for role in ROLES)
    with as_file(files("packtrain.training.programs") / "reference") as program:
        shutil.copytree(
            program, folders["consignor"] / "program", ignore=shutil.ignore_patterns("__pycache__", "__init__.py")
        )
    for case in CASES:
        for i in (1, 2):
            (into / "drives" / f"{case}{i}").mkdir(parents=True)
    (folders["consignor"] / "voyage.toml").write_text(_consignor_toml(kit_wheels) + parties)
    (folders["operator"] / "voyage.toml").write_text('[voyage]\nname = "demo voyage"\nrole = "operator"\n' + parties)
    (folders["consignee"] / "voyage.toml").write_text(_consignee_toml() + parties)
    (folders["consignor"] / "declaration.toml").write_text(_DECLARATION)
    return {role: Voyage(folders[role], sink) for role in ROLES}


def _gather_sources(data: Path, sources: Path) -> None:
    """Copy the data and plant what real sources have: an exact duplicate, a cut photograph, an empty file."""
    for kind in ("tables", "images", "clips"):
        shutil.copytree(data / kind, sources / kind)
    attribution = data / "ATTRIBUTION.md"
    if attribution.is_file():
        shutil.copy2(attribution, sources.parent / "ATTRIBUTION.md")
    photographs = sorted((sources / "images").glob("*.jpg"))
    shutil.copyfile(photographs[0], sources / "images" / f"copy-of-{photographs[0].name}")
    whole = photographs[-1].read_bytes()
    (sources / "images" / f"cut-short-{photographs[-1].name}").write_bytes(whole[: len(whole) // 2])
    (sources / "tables" / "empty.xlsx").write_bytes(b"")


def _consignor_toml(kit_wheels: Path) -> str:
    cases = "".join(
        f'\n[[drives.case]]\nlabel = "{case}"\ndrives = ["../drives/{case}1", "../drives/{case}2"]\n'
        f'carrier = "{_CARRIERS[i]}"\nseal = "PT-{1001 + i}"\n'
        for i, case in enumerate(CASES)
    )
    return f"""\
[voyage]
name = "demo voyage"
role = "consignor"
contact = "the demo's consignor: see the folder beside this drive"

[sources]
paths = ["../{_INTO_SOURCES}"]

[prepare]
image_crop_pixels = 96
clip_frames = 12
clip_size_pixels = 64
table_block_rows = 64
shard_bytes = {MIB}
max_reject_rate = 0.2

[drives]
survive = {{ cases = 1, drives = 1 }}
{cases}
[training]
program = "program"
command = "{COMMAND}"
workers = 2
steps = {STEPS}
rehearsal_hang = false # to wait for a watchdog would take the demo some 15 s more
wheels = "{kit_wheels.absolute()}"
provided = ["torch=={metadata.version("torch").partition("+")[0]}"]

"""


def _consignee_toml() -> str:
    return f"""\
[voyage]
name = "demo voyage"
role = "consignee"

[site]
store = "store"

[training]
program = "work/kit/program"
command = "{COMMAND}"
workers = 2
steps = {STEPS}

"""


_DECLARATION: Final = """\
# Six questions. Every answer is signed, shown, and checked again by the receiving site.

end_use = "a demonstration: next-token prediction over public tables, pictures and a film clip"    # 4: what for
hardware_class = "one computer, two CPU processes, no accelerator"                               # 5: on what
site_country = "DE"
returns = "weights and metrics, to Demo Observatory"
most_bytes = "1 GB"
most_drives = 8

[shipper]                                     # 1: who ships
name = "Demo Observatory"
address = "1 Hill Road, Example Town"
location = "DE"
headquarters = "DE"
ultimate_parent = "none"

[receiver]                                    # 2: who receives
name = "Demo University"
address = "2 Campus Street, Example City"
location = "DE"
headquarters = "DE"
ultimate_parent = "none"

[operator]                                    #    and who operates the site
name = "Demo Computing Centre"
address = "3 Hall Lane, Example City"
location = "DE"
headquarters = "DE"
ultimate_parent = "none"

[trained_for]                                 # 3: for whom the model is trained
same_as = "shipper"

[data]                                        # 6: what data, and when it is erased
description = "public tables, images and one film; see ATTRIBUTION.md"
categories = ["public"]
personal_data = false
erased_by = "the end of the demo"
"""


def _carry(into: Path, consignor: Voyage, operator: Voyage) -> None:
    consignor.seal()
    hand_over, answer = into / "hand-over.jsonl", into / "hand-over-accepted.jsonl"
    consignor.release(CASES, "operator", "at the gate of the demo", hand_over)
    operator.accept(hand_over, "seals looked at, unbroken", answer)
    consignor.adopt(answer)


def _answer(voyage: Voyage, person: str) -> None:
    """Answer what the data scan found: columns of a table of airports that no person stands behind."""
    if voyage.role == "consignor":
        voyage.flags()
    because = "the table lists airports: their names, towns and coordinates, of the public record, and of no person"
    voyage.answer_flag(FlagReply("DAT-1", person, because))


def _admit(into: Path, consignor: Voyage, operator: Voyage, consignee: Voyage, drives: list[Path]) -> int:
    """Have the operator judge, answer what holds, and judge again; return how often it held."""
    dossier, holds = consignor.export_dossier(into / "dossier-to-operator", "operator"), 0
    try:
        operator.admit(dossier, drives)
    except AdmissionHeld:
        holds += 1
        _answer(operator, "Olga Example")
        operator.admit(dossier, drives)
    consignee.import_dossier(operator.export_dossier(into / "dossier-to-consignee", "consignee"))
    return holds


def _lose_and_damage(into: Path, drives: Mapping[str, Path]) -> str:
    """Move one drive away and overwrite bytes in volumes of another; return what was done, in words."""
    (into / "lost").mkdir()
    shutil.move(drives[LOST_DRIVE], into / "lost" / LOST_DRIVE)
    volumes = sorted((drives[DAMAGED_DRIVE] / "data").glob("*.tar.age"))[:DAMAGED_VOLUMES]
    for volume in volumes:
        with volume.open("r+b") as stream:
            stream.seek(volume.stat().st_size // 2)
            stream.write(b"damaged by the demo")
    return f"drive {LOST_DRIVE} is lost; bytes overwritten in {len(volumes)} volumes of drive {DAMAGED_DRIVE}"


def _install_kit(folder: VoyageFolder) -> Path:
    """Install the kit that `load` held against kit.json; return its interpreter."""
    environment, kit = folder.root / "kit-environment", folder.work / "kit"
    # This interpreter plays the site's: it has the packages that the kit says the site provides.
    command = ["sh", str(kit / "install.sh"), str(environment), sys.executable]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if finished.returncode != 0:
        raise KitError("the kit's install.sh failed", where=str(kit), found=finished.stderr.strip()[-400:])
    return environment / "bin" / "python"
