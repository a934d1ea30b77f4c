"""What every test shares: one thread, and quick tests before slow ones."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers share two cores, and child processes inherit it

import torch

torch.set_num_threads(1)  # sums are taken in the same order on every machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests after quick ones, and the browser last."""
    items.sort(key=_lateness)


def _lateness(item: pytest.Item) -> int:
    if item.get_closest_marker("browser"):
        return 2
    return 1 if item.get_closest_marker("slow") else 0
