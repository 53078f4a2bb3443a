"""From measurements to the figures that are asked for, the table and the JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from bench.measure import Measured

# corpus -> contender -> operation -> one measurement a round
Times = Mapping[str, Mapping[str, Mapping[str, Sequence[Measured]]]]

GOALS: Final[Mapping[str, str]] = {
    "pack_wall_vs_age_par2": "at most 0.6",
    "pack_wall_vs_fastest_backup": "at most 0.4",
    "pack_cpu_seconds_per_gb": "at most 2.5",
    "small_files_per_second": "at least 25,000",
    "load_wall_vs_fastest_restore": "at most 0.6",
    "load_degraded_vs_clean": "at most 2",
    "check_vs_sha256_rate": "at least 0.7",
    "peak_rss_mib": "at most 300",
}
SHA_NI_RATE: Final = 1.8e9
"""hashlib's SHA-256 in bytes a second of one core with SHA-NI, measured on an AMD EPYC: for what is only computed."""
_BACKUPS: Final = ("restic", "borg")
_PACKTRAIN: Final = "packtrain"


def median(measured: Sequence[Measured]) -> dict[str, float]:
    """Return the medians over the rounds, and every round's wall time."""
    return {
        "wall_seconds": round(statistics.median(each.wall_seconds for each in measured), 3),
        "cpu_seconds": round(statistics.median(each.cpu_seconds for each in measured), 3),
        "peak_rss_mib": round(statistics.median(each.peak_bytes for each in measured) / 2**20, 1),
    }


