"""Results become figures, tables and one page that needs nothing but itself."""
