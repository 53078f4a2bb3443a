"""Write the figures of a benchmark's JSON into docs/benchmarks.md, between its two marks.

PYTHONPATH=scripts python -m bench.page [build/bench-NAME.json]       NAME: cargo, prepare, train or cluster
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.cluster.report import last_run as last_run_of_cluster
from bench.goals import busy, goals_markdown, shown
from bench.prepare.report import last_run as last_run_of_prepare
from bench.report import GOALS, SHA_NI_RATE
from bench.train.report import last_run as last_run_of_train

_ROOT: Final = Path(__file__).parents[2]
_PAGE: Final = _ROOT / "docs" / "benchmarks.md"
_BEGIN: Final = "<!-- the last run: written by scripts/bench/page.py -->"
_END: Final = "<!-- end of the last run -->"
_BEGIN_PREPARE: Final = "<!-- the last run of prepare: written by scripts/bench/page.py -->"
_END_PREPARE: Final = "<!-- end of the last run of prepare -->"
_BEGIN_TRAIN: Final = "<!-- the last run of train: written by scripts/bench/page.py -->"
_END_TRAIN: Final = "<!-- end of the last run of train -->"
_BEGIN_CLUSTER: Final = "<!-- the last run of cluster: written by scripts/bench/page.py -->"
_END_CLUSTER: Final = "<!-- end of the last run of cluster -->"


def main() -> None:
    """Replace what lies between the marks."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "build" / "bench-cargo.json"
    document = json.loads(source.read_text("utf-8"))
    begin, end, written_by = _BEGIN, _END, last_run
    for figure, marks, of_its_own in (
        ("image_speed_vs_daft", (_BEGIN_PREPARE, _END_PREPARE), last_run_of_prepare),
        ("loader_speed_vs_fastest_peer", (_BEGIN_TRAIN, _END_TRAIN), last_run_of_train),
        ("power_off_seconds", (_BEGIN_CLUSTER, _END_CLUSTER), last_run_of_cluster),
    ):
        if figure in document:
            (begin, end), written_by = marks, of_its_own
    text = written_by(document)
    before, _, rest = _PAGE.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    _PAGE.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", "utf-8")


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, what helps to judge them, all medians."""
    machine, more = document["machine"], document["more"]
    flags = ", ".join(name if there else f"no {name}" for name, there in machine["flags"].items())
    versions = "; ".join(text if name in text else f"{name} {text}" for name, text in document["versions"].items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores ({flags}), {machine['memory_mib']} MiB, Python "
        f"{machine['python']}, {machine['openssl_of_hashlib']}, work on {machine['file_system_of_work']}; "
        f"`hashlib` SHA-256 "
        f"{machine['hashlib_sha256_bytes_per_cpu_second_alone'] / 1e9:.2f} GB a CPU second on one core, "
        f"{machine['hashlib_sha256_bytes_per_cpu_second_all_cores'] / 1e9:.2f} with all cores at it; load average "
        f"{machine['load_average'][0]} before, {machine['load_average_after'][0]} after; medians of "
        f"{document['repeats']}; {machine['day']}. Versions: {versions}. Command: `{document['command']}`",
        "",
        *busy(machine),
        *goals_markdown({name: document[name] for name in GOALS}, GOALS),
        "",
        f"To judge them by (what is computed says so; with SHA-NI: {SHA_NI_RATE / 1e9} GB/s a core):",
        "",
        "| | |",
        "| --- | ---: |",
        *(f"| `{name}` | {shown(value)} |" for name, value in more.items()),
    ]
    for corpus, programs in document["medians"].items():
        sizes = document["corpora"][corpus]
        lines += [
            "",
            f"{corpus.capitalize()}: {sizes['files']:,} files, {sizes['bytes'] / 1e6:,.0f} MB.",
            "",
            "| program | operation | wall s | CPU s | peak MiB | MB/s | files/s |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for program, operations in programs.items():
            for operation, found in operations.items():
                wall = max(found["wall_seconds"], 1e-3)
                lines.append(
                    f"| {program.replace('|', chr(92) + '|')} | {operation.replace('|', chr(92) + '|')} | {wall:.2f} | "
                    f"{found['cpu_seconds']:.2f} | {found['peak_rss_mib']:.0f} | {sizes['bytes'] / 1e6 / wall:.0f} | "
                    f"{sizes['files'] / wall:,.0f} |"
                )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