def figures(
    times: Times,
    corpora: Mapping[str, Mapping[str, int]],
    stored_bytes: Mapping[str, Mapping[str, int]],
    hash_rates: Sequence[float],
) -> dict[str, float | None]:
    """Return the figures by their names in GOALS; None where a program that one needs was not measured.

    Args:
        times: everything measured.
        corpora: corpus -> "files" and "bytes".
        stored_bytes: corpus -> contender -> bytes of what it packed.
        hash_rates: hashlib's SHA-256 in bytes a CPU second, all cores at once; one a round.
    """
    large, small = times.get("large files", {}), times.get("small files", {})
    ours = large.get(_PACKTRAIN, {})
    pack, clean, degraded = (_wall(ours, name) for name in ("pack", "restore", "restore, 4 drives lost"))
    peer = large.get("tar | age + par2", {})
    sealed, coded = _wall(peer, "tar | age"), _wall(peer, "par2")
    small_pack = _wall(small.get(_PACKTRAIN, {}), "pack")
    found: dict[str, float | None] = {
        "pack_wall_vs_age_par2": _ratio(pack, sealed + coded if sealed and coded else None),
        "pack_wall_vs_fastest_backup": _ratio(pack, _fastest(large, "pack")),
        "pack_cpu_seconds_per_gb": None,
        "small_files_per_second": small_pack and corpora["small files"]["files"] / small_pack,
        "load_wall_vs_fastest_restore": _ratio(clean, _fastest(large, "restore")),
        "load_degraded_vs_clean": _ratio(degraded, clean),
        "check_vs_sha256_rate": None,
        "peak_rss_mib": None,
    }
    if "pack" in ours:
        cpu_seconds = statistics.median(each.cpu_seconds for each in ours["pack"])
        found["pack_cpu_seconds_per_gb"] = cpu_seconds / (corpora["large files"]["bytes"] / 1e9)
    if "check" in ours and hash_rates:
        rate = stored_bytes["large files"][_PACKTRAIN] / statistics.median(each.cpu_seconds for each in ours["check"])
        found["check_vs_sha256_rate"] = rate / statistics.median(hash_rates)
    peaks = [
        each.peak_bytes
        for corpus in times.values()
        for measured in corpus.get(_PACKTRAIN, {}).values()
        for each in measured
    ]
    if peaks:
        found["peak_rss_mib"] = max(peaks) / 2**20
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def more_figures(
    times: Times,
    corpora: Mapping[str, Mapping[str, int]],
    stored_bytes: Mapping[str, Mapping[str, int]],
    hash_rates: Sequence[float],
) -> dict[str, float | None]:
    """Return what helps to judge the figures: other peers, and what SHA-256 alone takes. Arguments as for `figures`."""
    large, small = times.get("large files", {}), times.get("small files", {})
    ours, peer = large.get(_PACKTRAIN, {}), large.get("tar | age + par2", large.get("tar | age", {}))
    pack, sealed, coarse = _wall(ours, "pack"), _wall(peer, "tar | age"), _wall(peer, "par2, coarse")
    found: dict[str, float | None] = {
        "pack_wall_vs_age_alone": _ratio(pack, sealed),
        "pack_wall_vs_age_coarse_par2": _ratio(pack, sealed + coarse if sealed and coarse else None),
        "load_wall_vs_age_tar": _ratio(_wall(ours, "restore"), _wall(peer, "restore")),
        "pack_wall_vs_copy": _ratio(pack, _wall(large.get("cp", {}), "as much as packtrain wrote")),
        "small_files_pack_wall_vs_fastest_backup": _ratio(
            _wall(small.get(_PACKTRAIN, {}), "pack"), _fastest(small, "pack")
        ),
        "small_files_load_wall_vs_fastest_restore": _ratio(
            _wall(small.get(_PACKTRAIN, {}), "restore"), _fastest(small, "restore")
        ),
    }
    if "pack" in ours and hash_rates:
        packed_bytes = corpora["large files"]["bytes"]
        cpu_seconds = statistics.median(each.cpu_seconds for each in ours["pack"])
        # Every file once, every volume once: data and parity.
        hashed_bytes = packed_bytes + stored_bytes["large files"][_PACKTRAIN]
        rest = cpu_seconds - hashed_bytes / statistics.median(hash_rates)
        found |= {
            "sha256_bytes_per_byte_packed": hashed_bytes / packed_bytes,
            "computed_pack_cpu_seconds_per_gb_beside_sha256": rest / (packed_bytes / 1e9),
            "computed_pack_cpu_seconds_per_gb_with_sha_ni": (rest + hashed_bytes / SHA_NI_RATE) / (packed_bytes / 1e9),
        }
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def table(times: Times, corpora: Mapping[str, Mapping[str, int]]) -> str:
    """Return medians as lines: corpus, program, operation, seconds, CPU seconds, MiB, MB and files a second."""
    lines = [f"{'program':28} {'operation':24} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9} {'MB/s':>8} {'files/s':>9}"]
    for corpus, contenders in times.items():
        lines.append(f"-- {corpus}: {corpora[corpus]['files']:,} files, {corpora[corpus]['bytes'] / 1e6:,.0f} MB")
        for contender, operations in contenders.items():
            for operation, measured in operations.items():
                found = median(measured)
                wall = max(found["wall_seconds"], 1e-3)
                lines.append(
                    f"{contender:28} {operation:24} {wall:8.2f} {found['cpu_seconds']:8.2f} "
                    f"{found['peak_rss_mib']:9.0f} {corpora[corpus]['bytes'] / 1e6 / wall:8.0f} "
                    f"{corpora[corpus]['files'] / wall:9.0f}"
                )
    return "\n".join(lines)


def _wall(operations: Mapping[str, Sequence[Measured]], name: str) -> float | None:
    measured = operations.get(name)
    return statistics.median(each.wall_seconds for each in measured) if measured else None


def _fastest(contenders: Mapping[str, Mapping[str, Sequence[Measured]]], operation: str) -> float | None:
    walls = [
        wall
        for name, operations in contenders.items()
        if name.startswith(_BACKUPS) and (wall := _wall(operations, operation)) is not None
    ]
    return min(walls, default=None)


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
