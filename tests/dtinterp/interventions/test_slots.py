import pytest
import torch

from dtinterp.dataset.windows import Windows, blank_windows
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.slots import SlotOf, every_frame, first_frame, last_frame, slots_of, tokens_of
from dtinterp.model.config import ModelConfig

TIMES = [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [0, 0, 0]]
REAL = [[False, False, True], [False, True, True], [True, True, True], [True, True, True], [False, False, False]]


@pytest.fixture
def windows() -> Windows:
    blank = blank_windows(5, 3)
    return Windows(blank.rtg, blank.frame_id, blank.action, torch.tensor(TIMES), torch.tensor(REAL), blank.step)


def test_slots_are_named_by_env_time_and_not_by_pads(windows: Windows) -> None:
    assert first_frame(windows).nonzero().tolist() == [[0, 2], [1, 1], [2, 0]]
    assert last_frame(windows).nonzero().tolist() == [[0, 2], [1, 2], [2, 2], [3, 2]]
    assert torch.equal(every_frame(windows), windows.mask)


def test_a_slot_is_found_by_its_time_or_its_number(windows: Windows) -> None:
    assert slots_of(SlotOf(time=1))(windows).nonzero().tolist() == [[1, 2], [2, 1], [3, 0]]
    assert slots_of(SlotOf(index=1))(windows).nonzero().tolist() == [[1, 1], [2, 1], [3, 1]]
    assert torch.equal(slots_of(SlotOf(index=-2))(windows), slots_of(SlotOf(index=1))(windows))
    assert torch.equal(slots_of(SlotOf(index=-1))(windows), slots_of("last")(windows))


@pytest.mark.parametrize("both", [{}, {"time": 1, "index": 1}])
def test_a_slot_has_one_name(both: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="by its time or by its index, one of them"):
        SlotOf.model_validate(both)


def test_a_model_that_is_asked_for_no_return_has_no_such_token() -> None:
    assert range(29)[tokens_of(ModelConfig(), "action")] == range(2, 29, 3)
    cloning = ModelConfig(return_to_go=False)
    assert tokens_of(cloning, "observation") == cloning.observation_tokens
    with pytest.raises(UserError, match="the token is 'return', expected one of observation, action"):
        tokens_of(cloning, "return")
