from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.equivalence.over_training import NEVER, HistoryConfig, HistoryInputs, follow
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.validation import validate

CONFIG = HistoryConfig(n_frames=10, n_contexts=2, epsilon=0.1, n_halves=3)


@pytest.fixture(scope="module")
def ground(trajectories, halves, items):
    windows = window(trajectories, halves.held_out[:200], 10)
    return HistoryInputs(trajectories, halves.held_out, items, windows)


@pytest.fixture(scope="module")
def blind(model):
    """The same model, to which every observation is the same."""
    twin = DecisionTransformer(model.cfg, generator(0, "model"))
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        twin.W_obs.zero_()
    return twin


@pytest.fixture(scope="module")
def fresh(model):
    return DecisionTransformer(model.cfg, generator(3, "fresh"))


@pytest.fixture(scope="module")
def history(model, blind, fresh, ground):
    return follow({7: blind, 0: fresh, 30: model, 2: model}, ground, CONFIG)


def test_moments_come_in_the_order_of_steps_and_each_is_about_its_own_model(history, model, blind, ground):
    assert [moment.step for moment in history.moments] == [0, 2, 7, 30]
    losses = [moment.validation.loss for moment in history.moments]
    assert losses[1] == losses[3] == validate(model, ground.windows, ground.items).loss
    assert losses[2] == validate(blind, ground.windows, ground.items).loss != losses[1]


def test_a_model_that_sees_nothing_has_one_class_and_one_that_sees_has_several(history):
    counts = [moment.n_classes for moment in history.moments]
    assert counts[2] == 1
    assert counts[1] == counts[3] > 1
    assert [int(label.max()) + 1 for label in history.label] == counts


def test_what_merges_and_splits_makes_up_what_is_together(history):
    together = [moment.n_together for moment in history.moments]
    slow = [sum(int(label[i] == label[j]) for i in range(10) for j in range(i)) for label in history.label]
    assert together == slow
    assert (history.moments[0].n_merged, history.moments[0].n_split) == (0, 0)
    for before, now in zip(history.moments, history.moments[1:], strict=False):
        assert now.n_together == before.n_together + now.n_merged - now.n_split
    assert history.moments[3].n_split == history.moments[2].n_merged > 0


def test_the_last_model_is_like_itself_and_so_is_its_equal(history):
    assert history.moments[1].like_last == history.moments[3].like_last == 1.0
    assert history.moments[2].like_last == 0.0
    assert history.moments[1].like_world == history.moments[3].like_world


def test_a_model_acts_on_one_class_as_if_it_saw_one_observation(history):
    blind = history.moments[2]
    assert blind.on_classes == blind.intact  # it cannot tell them apart anyway


def test_pairs_are_together_since_the_moment_after_they_were_last_apart(history):
    since = history.together_since()
    steps = [moment.step for moment in history.moments]
    for i in range(10):
        for j in range(10):
            expected = NEVER
            for place in reversed(range(4)):
                if history.label[place][i] != history.label[place][j]:
                    break
                expected = steps[place]
            assert since[i, j] == expected
    assert (since == NEVER).any()
    assert (since.diagonal() == 0).all()


def test_work_that_is_kept_gives_the_same_history(history, model, blind, fresh, ground, tmp_path):
    cache = open_job_cache(tmp_path / "unfinished", {})
    follow({0: fresh, 2: model}, ground, CONFIG, cache=cache)
    again = follow({0: fresh, 2: model, 7: blind, 30: model}, ground, CONFIG, cache=cache)
    assert torch.equal(again.label, history.label)
    assert again.moments == history.moments


def test_one_model_has_no_history(model, ground):
    with pytest.raises(UserError, match="1 model was given, expected two or more of one training"):
        follow({0: model}, ground, CONFIG)


@pytest.mark.parametrize(("field", "value"), [("epsilon", 1.5), ("n_frames", 1), ("n_contexts", 0), ("n_halves", 0)])
def test_configs_that_compare_nothing_are_refused(field, value):
    with pytest.raises(UserError, match=field):
        replace(CONFIG, **{field: value})
