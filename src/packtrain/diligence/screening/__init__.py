"""Screening: the parties of a voyage held against the lists that the user brought. Nothing is cleared by itself."""
