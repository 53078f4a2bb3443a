"""Feed every reader of hostile bytes with inputs that coverage guides (atheris, which is libFuzzer for Python).

    make fuzz                             every target, 60 s each
    make fuzz FUZZ_ARGS="--seconds 600 --target tar"

Each target runs in a process of its own, ended at 1 GiB of memory or 20 s for one input: both count as a fault, as does
any exception but packtrain's own. An input that found a fault stays in build/fuzz/<target>/; run it again with --input.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
MOST_MEMORY_MIB: Final = 1024
MOST_SECONDS_AN_INPUT: Final = 20
INSTRUMENTED: Final = ("record.keys", "stages.check", "volume.reader", "volume.rescue")
"""All that the targets call is instrumented when these are first imported."""


def main() -> int:
    """Run the targets one after the other and print what was done; return 1 if one of them found a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", help="only this one (may be given again)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "fuzz", help="corpora and faults")
    parser.add_argument("--input", type=Path, help="feed this one file to the one --target and show what it raises")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return _inside(arguments.inside, arguments.build, arguments.rest)

    with tempfile.TemporaryDirectory() as scratch:
        found = _targets(Path(scratch))
        if unknown := set(arguments.target or ()) - set(found):
            parser.error(f"no such target: {', '.join(sorted(unknown))} (there are: {', '.join(found)})")
        names = arguments.target or list(found)
        if arguments.input is not None:
            if len(names) != 1:
                parser.error("--input wants one --target")
            print("taken" if found[names[0]].takes(arguments.input.read_bytes(), Path(scratch)) else "refused")
            return 0
        for name in names:
            corpus = arguments.build / name.replace(" ", "-") / "corpus"
            corpus.mkdir(parents=True, exist_ok=True)
            for number, seed in enumerate((*found[name].seeds, *found[name].vectors)):
                (corpus / f"seed-{number}").write_bytes(seed)
    faults = [name for name in names if not _run(name, arguments.seconds, arguments.build)]
    print(f"{len(names)} targets, {len(faults)} with faults" + (f": {', '.join(faults)}" if faults else ""))
    return 1 if faults else 0


def _run(name: str, seconds: int, build: Path) -> bool:
    """Fuzz one target in a process of its own; print one line; return whether it found nothing."""
    folder = build / name.replace(" ", "-")
    corpus = folder / "corpus"
    longest = max(path.stat().st_size for path in corpus.iterdir())
    command = [sys.executable, __file__, "--inside", name, "--build", str(build), "--"]
    command += [f"-max_total_time={seconds}", f"-rss_limit_mb={MOST_MEMORY_MIB}", f"-timeout={MOST_SECONDS_AN_INPUT}"]
    command += [f"-max_len={2 * longest}", f"-artifact_prefix={folder}/", "-print_final_stats=1", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    inputs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    coverage = re.findall(r"cov: (\d+)", done.stderr)
    memory = re.search(r"peak_rss_mb: +(\d+)", done.stderr)
    print(
        f"{name:14} {'no fault' if done.returncode == 0 else 'FAULT':9} "
        f"{inputs[1] if inputs else '?':>9} inputs  {coverage[-1] if coverage else '?':>6} edges  "
        f"{memory[1] if memory else '?':>5} MiB",
        flush=True,
    )
    if done.returncode:
        (folder / "log.txt").write_text(done.stdout + done.stderr)
        print("\n".join((done.stdout + done.stderr).splitlines()[-25:]))
    return done.returncode == 0


def _inside(name: str, build: Path, options: list[str]) -> int:
    import atheris  # pyright: ignore[reportMissingImports] - in the environment of `make fuzz` only

    with atheris.instrument_imports(include=["packtrain"]):  # pyright: ignore[reportAttributeAccessIssue]
        for module in INSTRUMENTED:
            importlib.import_module(f"packtrain.{module}")
    with tempfile.TemporaryDirectory() as scratch:
        target = _targets(Path(scratch) / "parts")[name]
        folder = Path(scratch) / "inside"
        folder.mkdir()

        def one(payload: bytes) -> None:
            target.takes(payload, folder)

        atheris.Setup([f"fuzz-{name}", *options], one)
        atheris.Fuzz()
    return 0


def _targets(root: Path) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "tests"))
    from hostile_targets import targets  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    root.mkdir(parents=True, exist_ok=True)
    return targets(root)


if __name__ == "__main__":
    sys.exit(main())
