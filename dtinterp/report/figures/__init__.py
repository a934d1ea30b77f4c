"""Plotly figures, which the page and the app both show."""
