"""Cargo format 1: tar, age and stripes on drives; written, read back, checked, repaired and read."""
