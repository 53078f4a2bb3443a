"""Run by itself: imports modules, one after the other, and prints a JSON line of each: whether it could be imported.

A library may be installed and yet not load: it misses one of the system, or was built for another machine.
"""

import importlib
import json
import os
import sys


def main() -> None:
    """Read the names of modules from standard input."""
    # Whatever a module prints while it is imported is no answer of ours.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in json.load(sys.stdin):
        why = ""
        try:
            importlib.import_module(name)
        except BaseException as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        answers.write(json.dumps({"module": name, "why": why}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
