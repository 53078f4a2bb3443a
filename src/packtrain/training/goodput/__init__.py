"""Goodput: how much of the time of a training became steps that count, and where the rest went."""
