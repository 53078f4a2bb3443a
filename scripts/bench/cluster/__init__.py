"""The jobs of `make bench-cluster`: faults on hosts, many hosts, data over several hosts."""
