import pytest

from dtinterp.agents.config import AgentConfig, scheduled
from dtinterp.foundation.errors import UserError


def test_a_schedule_is_constant_or_falls_to_zero_in_a_line():
    assert [scheduled(0.4, "constant", passed) for passed in (0.0, 0.5, 1.0)] == [0.4, 0.4, 0.4]
    assert [scheduled(0.4, "linear", passed) for passed in (0.0, 0.25, 1.0)] == pytest.approx([0.4, 0.3, 0.0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"n_worlds": 10, "n_minibatches": 4},
            "n_worlds is 10, expected a multiple of n_minibatches, 4",
        ),
        (
            {"n_worlds": 4, "n_rollout": 1, "steps": 8},
            "n_rollout is 1, expected at least 2",
        ),
        ({"steps": 100}, "steps is 100, expected at least one rollout, 4096: ask for more steps"),
        ({"n_minibatches": 0}, "n_minibatches is 0, expected at least 1"),
        ({"n_worlds": 0}, "n_worlds is 0, expected at least 1"),
        ({"discount": 1.5}, "discount is 1.5, expected a number from 0 to 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected a number above 0"),
        ({"stop_at": 1.5}, "stop_at is 1.5, expected a number from 0 to 1"),
        ({"save_every": 0}, "save_every is 0, expected at least 1"),
        ({"entropy": -0.1}, "entropy is -0.1, expected at least 0"),
    ],
)
def test_what_cannot_be_run_is_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        AgentConfig(**change)
