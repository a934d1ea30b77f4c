"""Decision transformers in gridworlds, taken apart and held against exact truth."""

from dtinterp.foundation import __version__

__all__ = ["__version__"]
