import pytest
import torch
from pydantic import TypeAdapter

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import understood
from dtinterp.interventions.measures import AnyMeasure
from dtinterp.interventions.measures.logit_difference import LogitDifference, Restored

UNTOUCHED = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
EDITED = torch.tensor([[[0.0, 2.0, 0.0], [0.0, 2.0, 5.0]], [[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]]])


def test_the_change_is_of_the_difference_of_two_actions() -> None:
    measure = LogitDifference(logit_difference=("left", "right"))
    assert measure.of(UNTOUCHED).tolist() == [1.0, -2.0]
    assert measure.change(EDITED, UNTOUCHED).tolist() == [[-3.0, 0.0], [0.0, 5.0]]


def test_restored_is_one_where_a_window_answers_as_the_named_one_does() -> None:
    measure = Restored(restored=("left", "right"), other=("second", "first"), names=("first", "second"))
    swapped = UNTOUCHED.flip(0)[None]
    assert measure.change(swapped, UNTOUCHED).tolist() == [[1.0, 1.0]]
    assert measure.change(UNTOUCHED[None], UNTOUCHED).tolist() == [[0.0, 0.0]]
    measure.require_windows(("first", "second"))
    with pytest.raises(UserError, match="restored names 2 others, expected one of first, third"):
        measure.require_windows(("first", "third"))


def test_a_word_stands_for_a_measure_and_unknown_ones_are_refused() -> None:
    assert understood("logit_difference", AnyMeasure, whence="x") == LogitDifference(logit_difference=("left", "right"))
    for wrong, told in (
        ("logit_diff", "'logit_diff' is no measure, expected one of logit_difference, restored, flip, kl, the nearest"),
        (
            {"logit_difference": ["left", "rigth"]},
            "'rigth' is no action, .*nearest is right",
        ),
        ({"logit_difference": ["left", "left"]}, "an action stands there twice"),
    ):
        with pytest.raises(UserError, match=told):
            understood(wrong, AnyMeasure, whence="x")


@pytest.mark.parametrize("said", [{"flip": "left"}, {"kl": "bits"}, {"logit_difference": ["left", "forward"]}])
def test_measures_go_to_json_and_back(said: dict[str, object]) -> None:
    adapter = TypeAdapter(AnyMeasure)
    measure = adapter.validate_python(said)
    assert adapter.validate_json(adapter.dump_json(measure)) == measure
