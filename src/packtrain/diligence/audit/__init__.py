"""The audit of a voyage: what its record says, who signed it, and everything in it that is not in order."""
