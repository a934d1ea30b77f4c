"""Results become the sections of the page, one module each."""
