from pathlib import Path

import pytest

from app.catalogue import OpenStudy, open_study, studies
from app.shelf import shelve
from app.widgets.classes import groups
from dtinterp.equivalence.levels import epsilons, level_at
from dtinterp.report.style import class_colours


@pytest.fixture(scope="module")
def opened(small_study: Path) -> OpenStudy:
    return open_study(studies(shelve([small_study]))["novice"])


@pytest.mark.parametrize("which", [0, 5, 15, -1])
def test_every_observation_stands_in_the_atlas_once_at_every_epsilon(opened, which):
    level = level_at(opened.report, epsilons(opened.report)[which])
    shown = [picture.frame for group in groups(opened, level) for picture in group.pictures]
    assert sorted(shown) == sorted(opened.frames)


def test_classes_come_largest_first_in_their_colours_and_loners_last(opened):
    level = level_at(opened.report, 0.001)
    found = groups(opened, level)
    sizes = [len(group.pictures) for group in found[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 1
    n_alone = int((level.partition.sizes == 1).sum())
    assert found[-1].name == f"{n_alone} observations on their own"
    colours = class_colours(level.partition)
    for group in found[:-1]:
        label = int(group.name.removeprefix("class "))
        assert group.colour == colours[label]
        members = [opened.frames[place] for place in level.partition.members(label).tolist()]
        assert sorted(picture.frame for picture in group.pictures) == sorted(members)
