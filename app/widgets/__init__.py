"""Parts of pages, one module each."""
