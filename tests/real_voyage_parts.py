"""A voyage over a border by the command line: 80 MB as a folder, really packed on 60 drives in 4 cases.

The two declarations are those of tests/scenarios/, a million times larger than what is packed here.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from command_parts import Ran, Site, done, packtrain
from rule_facts import GROUPS
from scenario_parts import CARRIERS, CASES, DRIVES_PER_CASE, declaration_of

LABELS = tuple(f"{case}{number}" for case in CASES for number in range(1, DRIVES_PER_CASE + 1))
# (folder, ending, first bytes, files, bytes of each): 80 MB in 325 files
KINDS = (
    ("tables", "csv", b"plate,right_ascension,declination\n", 100, 50_000),
    ("images", "png", b"\x89PNG\r\n\x1a\n", 200, 250_000),
    ("clips", "mp4", b"\0\0\0\x18ftypmp42", 25, 1_000_000),
)


@dataclass(frozen=True)
class RealVoyage(Site):
    """The folders of one voyage; `told` is what `status` named next at home, at the site and for the guest, by step."""

    told: dict[str, tuple[str | None, ...]] = field(default_factory=dict[str, tuple[str | None, ...]])

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def store(self) -> Path:
        return self.guest / "store"

    def of(self, *labels: str) -> list[Path]:
        """Return where the drives of these labels, or all, are mounted."""
        return [self.drive(label) for label in labels or LABELS]

    def next_steps(self, step: str) -> None:
        self.told[step] = tuple(
            done("status", folder, "--json").document()["next"]["command"]
            for folder in (self.home, self.hall, self.guest)
        )


def run_over(name: str, root: Path, *, stated: bool) -> RealVoyage:
    """Return a voyage from `init` to packed drives, nothing sealed; `stated`: cases have carriers and seals."""
    voyage = RealVoyage(root)
    for role, folder in (("consignor", voyage.home), ("operator", voyage.hall), ("consignee", voyage.guest)):
        done("init", folder, "--role", role, "--name", name)
    pages = {folder: (folder / "keys/party.toml").read_text() for folder in (voyage.home, voyage.hall, voyage.guest)}
    for folder in pages:
        with (folder / "voyage.toml").open("a") as file:
            file.write("".join(page for other, page in pages.items() if other != folder))
    write_folder(voyage.data)
    for drive in voyage.of():
        drive.mkdir(parents=True)
    path = voyage.home / "voyage.toml"
    path.write_text(re.sub(r"^paths = .*$", 'paths = ["../data"]\nform = "folder"', path.read_text(), flags=re.M))
    state_cases(voyage, CARRIERS if stated else {})
    for folder in (voyage.home, voyage.hall):
        add_lists(folder, root)
    voyage.next_steps("lists added")
    done("plan", voyage.home)
    answers = declaration_of(name)
    file = voyage.home / "declaration.toml"
    file.write_text(answers.partition("[customer]\n")[0])
    six = packtrain("declare", voyage.home)
    assert (six.exit_code, "the full form is asked here" in six.stderr) == (72, True), six.stderr
    voyage.next_steps("six answers signed")
    assert packtrain("pack", voyage.home).exit_code != 0, "nothing is packed on six answers over a border"
    file.write_text(answers)
    done("declare", voyage.home)
    voyage.next_steps("declared")
    done("screen", "--voyage", voyage.home)
    done("flags", "--voyage", voyage.home)
    voyage.next_steps("flags")
    done("pack", voyage.home)
    voyage.next_steps("packed")
    return voyage


def write_folder(folder: Path) -> None:
    """Write the 80 MB: tables, pictures and clips of noise, the same every time."""
    noise = random.Random(80)
    for kind, ending, begin, count, size_bytes in KINDS:
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            payload = begin + noise.randbytes(size_bytes - len(begin) + number)
            (folder / kind / f"{number:04}.{ending}").write_bytes(payload)


def add_lists(folder: Path, root: Path) -> None:
    """Give a party yesterday's list of invented parties, and the country groups of the tests, as its files."""
    day = datetime.now(UTC).date()
    names, groups = root / "list.csv", root / "groups.toml"
    names.write_text("name\nNobody Known Trading LLC\n")
    groups.write_text(
        "\n".join(
            f'[[group]]\nname = "{group.name}"\nas_of = {day - timedelta(days=2)}\nsource = "the tests"\n'
            f"members = {list(group.members)}\n"
            for group in GROUPS.values()
        )
    )
    told = ("--format", "csv", "--label", "invented", "--date", day - timedelta(days=1), "--columns", "name=name")
    done("lists", "add", names, *told, "--voyage", folder)
    done("rules", "groups", "add", groups, "--voyage", folder)


