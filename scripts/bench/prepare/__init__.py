"""Parts of `make bench-prepare`: corpora with planted truth, the jobs of all engines, the reading of shards."""
