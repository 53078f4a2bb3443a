"""A shipment as files that other programs open: still packed, from its drives, or loaded, from the store."""
