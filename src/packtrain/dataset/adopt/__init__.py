"""Adopting ready shards: they are read where they lie, described in the index, and never written again.

`survey` finds them, `unit` reads a slice of them, `layout` makes index and shard list of what was settled, `miniature`
writes a small true subset. docs/adr/0031-adopted-shards.md says why it is done this way.
"""
