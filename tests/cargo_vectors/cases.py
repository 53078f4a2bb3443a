"""What a case of `tests/vectors/cargo/` is: an input, an outcome, and the sentence of the specification behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

from packtrain import errors
from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.documents.codec import encode
from packtrain.documents.parties import Parties, Party, allowed_signers

ROOT: Final = Path(__file__).parent.parent / "vectors" / "cargo"
SPECIFICATION: Final = Path(__file__).parents[2] / "docs" / "spec" / "cargo-1.md"
_HEADING: Final = re.compile(r"^## ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        case: level, `accept` or `reject`, and a name: a path below the root, without what the file's name ends in.
        about: what is unusual or wrong, in words.
        outcome: `accept`, `refuse`, `whole` or `part`; see the README of the vectors.
        section: heading of the specification, from its number on.
        rule: a passage of that section, word for word; of a case to accept, what allows it.
        error: packtrain's class of the refusal, "" where there is none.
    """

    case: str
    about: str
    outcome: str
    section: str
    rule: str
    error: str = ""

    @property
    def level(self) -> str:
        return self.case.split("/")[0]

    @property
    def name(self) -> str:
        return self.case.split("/")[-1]

    @property
    def exit_code(self) -> int:
        return getattr(errors, self.error).exit_code if self.error else 0

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "exit_code": self.exit_code}

    @classmethod
    def from_json(cls, body: dict[str, object]) -> Self:
        return cls(**{field.name: str(body[field.name]) for field in fields(cls)})


def index(level: str) -> Path:
    return ROOT / level / "index.json"


def read_cases(level: str) -> list[Case]:
    """Return the cases of a level in the order of its index."""
    return [Case.from_json(body) for body in json.loads(index(level).read_text())]


def write_cases(level: str, cases: Iterable[Case]) -> None:
    listed = sorted(cases, key=lambda case: case.case)
    assert len({case.case for case in listed}) == len(listed), "a case is named twice"
    index(level).parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case.to_json(), ensure_ascii=False) for case in listed)
    index(level).write_text(f"[\n{lines}\n]\n")


def sections(text: str) -> dict[str, str]:
    """Return the sections of a specification by heading, with all white space alike."""
    return {part.split("\n", 1)[0]: " ".join(part.split()) for part in _HEADING.split(text)}


def shown(name: bytes) -> str:
    """Return bytes as printable ASCII: all others, and `%`, as `%XX`."""
    return "".join(chr(byte) if 33 <= byte < 127 and byte != 0x25 else f"%{byte:02X}" for byte in name)


# --- the keys of all vectors -----------------------------------------------------------------------------------------


def make_keys() -> None:
    """Write the keys once; those that are there stay, so that vectors made at different times fit each other."""
    folder = ROOT / "keys"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("consignor", "operator", "stranger"):
        if not (folder / name).exists():
            generate_key_pair(folder / name, f"packtrain test vectors, {name}")
    if not (folder / "identity.txt").exists():
        (folder / "identity.txt").write_text(
            f"# Throwaway: it opens the test vectors of cargo format 1 and nothing else.\n{age.generate_identity()}\n"
        )
    (folder / "parties.json").write_bytes(encode(parties()))
    (folder / "allowed_signers").write_text(allowed_signers(parties()))


def signer(name: str) -> SshSigner:
    return SshSigner.load(ROOT / "keys" / name)


def identity() -> str:
    return (ROOT / "keys" / "identity.txt").read_text().splitlines()[-1]


def parties() -> Parties:
    recipient = age.recipient_of(identity())
    return Parties(
        voyage="vectors",
        parties=(
            Party(role="consignor", name="home", signer=signer("consignor").public_line, recipient=recipient),
            Party(role="operator", name="hall", signer=signer("operator").public_line, recipient=recipient),
        ),
    )
