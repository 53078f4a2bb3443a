"""How fast the parties of a voyage are screened, how many are found, and how fast owners are followed.

All names are invented, from one seed, and so are the spellings that are asked about: what is found here says how two
versions or two engines compare, not how many real parties either would find. Prints a table and writes JSON.

    python scripts/bench_diligence.py --entries 20000 --questions 20
    python scripts/bench_diligence.py --logicv2-python /path/to/environment/bin/python

LogicV2 is nomenklatura's. It pins its scikit-learn and builds ICU, so it has an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from bench.labelled_names import CATEGORIES, Question, make
from packtrain.diligence.lists import store
from packtrain.diligence.lists.entry import ListedParty
from packtrain.diligence.ownership import Holding, capture
from packtrain.diligence.screening.candidates import asked_of, find_candidates
from packtrain.diligence.screening.record import engine
from packtrain.diligence.screening.subjects import Subject
from packtrain.documents.list_record import ListFile, ListRecord
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.stages.init import init

_ROOT: Final = Path(__file__).parents[1]
_LABEL: Final = "bench"
_NUM_TIMED: Final = 30
_NUM_HOLDINGS: Final = 100_000
_LOGICV2_THRESHOLD: Final = 0.7
"""Where OpenSanctions' own server (yente) cuts LogicV2 off unless it is told otherwise."""


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000, help="of the invented list (200000)")
    parser.add_argument("--questions", type=int, default=60, help="of each category (60)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--logicv2-python", type=Path, help="Python of an environment that has nomenklatura")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "bench-diligence.json")
    parser.add_argument("--screen", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.screen:
        _screen_here(*given.screen)
        return
    entries, questions = make(given.entries, given.questions, given.seed)
    with tempfile.TemporaryDirectory(prefix="bench-diligence-") as work:
        folder = init(Path(work) / "voyage", "bench", "operator")
        _store(folder, entries)
        timed = _some_of_each(questions)
        quick = _screen(folder, timed, Path(work))
        found = _screen(folder, questions, Path(work))
    recall, false_candidates = _judge(questions, found["found"])
    theirs, why_not = _logicv2(given.logicv2_python, entries, questions)
    figures = {
        "screen_seconds": quick["seconds"],
        "screen_peak_rss_mib": quick["peak_rss_mib"],
        "recall": recall["all"],
        "recall_minus_logicv2": min(round(recall[name] - theirs[name], 4) for name in theirs) if theirs else None,
        "false_candidates_per_name": false_candidates["all"],
        "ownership_seconds": _ownership(given.seed),
    }
    details = {
        "recall_by_category": recall,
        "logicv2_recall_by_category": theirs,
        "logicv2_missing_because": why_not,
        "false_candidates_by_category": false_candidates,
        "screen_cpu_seconds": quick["cpu_seconds"],
        "num_entries": len(entries),
        "num_questions": len(questions),
        "num_timed": len(timed),
        "seed": given.seed,
        "engine": [engine().name, *engine().libraries],
        "data": "synthetic: invented names and spellings, one seed",
    }
    _print(figures, details)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps({**figures, **details}, indent=2) + "\n")
    print(f"written to {given.output}")


def _some_of_each(questions: Sequence[Question]) -> list[Question]:
    """Return _NUM_TIMED questions, as many of each category; also of those about nobody on the list."""
    categories = (*CATEGORIES, "absent")
    share = _NUM_TIMED // len(categories)
    return [each for name in categories for each in [each for each in questions if each.category == name][:share]]


def _store(folder: VoyageFolder, entries: Iterable[ListedParty]) -> None:
    with store.EntryWriter(folder, _LABEL) as writer:
        for entry in entries:
            writer.add(entry)
        writer.keep(
            ListRecord(
                label=_LABEL,
                format="csv",
                date=instant()[:10],
                date_in_file=None,
                source=None,
                files=(ListFile(name="invented", bytes=0, sha256="0" * 64),),
                columns=(),
                num_rows=writer.num_entries,
                num_entries=writer.num_entries,
                num_names=writer.num_names,
                num_addresses=writer.num_addresses,
                left_out=(),
                entries=writer.digest,
                added_on=instant(),
                replaces=None,
            )
        )


