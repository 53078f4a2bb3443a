"""Adapters to drives, behind the Drive port."""
