"""customs.toml: its shape, its form, and the signed answers that are made from it."""
