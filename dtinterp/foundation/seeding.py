"""Independent named generators from one seed."""

import hashlib

import numpy as np
import torch


def generator(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the torch generator of stream `name`; streams of different names are independent.

    Same seed and name: same numbers, whatever else was drawn before.
    """
    return torch.Generator(device=device).manual_seed(_stream(seed, name))


def numpy_generator(seed: int, name: str) -> np.random.Generator:
    """Return the numpy generator of stream `name`, for libraries that draw with numpy."""
    return np.random.default_rng(_stream(seed, name))


def _stream(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1  # torch seeds are signed 64-bit
