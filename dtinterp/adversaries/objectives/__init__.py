"""What edits are to flip: one file per kind. Values are above 0 as things are, and below it once flipped."""
