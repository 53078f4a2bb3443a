"""Make the vectors of cargo format 1 anew, after a change of it: python tests/make_cargo_vectors.py [LEVEL...]

Tars come out byte for byte the same; age files, catalogs and shipments have fresh keys and times each time. A vector
that another implementation has passed is not changed without a reason: name the level that you mean.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cargo_vectors import make_age_files, make_catalogs, make_custody, make_documents, make_shipments, make_tars
from cargo_vectors.cases import make_keys

# Documents, custody logs and catalogs are those of the shipments, altered: make them anew after "shipment".
LEVELS: dict[str, Callable[[], None]] = {
    "tar": make_tars.make,
    "age": make_age_files.make,
    "shipment": make_shipments.make,
    "document": make_documents.make,
    "custody": make_custody.make,
    "catalog": make_catalogs.make,
}

if __name__ == "__main__":
    make_keys()
    for level in sys.argv[1:] or LEVELS:
        LEVELS[level]()
