"""Figures, tables and one page that needs nothing but itself, from the results of a study."""
