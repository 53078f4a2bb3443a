"""The jobs of `make bench-train`."""
