"""A packed drive of a tiny voyage on a loop device, ready to be erased: as root, all detached afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command_parts import Ran, Site, packtrain
from loop_drives import MAKERS, loop_device, mounted
from packtrain.units import MIB

SIZE_BYTES = 48 * MIB
PERSON = "A. Example, engineer"
_CHILD = """
import os, signal, sys
from packtrain import durable
from packtrain.devices import sanitise, sanitise_run
sanitise.WholeDrive.__init__.__defaults__ = (*sanitise.WholeDrive.__init__.__defaults__[:-1], 8 << 20)
wanted = sys.argv[1]
def die(step):
    if step.startswith(wanted):
        os.kill(os.getpid(), signal.SIGKILL)
durable.observe_steps(die)
from packtrain.cli.main import main
sys.argv = ["packtrain", *sys.argv[2:]]
main()
"""


@dataclass(frozen=True)
class Packed:
    """One packed drive: its device, and whose it is."""

    site: Site
    device: Path
    label: str

    def sanitise(self, *options: object, label: str | None = None, typed: str | None = None) -> Ran:
        """Run `packtrain drives sanitise` on it, confirmed unless `typed` is what a person types."""
        confirmed = () if typed is not None else ("--yes-erase", label or self.label)
        return packtrain(*self._command(), *confirmed, *options, typed=typed)

    def sanitise_killed(self, step: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        """Run it in a process that kills itself at a step; it saves its place every 8 MiB."""
        command = [*map(str, self._command()), "--yes-erase", self.label, *options]
        return subprocess.run([sys.executable, "-c", _CHILD, step, *command], capture_output=True, check=False)

    def _command(self) -> tuple[object, ...]:
        device, home = self.device, self.site.home
        return ("drives", "sanitise", device, "--voyage", home, "--person", PERSON, "--without-results")

    def records(self) -> list[Path]:
        """Return the signed records here."""
        return sorted((self.site.home / "documents" / "sanitisations").glob("*.json"))


@contextmanager
def packed_drive(site: Site, name: str, folder: Path, size_bytes: int = SIZE_BYTES) -> Iterator[Packed]:
    """Yield a drive of a packed site, moved onto a loop device over a file below `folder`; not mounted."""
    folder.mkdir(exist_ok=True)
    with loop_device(folder / f"{name}.img", size_bytes) as device:
        made = subprocess.run([*MAKERS["ext4"], device], capture_output=True, check=False)
        assert made.returncode == 0, made.stderr
        with mounted(device, folder / f"{name}-mount"):
            shutil.copytree(site.drive(name), folder / f"{name}-mount", dirs_exist_ok=True)
        yield Packed(site, device, name.upper())


def content(device: Path) -> bytes:
    """Return every byte of a device."""
    with device.open("rb", buffering=0) as stream:
        subprocess.run(["blockdev", "--flushbufs", device], check=False)
        found = bytearray()
        while piece := stream.read(8 * MIB):
            found += piece
    return bytes(found)
