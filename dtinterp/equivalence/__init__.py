"""Swaps of observations become classes that the model treats alike, certified and held against the truth."""
