"""Windows of fixed length, cut from trajectories; the only floor that pads."""
