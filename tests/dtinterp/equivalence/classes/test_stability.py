from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes.stability import stability
from dtinterp.equivalence.swaps.trials import try_swaps


@pytest.fixture(scope="module")
def trials(model, contexts, items):
    return try_swaps(model, contexts, items=items, frame_id=contexts.frame_id.unique())


def _told(trials):
    found = _stability(trials)
    assert found is not None
    return found


def _stability(trials):
    return stability(trials, epsilon=0.1, n_draws=10, generator=np.random.default_rng(0))


def test_classes_that_every_context_shows_are_perfectly_stable(trials):
    label = torch.arange(len(trials.frame_id)) % 3
    own = label[(trials.contexts.frame_id[:, None] == trials.frame_id).int().argmax(1)]
    found = _told(replace(trials, peak=(own[:, None] != label).float()))
    assert (found.estimate, found.low, found.high, found.n) == (1, 1, 1, 10)


def test_classes_that_are_noise_are_not(trials):
    rng = np.random.default_rng(1)
    own = trials.contexts.frame_id[:, None] == trials.frame_id
    noise = torch.from_numpy(rng.random(tuple(trials.peak.shape)) < 0.2).float() * ~own
    found = _told(replace(trials, peak=noise))
    assert abs(found.estimate) < 0.3


def test_a_single_context_cannot_be_halved(trials):
    first = [int((trials.contexts.frame_id == frame).nonzero()[0]) for frame in trials.frame_id]
    alone = replace(
        trials,
        contexts=trials.contexts[torch.tensor(first)],
        **{name: getattr(trials, name)[first] for name in ("peak", "mean", "at_once", "is_flipped", "decision")},
    )
    assert _stability(alone) is None
