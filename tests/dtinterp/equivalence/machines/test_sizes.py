"""What controls and the world would have a machine say."""

import numpy as np

from dtinterp.equivalence.machines.sizes import (
    MODEL_WHERE_OPTIMAL,
    ONE_OPTIMAL,
    SET_OF_OPTIMAL,
    MachineLesson,
    at_each_horizon,
    learn_all,
    relabelled,
    world_labels,
)
from dtinterp.foundation.jobs.job_cache import NO_CACHE, open_job_cache

LEFT = 0


def test_labels_handed_out_anew_are_as_many_of_each_at_each_length(counted):
    drawn = relabelled(counted.seen, counted.odd, np.random.default_rng(0))
    assert (drawn != counted.odd).any()
    for level in counted.seen.levels:
        assert np.bincount(drawn[level], minlength=2).tolist() == np.bincount(counted.odd[level], minlength=2).tolist()


def test_the_worlds_actions_are_optimal_and_the_models_where_it_is(counted, graph):
    model = np.full(len(counted.seen), LEFT)
    labels = world_labels(graph, counted.tree, counted.seen, model)
    optimal = graph.optimal[counted.tree.state[counted.seen.first_history()]]
    alike = np.bincount(counted.seen.of_history) == 1
    plays = np.arange(len(counted.seen))
    assert optimal[plays, labels[ONE_OPTIMAL]][alike].all()
    assert optimal[plays, labels[MODEL_WHERE_OPTIMAL]][alike].all()
    assert (labels[MODEL_WHERE_OPTIMAL][alike & optimal[:, LEFT]] == LEFT).all()
    sets = labels[SET_OF_OPTIMAL][alike]
    for label in np.unique(sets):
        assert len(np.unique(optimal[alike][sets == label], axis=0)) == 1


def test_each_horizon_is_a_lesson(counted):
    lessons = at_each_horizon("odd", counted.seen, counted.odd, n_tries=1)
    assert [each.seen.horizon for each in lessons] == [1, 2, 3, 4]
    assert all(len(each.label) == len(each.seen) for each in lessons)


def test_what_was_learned_is_not_learned_again(counted, graph, tmp_path, monkeypatch):
    lessons = [MachineLesson("odd", counted.seen, counted.odd, n_tries=2)]
    cache = open_job_cache(tmp_path / "cache", {"work": "test"})
    first = learn_all(lessons, graph, seed=0, cache=cache)[0]
    monkeypatch.setattr("dtinterp.equivalence.machines.sizes.learn_machine", None)
    again = learn_all(lessons, graph, seed=0, cache=cache)[0]
    assert again.machine.target.equal(first.machine.target)
    assert (again.size.n_states, again.size.at_least, again.size.n_outputs) == (2, 2, 2)


def test_without_tries_there_is_no_bound(counted, graph):
    lesson = MachineLesson("odd", counted.seen.until(2), counted.odd[: len(counted.seen.until(2))], n_tries=0)
    assert learn_all([lesson], graph, seed=0, cache=NO_CACHE)[0].size.at_least == 0
