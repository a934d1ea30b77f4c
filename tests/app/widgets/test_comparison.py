from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.catalogue import OpenStudy, open_study, studies
from app.shelf import shelve
from app.widgets.comparison import comparison_table
from dtinterp.equivalence.levels import level_at
from dtinterp.equivalence.partition import partition_of


@pytest.fixture(scope="module")
def opened(small_study: Path) -> OpenStudy:
    """The small study with planted classes of the model."""
    study = open_study(studies(shelve([small_study]))["novice"])
    planted = partition_of(torch.tensor([0, 0, 0, 1, 1, 2, 3, 0, 4, 5, 1, 2]), "planted")
    return replace(study, report=replace(study.report, partition=planted))


def test_overlaps_are_those_that_a_slow_loop_counts(opened: OpenStudy) -> None:
    level = level_at(opened.report, opened.report.config.epsilon)
    ours = level.partition.label.tolist()
    for place in range(12):
        table = comparison_table(opened, level, place)
        assert table["partition of the world"].tolist() == [world.name for world in opened.report.worlds]
        for row, world in zip(table.itertuples(index=False), opened.report.worlds, strict=True):
            theirs = world.label.tolist()
            others = [other for other in range(12) if other != place]
            both = sum(ours[o] == ours[place] and theirs[o] == theirs[place] for o in others)
            only_world = sum(ours[o] != ours[place] and theirs[o] == theirs[place] for o in others)
            only_model = sum(ours[o] == ours[place] and theirs[o] != theirs[place] for o in others)
            assert tuple(row)[1:] == (both, only_world, only_model)
