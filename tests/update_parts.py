"""A voyage whose kit has arrived at the site and is admitted, and how its program is mended at home."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from kit_parts import make_wheel
from packtrain import durable
from packtrain.diligence.kit_chain import keep_lawful_kit
from packtrain.documents.codec import digest
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Clause, Ready
from packtrain.documents.receipt import Receipt
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages import admit, exchange
from packtrain.training.checks import CLAUSES
from packtrain.training.kit import build_kit
from voyage_papers import AT, Papers, declared

COMMAND = "train.py --data {data} --ckpt {checkpoints} --steps {steps}"
EXPORT = '[text]\nfiles = ["metrics.jsonl"]\n\n[[tensors]]\nname = "w"\ndtype = "float32"\nshape = [2]\n'
PROGRAM: Mapping[str, str] = {"train.py": "print('first')\n", "lib/helper.py": "A = 1\n", "export.toml": EXPORT}
WHEELS: Mapping[str, str] = {"alpha": "1.0", "beta": "2.0"}


def rehearse(
    folder: VoyageFolder,
    program: Mapping[str, str] = PROGRAM,
    wheels: Mapping[str, str] = WHEELS,
    *,
    command: str = COMMAND,
    is_ready: bool = True,
) -> Kit:
    """Do what `rehearse` leaves: work/kit, kit.json and ready.json, without running anything in a box."""
    sources, place = folder.root / "program", folder.work / "wheels"
    for path in (sources, place):
        shutil.rmtree(path, ignore_errors=True)
    for name, text in program.items():
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_text(text)
    for name, version in wheels.items():
        make_wheel(place, name, version, files={f"{name}.py": f"V = '{version}'\n".encode()})
    keep_lawful_kit(folder)
    for path in (folder.signature_path(Ready), folder.document_path(Ready)):
        path.unlink(missing_ok=True)
    kit = build_kit(sources, place, (), command, folder.work / "kit")
    folder.write_signed(kit, folder.signer())
    for name, payload in (
        ("kit.json", folder.payload(Kit)),
        ("kit.json.sig", folder.signature_path(Kit).read_bytes()),
    ):
        durable.write_bytes(folder.work / "kit" / name, payload)
    sheet = Ready(
        shipment="7b1c0a52-3f0e-4c7b-9d7a-0c5b6f0f9a11",
        kit=digest(kit),
        miniature="1" * 64,
        box="unshare -rn",
        clauses=tuple(Clause(clause=name, verdict="kept", evidence="seen") for name in CLAUSES),
        ready_to_leave=is_ready,
        num_steps=12,
        weights=None,
        measurements={},
        finished=AT,
    )
    if is_ready:
        folder.write_signed(sheet, folder.signer())
    else:
        folder.write(sheet)
    return kit


def pack_receipt(folder: VoyageFolder) -> None:
    """Write the receipt by which the consignor knows which kit is on the drives."""
    folder.write_receipt(
        Receipt(
            stage="pack",
            inputs={"kit": folder.digest(Kit), "ready": folder.digest(Ready)},
            outputs={},
            counts={},
            facts={},
            seconds=1.0,
            finished=AT,
            versions={},
        )
    )


def kit_at_the_site(root: Path, program: Mapping[str, str] = PROGRAM) -> Papers:
    """Return a voyage that is admitted, its kit in the consignee's work/kit as `load` leaves it."""
    papers = declared(root)
    for folder in papers.folders.values():
        folder.work.mkdir(exist_ok=True)
    rehearse(papers.consignor, program)
    papers.pack()
    pack_receipt(papers.consignor)
    papers.seal()
    papers.hand_over()
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    exchange.import_dossier(papers.consignee, papers.dossier("to-consignee", "operator", "consignee"), discard)
    shutil.copytree(papers.consignor.work / "kit", papers.consignee.work / "kit")
    with (papers.consignee.root / VOYAGE_FILE).open("a") as stream:
        stream.write(f'\n[training]\nprogram = "work/kit/program"\ncommand = "{COMMAND}"\nsteps = 8\nworkers = 1\n')
    return papers


def mended(**more: str) -> dict[str, str]:
    """Return the program with its mistake mended; `more` replaces files, by name with "_" for "."."""
    texts = {**PROGRAM, "train.py": "print('second')\n"}
    return texts | {name.replace("_", "."): text for name, text in more.items()}


def yes(told: object) -> None:
    """Approve."""


Change = Callable[[Papers], None]
