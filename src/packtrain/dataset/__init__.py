"""From source files to training shards: units of work, exact duplicates, shards, index, card, miniature."""
