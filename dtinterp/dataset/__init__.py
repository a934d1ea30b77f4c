"""Trajectories become fixed windows; the only floor that pads."""
