"""Histograms of whatever was measured of the samples: over all that were read, and over those that are kept."""

from __future__ import annotations

import math
from typing import Any, Final

from packtrain.dataset.looking.look import Histogram
from packtrain.dataset.looking.set_tables import Row, SetTables

_NUM_CLASSES: Final = 24
_MOST_HISTOGRAMS: Final = 60
# From so many times the least on, classes of equal width would put nearly all samples into the first of them.
_LOGARITHMIC_FROM: Final = 100.0
# Numbers that stand in every sample's detail or row, for kinds that do not measure them under this or a fuller name.
_OF_DETAIL: Final = ("width", "height", "num_frames", "rows", "columns")


def histograms(tables: SetTables) -> tuple[list[Histogram], int]:
    """Return the histograms by kind and name of the measure, and how many there would be: the first 60 are made."""
    _measured(tables)
    found = tables.rows(
        "SELECT kind, name, min(value) AS least, max(value) AS most, bool_and(value = floor(value)) AS is_whole"
        " FROM measured GROUP BY ALL ORDER BY ALL"
    )
    made: list[Histogram] = []
    tables.run(
        "CREATE OR REPLACE TABLE classes"
        " (kind VARCHAR, name VARCHAR, low DOUBLE, width DOUBLE, num INTEGER, is_logarithmic BOOLEAN)"
    )
    plans = [(row, *_classes(row)) for row in found[:_MOST_HISTOGRAMS]]
    for row, low, width, num, is_logarithmic in plans:
        tables.run(
            "INSERT INTO classes VALUES ($kind, $name, $low, $width, $num, $log)",
            kind=row["kind"],
            name=row["name"],
            low=low,
            width=width,
            num=num,
            log=is_logarithmic,
        )
    # The last class takes its upper edge in; a value that rounding puts below the first belongs to the first.
    counts = tables.rows(
        "SELECT m.kind, m.name, greatest(least(floor((CASE WHEN c.is_logarithmic THEN ln(m.value) ELSE m.value END"
        " - c.low) / c.width)::INTEGER, c.num - 1), 0) AS class, count(*) AS before,"
        " count(*) FILTER (WHERE m.is_kept) AS after FROM measured m"
        " JOIN classes c ON c.kind = m.kind AND c.name = m.name GROUP BY ALL"
    )
    by_measure: dict[tuple[str, str], list[Row]] = {}
    for row in counts:
        by_measure.setdefault((row["kind"], row["name"]), []).append(row)
    for row, low, width, num, is_logarithmic in plans:
        before, after = [0] * num, [0] * num
        for count in by_measure[row["kind"], row["name"]]:
            before[count["class"]], after[count["class"]] = count["before"], count["after"]
        edges = [low + i * width for i in range(num + 1)]
        made.append(
            Histogram(
                kind=row["kind"],
                measure=row["name"],
                least=row["least"],
                most=row["most"],
                is_logarithmic=is_logarithmic,
                edges=tuple(math.exp(edge) for edge in edges) if is_logarithmic else tuple(edges),
                before=tuple(before),
                after=tuple(after),
            )
        )
    return made, len(found)


def _measured(tables: SetTables) -> None:
    """Make the view of all measures: kind, name, value, and whether the sample is kept."""
    listed = ", ".join(f"'{name}'" for name in _OF_DETAIL)
    # Kept is what was not dropped: that is the shorter table to hold every sample against.
    tables.run(
        "CREATE OR REPLACE VIEW marked AS SELECT s.kind, s.measures, s.blob_bytes, s.detail,"
        " NOT EXISTS (FROM drops d WHERE d.kind = s.kind AND d.key = s.key) AS is_kept"
        " FROM read_samples s WHERE NOT s.withdrawn"
    )
    tables.run("CREATE OR REPLACE TABLE named (kind VARCHAR, name VARCHAR)")
    tables.run("INSERT INTO named SELECT DISTINCT kind, unnest(map_keys(measures)) FROM marked")
    tables.run(
        "CREATE OR REPLACE VIEW measured AS SELECT kind, name, value, is_kept FROM ("  # noqa: S608 - text of this file
        " SELECT kind, is_kept, unnest(map_keys(measures)) AS name, unnest(map_values(measures)) AS value FROM marked"
        " UNION ALL SELECT kind, is_kept, 'bytes', blob_bytes::DOUBLE FROM marked m"
        " WHERE NOT EXISTS (FROM named n WHERE n.kind = m.kind AND n.name = 'bytes')"
        " UNION ALL SELECT kind, is_kept, d.name, try_cast(json_extract_string(m.detail, '$.' || d.name) AS DOUBLE)"
        f" FROM marked m, (SELECT unnest([{listed}]) AS name) d"
        " WHERE NOT EXISTS (FROM named n WHERE n.kind = m.kind"
        " AND n.name IN (d.name, d.name || '_pixels', replace(d.name, 'num_', '')))"
        ") WHERE isfinite(value)"
    )


def _classes(row: dict[str, Any]) -> tuple[float, float, int, bool]:
    """Return lower edge, width and number of the classes, and whether they are of the logarithm."""
    least, most = float(row["least"]), float(row["most"])
    if row["is_whole"] and most - least < _NUM_CLASSES:
        return least - 0.5, 1.0, round(most - least) + 1, False
    if least == most:
        return least - 0.5, 1.0, 1, False
    if least > 0 and most >= _LOGARITHMIC_FROM * least:
        return math.log(least), (math.log(most) - math.log(least)) / _NUM_CLASSES, _NUM_CLASSES, True
    return least, (most - least) / _NUM_CLASSES, _NUM_CLASSES, False
