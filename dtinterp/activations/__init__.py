"""Activations: rows that know where they came from, and splice points where edited rows go back in."""
