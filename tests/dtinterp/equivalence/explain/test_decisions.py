"""Decisions are held against whole windows in which the observation is changed by hand."""

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, splice
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.equivalence.explain.decisions import AS_IT_IS, AT_RANDOM, EXCHANGED, OTHERS, SWAPPED, decide, most_telling
from dtinterp.equivalence.explain.feature_patching import PatchingSetup, difference, patching_setup
from dtinterp.equivalence.swaps.divergence import js_divergence


@pytest.fixture(scope="module")
def pair(contexts):
    return contexts.frame_id.unique()[:2]


@pytest.fixture(scope="module")
def both(contexts, pair):
    return contexts[torch.isin(contexts.frame_id, pair)]


@pytest.fixture(scope="module")
def ready(model, both, items, pair) -> PatchingSetup:
    return patching_setup(model, both, items=items, pair=pair)


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    rng = torch.Generator().manual_seed(0)
    W_dec = torch.linalg.qr(torch.randn(16, 16, generator=rng)).Q[:6]
    return Dictionary(
        W_enc=W_dec.T.contiguous(),
        b_enc=torch.zeros(6),
        W_dec=W_dec,
        b_dec=torch.zeros(16),
        scale=torch.tensor(1.0),
        kind=Pca(6),
        site=OBSERVATION_EMBEDDING,
        name="drawn",
    )


def decided(ready, dictionary, features, context=0):
    return decide(ready, dictionary, features, context=context, generator=torch.Generator().manual_seed(1))


def spliced(model, both, items, context, embedding):
    slot, windows = int(both.slot[context]), both.windows[context : context + 1]

    def put(rows):
        rows = rows.clone()
        rows[:, slot] = embedding
        return rows

    hook = splice(OBSERVATION_EMBEDDING, put, model.cfg.observation_tokens)
    with torch.no_grad():
        return model.run_with_hooks(windows, items, fwd_hooks=[hook])[0, slot:]


@pytest.mark.parametrize("context", [0, 5])
def test_decisions_are_those_of_whole_windows_with_the_exchanged_embedding_in_place(
    ready, dictionary, model, both, items, context
):
    rows = {row.name: row for row in decided(ready, dictionary, (1, 4), context)}
    first, second = ready.embedding
    own, other = (first, second) if ready.is_first[context] else (second, first)
    exchanged = other + ((own - other) @ dictionary.W_dec[[1, 4]].T) @ dictionary.W_dec[[1, 4]]
    before = spliced(model, both, items, context, own)
    for name, embedding in ((AS_IT_IS, own), (SWAPPED, other), (EXCHANGED, exchanged)):
        logits = spliced(model, both, items, context, embedding)
        torch.testing.assert_close(rows[name].probability, logits.softmax(-1), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(rows[name].divergence, js_divergence(before, logits), atol=1e-6, rtol=1e-4)


def test_the_observation_itself_comes_first_and_moved_nothing(ready, dictionary):
    first = decided(ready, dictionary, (1, 4))[0]
    assert first.name == AS_IT_IS
    assert not first.divergence.any()


def test_controls_stand_beside_an_exchange(ready, dictionary):
    assert [row.name for row in decided(ready, dictionary, (1, 4))] == [
        AS_IT_IS,
        SWAPPED,
        EXCHANGED,
        OTHERS,
        AT_RANDOM,
    ]
    rows = {row.name: row.probability for row in decided(ready, dictionary, (1, 4))}
    assert not torch.equal(rows[OTHERS], rows[EXCHANGED])
    assert not torch.equal(rows[AT_RANDOM], rows[EXCHANGED])


def test_all_features_that_differ_leave_no_others_to_exchange(ready, dictionary):
    everything = difference(dictionary, ready.embedding).feature.tolist()
    names = [row.name for row in decided(ready, dictionary, everything)]
    assert names == [AS_IT_IS, SWAPPED, EXCHANGED, AT_RANDOM]


def test_with_nothing_exchanged_only_the_swap_is_shown(ready, dictionary):
    assert [row.name for row in decided(ready, dictionary, ())] == [AS_IT_IS, SWAPPED]


def test_controls_move_the_observation_as_far_as_the_exchange_does(ready, dictionary):
    """The embeddings that are put there, read off where each goes in."""
    seen = []

    class Watched(PatchingSetup):
        def logits(self, context, shift):
            seen.append(shift)
            return super().logits(context, shift)

    watched = Watched(**vars(ready))
    decided(watched, dictionary, (1, 4))
    _, exchanged, others, at_random = seen[0]
    assert not torch.allclose(others, exchanged)
    torch.testing.assert_close(torch.stack([others.norm(), at_random.norm()]), exchanged.norm().expand(2))


def test_the_most_telling_context_is_the_one_in_which_a_swap_moves_a_decision_most(model, contexts, items):
    frames = contexts.frame_id.unique()
    for pair in frames.split(2):
        both = contexts[torch.isin(contexts.frame_id, pair)]
        ready = patching_setup(model, both, items=items, pair=pair)
        first, second = ready.embedding
        peaks = []
        for context in range(len(both)):
            own, other = (first, second) if ready.is_first[context] else (second, first)
            before, after = (spliced(model, both, items, context, each) for each in (own, other))
            peaks.append(float(js_divergence(before, after).max()))
        assert peaks[most_telling(ready)] == pytest.approx(max(peaks), abs=1e-6)


def test_one_decision_that_moves_far_tells_more_than_many_that_move_a_little(ready):
    class Told(PatchingSetup):
        def logits(self, context, shift):
            """Five decisions move a little in every context but the last, and one moves far in that."""
            logits = torch.zeros(1 + len(shift), 5, 7)
            logits[1:, :, 0] = 0 if context == len(self.start) - 1 else 2
            logits[1:, 3, 0] += 4 if context == len(self.start) - 1 else 0
            return logits

    assert most_telling(Told(**vars(ready))) == len(ready.start) - 1
