"""Demonstrations: policies rolled out in worlds, recorded and judged."""
