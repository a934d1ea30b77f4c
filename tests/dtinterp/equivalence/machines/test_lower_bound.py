"""Plays that are told apart, against the definition in plain loops."""

import numpy as np
import pytest

from dtinterp.equivalence.machines import lower_bound
from dtinterp.equivalence.machines.learning import learn_machine
from dtinterp.equivalence.machines.lower_bound import plays_apart, told_apart


def _children(seen):
    found = [{} for _ in range(len(seen))]
    for play in range(len(seen)):
        if seen.parent[play] >= 0:
            found[seen.parent[play]][int(seen.action[play]), int(seen.frame_id[play])] = play
    return found


def _apart(one, other, label, children):
    if label[one] != label[other]:
        return True
    both = children[one].keys() & children[other].keys()
    return any(_apart(children[one][key], children[other][key], label, children) for key in both)


@pytest.fixture(scope="module")
def random_labels(counted):
    return (np.random.default_rng(0).random(len(counted.seen)) < 0.2).astype(np.int64)


def test_plays_are_told_apart_by_what_follows(counted, random_labels):
    few = counted.seen.until(3)
    label, children = random_labels[: len(few)], _children(few)
    slow = [[_apart(one, other, label, children) for other in range(len(few))] for one in range(len(few))]
    assert np.array_equal(told_apart(few, label), np.array(slow))
    assert 0 < np.mean(slow) < 1


def test_the_plays_that_are_returned_are_apart_pairwise(counted, random_labels):
    found = plays_apart(counted.seen, random_labels, generator=np.random.default_rng(0))
    apart = told_apart(counted.seen, random_labels)[np.ix_(found, found)]
    assert len(found) > 2
    assert (apart | np.eye(len(found), dtype=bool)).all()


def test_no_machine_that_agrees_has_fewer_states(counted, random_labels):
    found = plays_apart(counted.seen, random_labels, generator=np.random.default_rng(0))
    rng = np.random.default_rng(0)
    machine = learn_machine(counted.seen, random_labels, n_actions=7, n_frames=counted.n_frames, generator=rng)
    assert len(found) <= machine.n_states


def test_a_policy_that_counts_to_two_needs_two_states(counted):
    assert len(plays_apart(counted.seen, counted.odd, generator=np.random.default_rng(0))) == 2


def test_of_too_many_futures_the_shorter_plays_bound_all(counted, random_labels, monkeypatch):
    whole = plays_apart(counted.seen, random_labels, generator=np.random.default_rng(0))
    monkeypatch.setattr(lower_bound, "MOST_COMPARED", 30)
    fewer = plays_apart(counted.seen, random_labels, generator=np.random.default_rng(0))
    assert 1 < len(fewer) < len(whole)
    assert counted.seen.time[fewer].max() < counted.seen.horizon