def state_cases(voyage: RealVoyage, carriers: Mapping[str, tuple[str, str]]) -> None:
    """Write the four cases into voyage.toml, each with (carrier, seal) or without."""
    path = voyage.home / "voyage.toml"
    text = path.read_text().partition("\n[[drives.case]]")[0]
    for case in CASES:
        drives = [f"../drives/{label}" for label in LABELS if label[0] == case]
        text += f'\n[[drives.case]]\nlabel = "{case}"\ndrives = {drives}\n'
        if case in carriers:
            text += 'carrier = "{}"\nseal = "{}"\n'.format(*carriers[case])
    path.write_text(text)


def copy_of(voyage: RealVoyage, root: Path) -> RealVoyage:
    """Return a voyage whose folders may be changed: of drives and data, which nothing writes any more, there is one."""
    for folder in (voyage.home, voyage.hall, voyage.guest):
        shutil.copytree(folder, root / folder.name, ignore=shutil.ignore_patterns("store"))
    for name in ("drives", "data"):
        (root / name).symlink_to(voyage.root / name)
    return RealVoyage(root)


def amend(voyage: RealVoyage, changes: Mapping[str, str], name: str) -> Ran:
    """Sign other answers than those of the scenario."""
    (voyage.home / "declaration.toml").write_text(declaration_of(name, changes))
    assert packtrain("declare", voyage.home).exit_code == 77
    return done("declare", voyage.home, "--amend")


def seal_and_hand_over(voyage: RealVoyage) -> None:
    """From packed drives to cases at the site: sealed, screened again, signed for by both, the head by both too."""
    root = voyage.root
    done("carry", "seal", "--voyage", voyage.home)
    voyage.next_steps("sealed")
    done("screen", "--voyage", voyage.home)
    done("flags", "--voyage", voyage.home)
    voyage.next_steps("ready to leave")
    done("carry", "release", *CASES, "--to", "operator", "--into", root / "out.jsonl", "--voyage", voyage.home)
    voyage.next_steps("released")
    done("carry", "accept", root / "out.jsonl", "--into", root / "answer.jsonl", "--voyage", voyage.hall)
    done("carry", "adopt", root / "answer.jsonl", "--into", root / "both.head", "--voyage", voyage.home)
    done("custody", "cosign", root / "both.head", "--voyage", voyage.hall)
    voyage.next_steps("handed over")


def admit(voyage: RealVoyage, *drives: Path, name: str = "to-hall") -> Ran:
    """Hand the consignor's dossier over and let the site judge it with these drives mounted, or all, and no more."""
    dossier = voyage.root / name
    if not dossier.exists():
        done("dossier", "export", dossier, "--to", "operator", "--voyage", voyage.home)
    mounted = [argument for drive in drives or voyage.of() for argument in ("--drive", drive)]
    return packtrain("admit", dossier, *mounted, "--no-more", "--voyage", voyage.hall, "--json")


def send_to_guest(voyage: RealVoyage) -> Path:
    """Take the site's dossier to the consignee; return it."""
    dossier = voyage.root / "to-guest"
    done("dossier", "export", dossier, "--to", "consignee", "--voyage", voyage.hall)
    done("dossier", "import", dossier, "--voyage", voyage.guest)
    return dossier


def levels(folder: Path, role: str = "operator") -> dict[str, str]:
    """Return what `flags show` lists of a party, level by rule."""
    shown: dict[str, Any] = done("flags", "show", "--voyage", folder, "--json").document()
    return {flag["rule"]: flag["level"] for flag in shown[role]["flags"]}


def stored(voyage: RealVoyage) -> Sequence[Path]:
    """Return every file of the consignee's store."""
    return [path for path in voyage.store.rglob("*") if not path.is_dir()]