def _screen(folder: VoyageFolder, questions: Sequence[Question], work: Path) -> dict[str, Any]:
    """Screen in a process of its own, whose memory is nobody else's; return seconds, memory and what was found."""
    asked = work / "questions.json"
    asked.write_text(json.dumps([[question.text, question.kind] for question in questions]))
    command = [sys.executable, __file__, "--screen", str(folder.root), str(asked)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _screen_here(root: Path, questions: Path) -> None:
    """Print seconds, memory and the entries found: the inner half of `_screen`."""
    folder = VoyageFolder(root)
    subjects = [
        Subject("bench", str(n), text, kind, None) for n, (text, kind) in enumerate(json.loads(questions.read_bytes()))
    ]
    started, cpu = time.perf_counter(), time.process_time()
    asked = asked_of(subjects)
    answers = find_candidates(asked, [store.entries(folder, record) for record in store.records(folder)])
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    found = [
        [each.text, each.kind, [kept.entry.entry_id for kept in got.kept], got.num_left_out]
        for each, got in zip(asked, answers, strict=True)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "peak_rss_mib": round(peak, 1)}
    print(json.dumps({**measured, "found": found}))


def _judge(
    questions: Sequence[Question], found: Sequence[tuple[str, str, list[str], int]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the part that was found and the false candidates a name, by category and in all."""
    by_text = {(text, kind == "address"): (set(ids), left_out) for text, kind, ids, left_out in found}
    hits: dict[str, list[int]] = {}
    false: dict[str, list[int]] = {}
    for question in questions:
        ids, left_out = by_text[question.text, question.is_address]
        is_found = question.entry_id in ids
        for category in (question.category, "all"):
            if question.entry_id is not None:
                hits.setdefault(category, []).append(is_found)
            false.setdefault(category, []).append(len(ids) + left_out - is_found)
    return (
        {category: round(sum(each) / len(each), 4) for category, each in hits.items()},
        {category: round(sum(each) / len(each), 3) for category, each in false.items()},
    )


def _logicv2(
    python: Path | None, entries: Sequence[ListedParty], questions: Sequence[Question]
) -> tuple[dict[str, float] | None, str | None]:
    """Return LogicV2's recall by category on the same pairs, scored directly, or None and why not."""
    if python is None:
        return None, "no environment with nomenklatura was given (--logicv2-python)"
    by_id = {entry.entry_id: entry for entry in entries}
    meant = [(question, by_id[question.entry_id]) for question in questions if question.entry_id is not None]
    lines = [
        json.dumps(
            {
                "kind": question.kind,
                "text": question.text,
                "names": [name.text for name in entry.names],
                "addresses": [address.text for address in entry.addresses],
            }
        )
        for question, entry in meant
    ]
    script = _ROOT / "scripts" / "bench" / "logicv2_pairs.py"
    ran = subprocess.run(
        [str(python), str(script)], input="\n".join(lines), text=True, capture_output=True, check=False
    )
    if ran.returncode != 0:
        return None, (ran.stderr.strip().splitlines() or ["it ended with an error"])[-1]
    scores = [json.loads(line) for line in ran.stdout.splitlines()[1:]]
    hits: dict[str, list[bool]] = {}
    for (question, _), score in zip(meant, scores, strict=True):
        for category in (question.category, "all"):
            hits.setdefault(category, []).append(score >= _LOGICV2_THRESHOLD)
    return {category: round(sum(each) / len(each), 4) for category, each in hits.items()}, None


def _ownership(seed: int) -> float:
    """Return the seconds that a hundred thousand holdings take, a tenth of the owners listed."""
    rng = random.Random(seed)
    num_parties = _NUM_HOLDINGS // 4
    holdings: list[Holding] = []
    while len(holdings) < _NUM_HOLDINGS:
        owner, owned = rng.sample(range(num_parties), 2)
        low = Fraction(rng.randint(1, 40), 100)
        holdings.append(
            Holding(f"P{owner}", f"P{owned}", low, min(low + Fraction(rng.randint(0, 10), 100), Fraction(1)))
        )
    listed = {f"P{number}" for number in range(0, num_parties, 10)}
    started = time.perf_counter()
    capture(holdings, listed)
    return round(time.perf_counter() - started, 3)


def _print(figures: Mapping[str, Any], details: Mapping[str, Any]) -> None:
    goals = {
        "screen_seconds": "under 10",
        "screen_peak_rss_mib": "under 500",
        "recall": "",
        "recall_minus_logicv2": "at least -0.01, in the worst category",
        "false_candidates_per_name": "at most 10",
        "ownership_seconds": "under 5",
    }
    print(f"{details['num_timed']} names against {details['num_entries']:,} entries; {details['data']}\n")
    for name, value in figures.items():
        print(f"  {name:28} {value!s:>10}  {goals[name]}")
    print(f"  {'screen_cpu_seconds':28} {details['screen_cpu_seconds']!s:>10}  what of it was this process")
    theirs = details["logicv2_recall_by_category"] or {}
    print(f"\n  {'category':18} {'recall':>8} {'LogicV2':>8} {'false a name':>13}")
    for category in (*CATEGORIES, "absent", "all"):
        row = (details["recall_by_category"].get(category, "-"), theirs.get(category, "-"))
        false = details["false_candidates_by_category"].get(category, "-")
        print(f"  {category:18} {row[0]!s:>8} {row[1]!s:>8} {false!s:>13}")
    if details["logicv2_missing_because"]:
        print(f"\n  LogicV2: {details['logicv2_missing_because']}")


if __name__ == "__main__":
    main()
