"""From a program's uv.lock to the wheels of a kit: read, resolved for a named target, fetched, held against it."""
