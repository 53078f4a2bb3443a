"""The read-only local page: a small server, who may ask it, and what it shows. Writes nothing, holds no lock."""
