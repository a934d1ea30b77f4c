"""Drawings that no plotting library makes: of states, and of what leads from one to another."""
