"""Parts of `make bench-cargo`: the corpora, the programs that are compared, the stop watch, the table.

`prepare/` and `train/` have those of `make bench-prepare` and `make bench-train`, `jobs` what the two share.
"""

CASES = ("A", "B", "C", "D")
DRIVES_A_CASE = 4
NUM_PARITY = 4
NUM_DATA = len(CASES) * DRIVES_A_CASE - NUM_PARITY
