from typing import Literal

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.difference import DifferenceDirection
from dtinterp.interventions.directions.labelled_rows import LabelledRows, rows_at


def test_rows_are_those_of_the_frame_that_is_named(material):
    model, chosen = material.subject.model, material.windows
    places: dict[Literal["first", "last"], int] = {"first": 5, "last": 9}
    for frame, place in places.items():
        rows, slot = rows_at(material, chosen, frame)
        assert slot.tolist() == [place] * 4
        expected = chosen.items[chosen.windows.frame_id[:, place]] @ model.W_obs.detach()
        torch.testing.assert_close(rows, expected)


def test_equal_rows_of_one_value_count_once():
    rows = LabelledRows(torch.tensor([[1.0], [1.0], [1.0], [2.0]]), torch.tensor([True, True, False, False]))
    assert len(rows.distinct().rows) == 3
    assert rows.majority == 0.5
    assert rows.accuracy(torch.tensor([-1.0]), -1.5) == 0.75


def test_training_rows_are_of_training_episodes(material):
    spec = DifferenceDirection(fact="instruction", rows="training", n_windows=64)
    found = spec.found_in(material)
    assert 32 < len(found.rows) <= 64
    assert 0 < float(found.is_first.float().mean()) < 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"fact": "colour"}, "the fact is 'colour', expected one of"),
        ({"fact": "x"}, r"the fact x has 1 values in the windows \(5\): say `between` which two"),
        ({"fact": "instruction", "between": ("key", "lamp")}, "the fact instruction is 'lamp', expected one of key"),
        ({"fact": "x", "between": (5, 4)}, "all rows have x 5"),
        ({"fact": "x", "between": (2, 4)}, "no window shows its last frame with such a x"),
    ],
)
def test_facts_without_two_values_are_refused(material, fields, sentence):
    with pytest.raises(UserError, match=sentence):
        DifferenceDirection(**fields).find(material)
