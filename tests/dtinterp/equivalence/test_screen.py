import pytest
import torch

from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.screen import ScreenConfig, screen_inputs
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.equivalence.swaps.trials import try_swaps
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer

SETTINGS = {
    "n_frames": 60,
    "n_probes": 6,
    "n_mates": 4,
    "n_verified": 30,
    "epsilon": 0.1,
    "n_draws": 5,
    "n_quotient_draws": 1,
}


def _screen(model, trajectories, halves, items, **settings):
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    bench = CertifyInputs(model, untrained, trajectories, halves.held_out, items)
    return screen_inputs(bench, ScreenConfig(**(SETTINGS | settings)))


@pytest.fixture(scope="module")
def blind(model):
    """Cannot tell a key from a ball, nor either from nothing."""
    network = DecisionTransformer(model.cfg, generator(0, "blind"))
    network.load_state_dict(model.state_dict())
    with torch.no_grad():
        network.W_obs[5 * 49 : 7 * 49] = 0
    return network


def test_frames_that_differ_in_ignored_items_only_share_a_class(blind, trajectories, halves, items):
    found = _screen(blind, trajectories, halves, items)
    seen = items.clone()
    seen[:, 5 * 49 : 7 * 49] = 0
    twin = partition_of(seen[found.chosen.frame_id].unique(dim=0, return_inverse=True)[1], "twins")
    for label in range(twin.n_classes):
        assert len(found.partition.label[twin.members(label)].unique()) == 1


def test_frames_that_a_probe_or_a_counterexample_told_apart_share_none(model, trajectories, halves, items):
    rough = _screen(model, trajectories, halves, items, n_rounds=0, epsilon=0.02)
    refined = _screen(model, trajectories, halves, items, n_rounds=3, epsilon=0.02)
    assert refined.partition.n_classes >= rough.partition.n_classes
    assert rough.n_close <= rough.n_looked_at <= rough.n_pairs == 60 * 59 // 2
    assert all(
        later.n_classes >= each.n_classes for each, later in zip(refined.rounds, refined.rounds[1:], strict=False)
    )


def test_classes_withstand_swaps_in_their_own_contexts(blind, trajectories, halves, items):
    found = _screen(blind, trajectories, halves, items, n_rounds=4)
    assert found.failures is not None
    rng = generator(3, "contexts")
    frames = found.chosen.frame_id[:10]
    contexts = draw_contexts(trajectories, halves.held_out, frame_id=frames, n_contexts=2, n_slots=10, generator=rng)
    trials = try_swaps(blind, contexts, items=items, frame_id=frames)
    own = (contexts.frame_id[:, None] == frames).int().argmax(1)
    mates = found.partition.label[:10][own][:, None] == found.partition.label[:10]
    assert (trials.peak[mates] > found.config.epsilon).double().mean() < 0.1


def test_the_same_seed_gives_the_same_classes(model, trajectories, halves, items):
    one, again = (_screen(model, trajectories, halves, items) for _ in range(2))
    assert torch.equal(one.partition.label, again.partition.label)
    assert one.failures == again.failures


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"epsilon": 2.0}, "epsilon is 2.0, expected 0 to 1 bit"),
        ({"n_frames": 1}, "n_frames is 1"),
        ({"n_probes": 0}, "n_probes is 0"),
    ],
)
def test_what_cannot_be_sorted_is_refused(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        ScreenConfig(**settings)
