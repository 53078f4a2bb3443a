"""The tests that a rule pack may name, by family. What they look for is code; words, levels and numbers are data."""
