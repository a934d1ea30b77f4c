"""Linear maps and transcoders that stand in for an MLP."""
