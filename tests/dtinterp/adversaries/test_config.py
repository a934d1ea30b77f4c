import pytest

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.naturalness import Budget
from dtinterp.foundation.errors import UserError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"actions": ("left", "up")},
            "actions holds 'up', expected of left, right, forward, pickup, drop, toggle, done",
        ),
        ({"actions": ("left",)}, "actions are left, and to flip logits takes 2 different ones"),
        ({"actions": ("left", "left")}, "actions are left left, and to flip logits takes 2 different ones"),
        ({"flip": "action"}, "actions are left right, and to flip action takes 0 or 1 different ones"),
        ({"n_edits": 0}, "n_edits is 0, expected at least 1"),
        ({"least_log_likelihood": 2.0}, "least_log_likelihood is 2.0, expected 0 or less"),
        ({"target_return": float("nan")}, "target_return is nan, expected a finite number"),
    ],
)
def test_what_cannot_be_searched_is_refused(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        AdversaryConfig(**settings)


def test_the_budget_is_what_the_settings_say():
    config = AdversaryConfig(n_edits=1, reach="shown", least_log_likelihood=-5.0, flip="action", actions=())
    assert config.budget == Budget(1, "shown", -5.0)
