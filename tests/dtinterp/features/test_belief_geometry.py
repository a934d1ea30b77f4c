"""The verb on a subject: whose rows it reads, what it refuses, and what is kept of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.activations.sites import stream_sites
from dtinterp.features.belief_geometry import (
    BELIEFS,
    BeliefConfig,
    BeliefGeometry,
    newest_rows,
    regress_beliefs,
    windows_asked,
)
from dtinterp.features.belief_regression import belief_targets, predicted, scored
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.returns.expectation import windows_of
from dtinterp.subject.subject import Subject, open_subject
from environments.graph.evaluation import SeenWindows
from environments.graph.plays import MOVES
from environments.graph.state_graph import state_graph
from environments.graph.window_posteriors import played_windows

FEW = BeliefConfig(facts=("instruction", "correct_turn", "x"), n_plays=400, longest=5, n_folds=3)


@pytest.fixture(scope="module")
def subject(small_study) -> Subject:
    return open_subject(small_study / "models" / "novice")


@pytest.fixture(scope="module")
def found(subject: Subject) -> BeliefGeometry:
    return regress_beliefs(subject, FEW)


def test_the_embedding_of_the_newest_frame_remembers_nothing(found: BeliefGeometry) -> None:
    assert found.sites[0] == "hook_obs_embed"
    for scores in (found.trained, found.untrained, found.shuffled):
        torch.testing.assert_close(scores.r2[0], torch.zeros(3), atol=1e-6, rtol=0)
    assert 0 < found.open_share[0] < found.open_share[1] <= 1


def test_scores_are_those_of_each_models_own_rows(subject: Subject, found: BeliefGeometry) -> None:
    graph, rng = state_graph(found.env_id), numpy_generator(FEW.seed, "beliefs")
    n_slots, site = subject.model.cfg.n_slots, found.sites.index("blocks.0.hook_resid_mid")
    played = played_windows(graph, MOVES, n_plays=FEW.n_plays, n_slots=n_slots, longest=FEW.longest, generator=rng)
    targets, windows = belief_targets(graph, played, FEW.facts), windows_asked(played, FEW.target_return)
    assert (found.n_windows, found.n_beliefs) == (len(windows), targets.n_beliefs)
    for model, scores in ((subject.model, found.trained), (subject.untrained, found.untrained)):
        (rows,) = newest_rows(model, windows, graph, [found.sites[site]])
        guess = predicted(rows, {"real": targets.left_open}, targets.frame, n_folds=FEW.n_folds)["real"]
        expected = scored(targets, targets.left_open, [guess], numpy_generator(0, "any"))
        torch.testing.assert_close(scores.r2[site], expected.r2[0])
        torch.testing.assert_close(scores.by_time[site], expected.by_time[0])
        assert scores.r2[site, 0] != 0
    assert not torch.equal(found.trained.r2, found.untrained.r2)
    assert found.trained.by_time.shape == (len(found.sites), 3, 6)


def test_sites_may_be_chosen_and_are_else_all_of_the_stream(subject: Subject, found: BeliefGeometry) -> None:
    assert found.sites == stream_sites(subject.model)
    with pytest.raises(UserError, match="nowhere"):
        regress_beliefs(subject, replace(FEW, sites=("nowhere",)))


def test_windows_are_those_that_a_policy_is_shown() -> None:
    graph = state_graph("MiniGrid-MemoryS7FixedStartStatic-v0")
    played = played_windows(graph, MOVES, n_plays=50, n_slots=4, longest=6, generator=np.random.default_rng(0))
    asked = windows_asked(played, 0.5)
    for n, time in enumerate(played.time.tolist()):
        seen = SeenWindows(played.windows.frame_id[n : n + 1], played.windows.action[n : n + 1], time)
        one = windows_of(seen, target_return=0.5)
        for name in ("rtg", "frame_id", "action", "time", "mask"):
            assert torch.equal(getattr(one, name)[0], getattr(asked, name)[n])


def test_what_was_found_is_read_back(found: BeliefGeometry, subject: Subject, tmp_path) -> None:
    save(tmp_path / "beliefs", found, parents=subject.artefacts, seed=0)
    again = load(tmp_path / "beliefs", BELIEFS)
    assert (again.sites, again.config, again.n_beliefs) == (found.sites, found.config, found.n_beliefs)
    assert torch.equal(again.trained.by_time, found.trained.by_time)


def test_a_world_without_a_graph_is_refused(subject: Subject) -> None:
    elsewhere = replace(subject, trajectories=replace(subject.trajectories, env_id="MiniGrid-DoorKey-6x6-v0"))
    with pytest.raises(UserError, match="the states of MiniGrid-DoorKey-6x6-v0 cannot be enumerated"):
        regress_beliefs(elsewhere, FEW)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"facts": ()}, "there is no fact"), ({"n_folds": 2}, "n_folds"), ({"longest": 0}, "longest")]
)
def test_what_cannot_be_meant_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        BeliefConfig(**wrong)
