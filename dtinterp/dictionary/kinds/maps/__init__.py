"""What may stand in for a layer, one file each: rows of one site become rows of another."""
