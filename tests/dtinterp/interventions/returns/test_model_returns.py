"""What a model earns with something in place of its rows, against a model whose every weight is known."""

import numpy as np
import pytest
import torch

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import reconstruct
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns import paired_rollouts
from dtinterp.interventions.returns.model_returns import ActingConfig, ModelReturns, arms_of, decision_frames
from environments.vocabulary import one_hot

STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
SITE = "hook_obs_embed"
FEW = ActingConfig(n_episodes=8)


@pytest.fixture
def rows(planted_model, graph):
    return (one_hot(torch.tensor(graph.frames)) @ planted_model.W_obs).detach()


def _acting(model, edit, rows, config=FEW, seed=0):
    return ModelReturns(model, STATIC, config, seed).under(arms_of(model, SITE, edit, rows.mean(dim=0)))


def test_rows_put_back_as_they_were_keep_the_whole_return(planted_model, rows):
    found = _acting(planted_model, lambda x: x, rows)
    assert found.exact["clean"].expected_return == pytest.approx(0.892)
    assert found.exact["spliced"] == found.exact["clean"]
    assert found.return_kept == pytest.approx(1)
    assert found.played["temperature=1"]["spliced"] == found.played["temperature=1"]["clean"]


def test_a_dictionary_that_loses_nothing_keeps_the_whole_return(planted_model, rows):
    perfect = fit(rows, FitConfig(Identity()), generator=torch.Generator())
    assert _acting(planted_model, lambda x: reconstruct(perfect, x), rows).return_kept == pytest.approx(1)


def test_without_the_instruction_half_of_the_episodes_fail(planted_model, planted_direction, rows):
    def forget(x):
        return x - (x @ planted_direction)[:, None] * planted_direction

    found = _acting(planted_model, forget, rows, ActingConfig(n_episodes=64))
    assert found.exact["spliced"].success <= 0.5
    played = found.played["temperature=1"]
    assert played["spliced"].success.estimate < played["clean"].success.estimate
    assert played["spliced"].change.high < 0


def test_a_trial_that_knows_what_the_model_does_intact_finds_what_a_new_one_finds(planted_model, rows):
    def weaken(x):
        return 0.1 * x

    trial, mean = ModelReturns(planted_model, STATIC, FEW, seed=0), rows.mean(dim=0)
    for edit in (torch.neg, weaken):
        arms = arms_of(planted_model, SITE, edit, mean)
        assert trial.under(arms) == ModelReturns(planted_model, STATIC, FEW, seed=0).under(arms)


def test_what_a_model_does_intact_is_played_once(planted_model, rows, monkeypatch):
    played = []
    play = paired_rollouts.play_episodes
    monkeypatch.setattr(
        paired_rollouts, "play_episodes", lambda *given, **named: played.append(given) or play(*given, **named)
    )
    trial, arms = (
        ModelReturns(planted_model, STATIC, FEW, seed=0),
        arms_of(planted_model, SITE, torch.neg, rows.mean(dim=0)),
    )
    tried = {arm: arms[arm] for arm in ("clean", "spliced")}
    trial.under(tried)
    trial.under(tried)
    assert len(played) == 3


def test_the_exact_return_is_what_greedy_episodes_earn(planted_model, rows):
    def weaken(x):
        return 0.1 * x

    config = ActingConfig(samplers=("greedy",), n_episodes=64)
    found = _acting(planted_model, weaken, rows, config)
    for arm, earned in found.exact.items():  # every start is among the episodes; greedy ones do not differ otherwise
        played = found.played["greedy"][arm].mean_return
        assert played.low - 1e-6 <= earned.expected_return <= played.high + 1e-6, arm


def test_the_same_seed_gives_the_same_episodes(random_model, graph):
    table = (one_hot(torch.tensor(graph.frames)) @ random_model.W_obs).detach()
    few = ActingConfig(n_episodes=2)
    assert _acting(random_model, torch.neg, table, few) == _acting(random_model, torch.neg, table, few)


def test_no_episodes_are_played_where_none_are_asked_for(planted_model, rows):
    assert _acting(planted_model, torch.neg, rows, ActingConfig(n_episodes=0)).played == {}


def test_pads_are_left_alone(draw_model, windows, items):
    """In a model that attends to its pads, zeros at real slots are not zeros at pads."""
    model = draw_model(attend_to_padding=True, position_embedding=True)
    arms = arms_of(model, "blocks.0.hook_resid_pre", torch.zeros_like, torch.zeros(16))
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items)
    seen = {}

    def keep(activation, **_):
        seen["there"] = activation

    model.run_with_hooks(windows, items, fwd_hooks=[*arms["spliced"](windows), ("blocks.0.hook_resid_pre", keep)])
    tokens = model.cfg.observation_tokens
    before, after = cache["blocks.0.hook_resid_pre"][:, tokens], seen["there"][:, tokens]
    torch.testing.assert_close(after[~windows.mask], before[~windows.mask])
    assert not after[windows.mask].any()


def test_the_fork_is_where_no_action_is_always_best(graph):
    found = {frame.tobytes() for frame in decision_frames(graph).numpy()}
    for frame, content in enumerate(graph.frames):
        best = [set(np.nonzero(graph.optimal[state])[0]) for state in np.nonzero(graph.frame_id == frame)[0]]
        assert (content.tobytes() in found) == (not set.intersection(*best))


def test_a_negative_number_of_episodes_is_refused():
    with pytest.raises(UserError, match="n_episodes is -1, expected at least 0"):
        ActingConfig(n_episodes=-1)


def test_an_unknown_sampler_is_refused():
    with pytest.raises(UserError, match="the sampler is 'hot', expected"):
        ActingConfig(samplers=("hot",))
