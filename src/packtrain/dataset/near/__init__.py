"""Near-duplicates: fingerprints of pictures, clips and table blocks, the pairs that are alike, and who is kept."""
