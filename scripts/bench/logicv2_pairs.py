"""Scores pairs with nomenklatura's LogicV2. Runs in an environment of its own that has it, not in that of packtrain.

Reads one JSON object a line on stdin: {"kind", "text", "names", "addresses"}; writes one a line: the score, 0 to 1. The
first line that is written is the version.
"""

import itertools
import json
import sys
from importlib.metadata import version
from typing import Any

from followthemoney import model  # pyright: ignore[reportMissingImports]
from nomenklatura.matching import LogicV2  # pyright: ignore[reportMissingImports]

_SCHEMATA = {"person": "Person", "organisation": "Company", "address": "Address"}


def main() -> None:
    """Answer every pair on stdin."""
    config = LogicV2.default_config()
    numbers = itertools.count()

    def entity(schema: str, **properties: list[str]) -> Any:
        # A fresh id each time: LogicV2 remembers names by id, and would answer for an earlier entity of the same one.
        return model.get_proxy({"id": f"e{next(numbers)}", "schema": schema, "properties": properties})

    print(json.dumps(version("nomenklatura")))
    for line in sys.stdin:
        pair = json.loads(line)
        schema = _SCHEMATA[pair["kind"]]
        if schema == "Address":
            query, listed = entity(schema, full=[pair["text"]]), entity(schema, full=pair["addresses"])
        else:
            query, listed = entity(schema, name=[pair["text"]]), entity(schema, name=pair["names"])
        print(json.dumps(LogicV2.compare(query, listed, config).score))


if __name__ == "__main__":
    main()
