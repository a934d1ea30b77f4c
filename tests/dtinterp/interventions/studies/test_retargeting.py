from dataclasses import replace

import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.studies.retargeting import Arena, RetargetConfig, Sent, retarget
from dtinterp.subject.subject import Subject

CONFIG = RetargetConfig(n_episodes=12, n_draws=2, sampler="greedy")


@pytest.fixture(scope="module")
def arms(planted_subject: Subject) -> dict[str, Sent]:
    return {each.arm: each for each in retarget(planted_subject, CONFIG)}


def test_the_planted_instruction_sends_the_agent_where_it_is_told(arms: dict[str, Sent]) -> None:
    for name in ("first component", "difference of means"):
        sent = arms[f"instruction, {name}"]
        assert sent.reached.estimate == 1
        assert sent.kept is not None
        assert sent.kept.estimate == 1


def test_left_alone_it_goes_where_the_instruction_says(arms: dict[str, Sent]) -> None:
    assert arms["intact"].reached.estimate == 0


def test_it_does_not_care_what_return_is_asked_for(arms: dict[str, Sent]) -> None:
    """The planted model reads no return."""
    assert arms["return-to-go"].reached.estimate == 0


def test_random_vectors_are_counted_one_by_one_and_together(arms: dict[str, Sent]) -> None:
    random = arms["random, sphere"]
    assert len(random.by_draw) == CONFIG.n_draws
    assert random.reached.n == CONFIG.n_draws * CONFIG.n_episodes
    assert random.reached.estimate == pytest.approx(sum(random.by_draw) / CONFIG.n_draws)
    assert random.reached.estimate < 1


def test_every_start_is_told_apart(arms: dict[str, Sent]) -> None:
    found = arms["instruction, difference of means"].by_start
    assert {*found} <= {f"{told}, {left} left" for told in ("key", "ball") for left in ("key", "ball")}
    assert sum(each.n for each in found.values()) == CONFIG.n_episodes


def test_a_world_without_an_instruction_is_refused(planted_subject: Subject) -> None:
    elsewhere = replace(
        planted_subject, trajectories=replace(planted_subject.trajectories, env_id="MiniGrid-Empty-5x5-v0")
    )
    with pytest.raises(UserError, match="MiniGrid-Empty-5x5-v0 has no fact correct_turn"):
        Arena.of(elsewhere, CONFIG)
