"""Decision transformers in gridworlds, taken apart and held against exact truth."""

__version__ = "0.1.0"
