"""Rows into the numbers of the distinct ones among them, in order of first appearance."""

import numpy as np
from jaxtyping import Int32, Shaped


def number_rows(rows: Shaped[np.ndarray, "row ..."]) -> Int32[np.ndarray, " row"]:
    """Return a number for each row; equal rows share one, and a row unlike all before it gets the next one from 0."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], dtype=np.int32)
