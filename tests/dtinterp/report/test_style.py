import torch

from dtinterp.equivalence.partition import partition_of
from dtinterp.report.style import CONTROL_2, class_colours


def test_classes_of_one_are_grey_and_no_other():
    colours = class_colours(partition_of(torch.tensor([0, 1, 0, 2, 2]), "planted"))
    assert colours[1] == CONTROL_2
    assert len({*colours}) == 3


def test_a_class_that_grows_keeps_the_colour_of_its_first_frame():
    before = class_colours(partition_of(torch.tensor([0, 0, 1, 1, 2]), "fine"))
    after = class_colours(partition_of(torch.tensor([0, 0, 1, 1, 1]), "coarse"))
    assert after == before[:2]


def test_a_hundred_classes_have_a_hundred_colours():
    partition = partition_of(torch.arange(100).repeat(2), "pairs")
    assert len(set(class_colours(partition))) == 100
