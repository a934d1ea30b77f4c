"""Results become plotly figures, which the page and the app both show."""
