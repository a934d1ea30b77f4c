from dataclasses import replace

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, splice
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.equivalence.explain.feature_patching import PatchingSetup, as_far_as, difference, patching_setup
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.equivalence.swaps.interchange import swap_frames


@pytest.fixture
def pair(contexts):
    return contexts.frame_id.unique()[:2]


@pytest.fixture
def both(contexts, pair):
    return contexts[torch.isin(contexts.frame_id, pair)]


@pytest.fixture
def ready(model, both, items, pair) -> PatchingSetup:
    return patching_setup(model, both, items=items, pair=pair)


def slow_left(model, both, items, pair, shift) -> float:
    """Whole windows, one at a time, with the exchanged embedding spliced in."""
    first, second = items[pair] @ model.W_obs
    worst = 0.0
    for index in range(len(both)):
        slot, windows = int(both.slot[index]), both.windows[index : index + 1]
        put = second - shift if both.frame_id[index] == pair[0] else first + shift

        def exchanged(rows, slot=slot, put=put):
            rows = rows.clone()
            rows[:, slot] = put
            return rows

        hook = splice(OBSERVATION_EMBEDDING, exchanged, model.cfg.observation_tokens)
        with torch.no_grad():
            before, after = model(windows, items), model.run_with_hooks(windows, items, fwd_hooks=[hook])
        worst = max(worst, float(js_divergence(before[:, slot:], after[:, slot:]).max()))
    return worst


def test_what_is_left_is_that_of_whole_windows_with_the_embedding_spliced_in(ready, model, both, items, pair):
    shift = 0.3 * torch.randn(5, 16, generator=torch.Generator().manual_seed(1))
    slow = [slow_left(model, both, items, pair, row) for row in shift]
    assert ready.left(shift).tolist() == pytest.approx(slow, abs=1e-5)
    assert len(set(slow)) > 1


def test_with_nothing_exchanged_the_pairs_own_divergence_is_left(ready, model, contexts, items):
    frames = contexts.frame_id.unique()
    relation = swap_frames(model, contexts, items=items, frame_id=frames).relation("interchangeable")
    assert ready.left(torch.zeros(1, 16)).item() == pytest.approx(relation.maximum[0, 1].item(), abs=1e-6)


def test_with_all_exchanged_nothing_is_left(ready):
    first, second = ready.embedding
    assert ready.left((second - first)[None]).item() < 1e-8


def test_the_features_of_two_embeddings_say_how_one_becomes_the_other_but_for_what_they_do_not_explain():
    rng = torch.Generator().manual_seed(0)
    dictionary = Dictionary(
        W_enc=torch.randn(16, 40, generator=rng),
        b_enc=torch.randn(40, generator=rng) - 2,
        W_dec=torch.randn(40, 16, generator=rng),
        b_dec=torch.randn(16, generator=rng),
        kind=L1(),
        scale=torch.tensor(2.5),
        site=OBSERVATION_EMBEDDING,
        name="drawn",
    )
    embedding = 3 * torch.randn(2, 16, generator=rng)
    found = difference(dictionary, embedding)
    codes = encode_dense(dictionary, embedding)
    assert found.feature.tolist() == [i for i in range(40) if codes[0, i] != codes[1, i]]
    for feature, change in zip(found.feature, found.change, strict=True):
        torch.testing.assert_close(change, 2.5 * (codes[1, feature] - codes[0, feature]) * dictionary.W_dec[feature])
    everything = found.shift(torch.ones(1, len(found.feature), dtype=torch.bool))
    torch.testing.assert_close(everything[0], 2.5 * (codes[1] - codes[0]) @ dictionary.W_dec)
    assert len(difference(replace(dictionary, scale=torch.tensor(1.0)), embedding[[0, 0]]).feature) == 0


def test_deviations_are_those_of_all_frames_of_the_table(ready, model, items):
    x = items @ model.W_obs
    torch.testing.assert_close(ready.deviation, x - x.mean(0), atol=1e-5, rtol=0)


def test_controls_are_made_as_long_and_those_that_lead_nowhere_are_left_out():
    shift = torch.tensor([3.0, 4.0])
    found = as_far_as(shift, torch.tensor([[0.1, 0.0], [0.0, 0.0], [-6.0, -8.0]]))
    torch.testing.assert_close(found, torch.tensor([[5.0, 0.0], [-3.0, -4.0]]))
