"""Tables of activation rows: read, normalised, weighted, deduplicated and paired."""
