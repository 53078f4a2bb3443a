"""Times reading in place: files of a packed shipment through `packtrain://`, beside `load`, whole and with a case lost.

python scripts/bench_files.py [FOLDER] [MEGABYTES]

Makes a voyage of its own in an empty folder below FOLDER (default: the system's temporary one), of 64 MB files of
random bytes on four folders that play drives (2 + 2, two cases), and removes it. Prints one line a figure; the page
cache is warm, so the processor is what is timed.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import packtrain

FILE_BYTES = 64 * 10**6
DECLARATION = """
end_use = "timing"
hardware_class = "one workstation"
site_country = "NO"
returns = "nothing"
most_bytes = "1 TB"
most_drives = 4
shipper = { name = "A", address = "1 Street", location = "NO", headquarters = "NO", ultimate_parent = "none" }
receiver = { same_as = "shipper" }
operator = { name = "B", address = "2 Street", location = "NO", headquarters = "NO", ultimate_parent = "none" }
trained_for = { same_as = "shipper" }
data = { description = "random", categories = ["none"], personal_data = false, erased_by = "today" }
"""


def main(arguments: list[str]) -> int:
    """Make, time, remove."""
    below = arguments[0] if arguments else None
    total_bytes = int(arguments[1]) * 10**6 if len(arguments) > 1 else 512 * 10**6
    root = Path(tempfile.mkdtemp(dir=below, prefix="bench-files-"))
    try:
        _run(root, total_bytes)
    finally:
        shutil.rmtree(root)
    return 0


def _run(root: Path, total_bytes: int) -> None:
    (root / "data").mkdir()
    num_files = max(1, total_bytes // FILE_BYTES)
    for number in range(num_files):
        (root / "data" / f"{number:03d}").write_bytes(random.Random(number).randbytes(FILE_BYTES))
    done_bytes = num_files * FILE_BYTES
    site, drives = _admitted(root)
    whole = list(drives.values())
    for what, mounted in (("whole", whole), ("case A lost", whole[2:])):
        _tell(f"{what}: on end", done_bytes, partial(_on_end, site, mounted, num_files))
        _tell(f"{what}: on end, verify", done_bytes, partial(_on_end, site, mounted, num_files, verify=True))
        _random(site, mounted, what, num_files)
    _tell("load, all drives", done_bytes, partial(site.load, whole))
    _tell("store: on end", done_bytes, partial(_on_end, site, (), num_files))


def _admitted(root: Path) -> tuple[packtrain.Voyage, dict[str, Path]]:
    roles = ("consignor", "operator", "consignee")
    party = {role: packtrain.Voyage.init(root / role, role=role, name="bench") for role in roles}
    for role in roles:
        toml = root / role / "voyage.toml"
        others = [(root / other / "keys/party.toml").read_text() for other in roles if other != role]
        text = toml.read_text().replace('paths = ["data"]', 'paths = ["../data"]\nform = "folder"')
        toml.write_text(text + "\n".join(others))
    drives = {label: root / "drives" / label for label in ("A1", "A2", "B1", "B2")}
    cases = ""
    for label in "AB":
        for number in "12":
            drives[label + number].mkdir(parents=True)
        cases += f'\n[[drives.case]]\nlabel = "{label}"\ndrives = ["../drives/{label}1", "../drives/{label}2"]\n'
        cases += f'carrier = "C"\nseal = "S-{label}"\n'
    toml = root / "consignor/voyage.toml"
    toml.write_text(toml.read_text() + cases)
    (root / "consignor/declaration.toml").write_text(DECLARATION)
    home, hall, site = party.values()
    home.plan()
    home.declare()
    home.pack()
    home.seal()
    home.release(["A", "B"], "operator", "", root / "hand-over.jsonl")
    hall.accept(root / "hand-over.jsonl", "", root / "answer.jsonl")
    home.adopt(root / "answer.jsonl")
    home.export_dossier(root / "to-hall", "operator")
    hall.admit(root / "to-hall", list(drives.values()))
    hall.export_dossier(root / "to-guest", "consignee")
    site.import_dossier(root / "to-guest")
    return site, drives


def _on_end(site: packtrain.Voyage, drives: Sequence[Path], num_files: int, *, verify: bool = False) -> None:
    files = site.files(drives, verify=verify)
    for number in range(num_files):
        with files.open(f"voyage/{number:03d}") as stream:
            while stream.read(4 * 10**6):
                pass
    files.close()
    packtrain.ShipmentFileSystem.clear_instance_cache()


def _random(site: packtrain.Voyage, drives: list[Path], what: str, num_files: int) -> None:
    files = site.files(drives)
    rng = random.Random(0)
    streams = [files.open(f"voyage/{number:03d}") for number in range(num_files)]
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < 5:
        stream = rng.choice(streams)
        stream.seek(rng.randrange(FILE_BYTES - 4096))
        stream.read(4096)
        count += 1
    print(f"{what}: 4 KiB here and there: {count / (time.perf_counter() - begun):,.0f} a second", flush=True)
    files.close()
    packtrain.ShipmentFileSystem.clear_instance_cache()


def _tell(what: str, done_bytes: int, work: Callable[[], object]) -> None:
    begun, used = time.perf_counter(), os.times()
    work()
    took = time.perf_counter() - begun
    now = os.times()
    busy = now.user + now.system - used.user - used.system
    print(
        f"{what}: {done_bytes / took / 1e6:,.0f} MB/s, {busy / (done_bytes / 1e9):.1f} s of processor a GB", flush=True
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
