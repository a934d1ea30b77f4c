from dataclasses import replace
from itertools import combinations

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.equivalence.explain.feature_patching import PatchingSetup, difference, patching_setup
from dtinterp.equivalence.explain.smallest_set import PairConfig, PairExplanation, pair_in_contexts, smallest_set
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval


@pytest.fixture(scope="module")
def ready(model, contexts, items) -> PatchingSetup:
    """Two frames that this model takes for different ones."""
    pair = contexts.frame_id.unique()[:2]
    ready = patching_setup(model, contexts[torch.isin(contexts.frame_id, pair)], items=items, pair=pair)
    assert ready.left(torch.zeros(1, 16)) > 0.05
    return ready


def linear(W_enc, W_dec) -> Dictionary:
    """A dictionary whose codes are linear in the row, centred on nothing."""
    width, d_model = W_dec.shape
    return Dictionary(
        W_enc=W_enc,
        b_enc=torch.zeros(width),
        W_dec=W_dec,
        b_dec=torch.zeros(d_model),
        kind=Pca(width),
        scale=torch.tensor(1.0),
        site=OBSERVATION_EMBEDDING,
        name="drawn",
    )


def apart(ready: PatchingSetup, n: int, seed: int = 0) -> Dictionary:
    """A dictionary in which the two differ by n features that together say all of their difference."""
    rng = torch.Generator().manual_seed(seed)
    away = ready.embedding[1] - ready.embedding[0]
    parts = torch.randn(n, 16, generator=rng) * away.norm() / 4
    parts[-1] = away - parts[:-1].sum(0)
    reading = (away / away.norm() ** 2)[:, None].expand(-1, n)  # every code is one larger in the second
    return linear(reading.contiguous(), parts)


def explained(ready: PatchingSetup, dictionary: Dictionary, **config) -> PairExplanation:
    return smallest_set(ready, dictionary, PairConfig(**config), torch.Generator().manual_seed(0))


def controls(found: PairExplanation):
    return (found.random_directions, found.random_features, found.random_differences, found.random_features_as_far)


def test_the_one_feature_that_says_the_whole_difference_is_found(ready):
    rng = torch.Generator().manual_seed(3)
    away = ready.embedding[1] - ready.embedding[0]
    W_dec = torch.cat([1e-3 * torch.randn(4, 16, generator=rng), away[None], 1e-3 * torch.randn(4, 16, generator=rng)])
    found = explained(ready, linear((away / away.norm() ** 2)[:, None].repeat(1, 9), W_dec))
    assert found.features == (4,)
    assert found.is_smallest
    assert found.left <= 0.05 < found.divergence
    assert found.differing == tuple(range(9))
    assert found.random_features is not None
    assert found.random_features.estimate == 0
    assert found.random_directions is not None
    assert found.random_directions.n == 200
    assert found.random_directions.estimate < 0.2


def planted_among(ready: PatchingSetup, length: float) -> Dictionary:
    """A dictionary whose first feature says all of the difference, and four others the same, so many times as long."""
    away = ready.embedding[1] - ready.embedding[0]
    W_dec = torch.cat([away[None], length * away[None].expand(4, -1)])
    return linear((away / away.norm() ** 2)[:, None].repeat(1, 5), W_dec)


def given(share: Interval | None) -> Interval:
    """The share of a control that was tried."""
    assert share is not None
    return share


def test_a_set_that_only_moves_too_little_is_unmasked_by_one_that_is_made_as_long(ready):
    """Four features point the right way and are too short: as they are they fail, as far they do as well as the one."""
    found = explained(ready, planted_among(ready, 0.01))
    assert found.features == (0,)
    assert (given(found.random_features).estimate, given(found.random_features_as_far).estimate) == (0, 1)
    assert given(found.random_features).n == given(found.random_features_as_far).n


def test_directions_in_which_frames_differ_are_harder_to_survive_than_others(ready):
    """Planted: all frames differ along one line, that of the pair, so half of all such directions are the exchange."""
    away = ready.embedding[1] - ready.embedding[0]
    line = replace(ready, deviation=torch.tensor([[-1.0], [-0.5], [1.5]]) * away)
    found = explained(line, planted_among(line, 0.01))
    assert given(found.random_directions).estimate < 0.2
    assert 0.3 < given(found.random_differences).estimate < 0.7
    assert given(found.random_differences).n == given(found.random_directions).n == 200


@pytest.mark.parametrize("seed", range(4))
def test_no_smaller_set_is_enough_as_all_of_them_tried_say(ready, seed):
    dictionary = apart(ready, 6, seed)
    found = explained(ready, dictionary)
    assert found.features is not None
    assert found.is_smallest
    parts = difference(dictionary, ready.embedding)
    sets = [chosen for size in range(7) for chosen in combinations(range(6), size)]
    shifts = torch.stack([parts.change[list(chosen)].sum(0) for chosen in sets])
    left = dict(zip(sets, ready.left(shifts).tolist(), strict=True))
    enough = [chosen for chosen, bits in left.items() if bits <= 0.05]
    assert len(found.features) == min(map(len, enough))
    assert found.left == pytest.approx(left[tuple(sorted(found.features))], abs=1e-6)


def test_what_was_not_tried_is_not_claimed(ready):
    found = explained(ready, apart(ready, 6), n_sets=0)
    assert found.features is not None
    assert not found.is_smallest
    assert found.left <= 0.05


def test_two_that_are_interchangeable_need_nothing(ready):
    found = explained(ready, apart(ready, 6), epsilon=0.999999)
    assert found.features == ()
    assert found.is_interchangeable
    assert found.is_smallest
    assert set(controls(found)) == {None}
    assert found.left == found.divergence


def test_where_no_set_is_enough_there_is_none(ready):
    whole = apart(ready, 5)
    found = explained(ready, replace(whole, W_dec=1e-4 * whole.W_dec))
    assert found.features is None
    assert not found.is_smallest
    assert not found.is_interchangeable
    assert found.left_by_all > 0.05
    assert 0.05 < found.left <= found.divergence
    assert set(controls(found)) == {None}


def test_two_that_share_all_codes_differ_in_no_feature(ready):
    found = explained(ready, linear(torch.zeros(16, 3), torch.ones(3, 16)))
    assert found.differing == ()
    assert found.features is None
    assert found.left == found.left_by_all == found.divergence


def test_a_dictionary_of_another_site_is_refused(ready):
    elsewhere = replace(apart(ready, 3), site="blocks.0.hook_resid_pre")
    with pytest.raises(UserError, match=r"'drawn' is of blocks\.0\.hook_resid_pre, expected one of hook_obs_embed"):
        explained(ready, elsewhere)


@pytest.mark.parametrize(("field", "value"), [("epsilon", 2.0), ("n_contexts", 0), ("n_draws", 0), ("n_sets", -1)])
def test_what_cannot_be_tried_is_refused(field, value):
    with pytest.raises(UserError, match=field):
        PairConfig(**{field: value})


class Distance(PatchingSetup):
    """A setup whose model minds nothing but how far the exchange falls short of the whole difference."""

    def left(self, shift):
        return (self.embedding[1] - self.embedding[0] - shift).norm(dim=1).double()


def misleading(junk: list[list[float]]) -> tuple[PatchingSetup, Dictionary]:
    """Two features, 0 and 1, are together the whole difference; alone each is far off, and 2 is closest.

    With 2 the greedy search is on its way to (2, 3, 4), from which nothing can be dropped.
    """
    W_dec = torch.tensor([[1, 0, 5, 0], [0, 1, -5, 0], [0.6, 0.6, 0, 0], *junk])
    away = torch.tensor([1.0, 1, 0, 0])
    reading = (away / 2)[:, None].repeat(1, len(W_dec))
    nothing, none = torch.zeros(3, 4), torch.zeros(1, 1, dtype=torch.int64)
    nowhere = Contexts(Windows(none.float(), none, none, none, none == 0, none), none[0])
    return Distance(nowhere, (), (), torch.stack([torch.zeros(4), away]), nothing), linear(reading, W_dec)


MORE = [[0.4, 0, 0, 0], [0, 0.4, 0, 0]]


def test_a_smaller_set_that_the_greedy_search_walks_past_is_found_where_all_are_tried():
    """Five single features and ten pairs have to be tried before any claim."""
    found = explained(*misleading(MORE), n_sets=15)
    assert found.features is not None
    assert set(found.features) == {0, 1}
    assert found.is_smallest
    assert found.left == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n_sets", [0, 4, 5, 14])
def test_one_set_too_few_and_the_greedy_set_stands_and_is_not_called_smallest(n_sets):
    found = explained(*misleading(MORE), n_sets=n_sets)
    assert found.features is not None
    assert set(found.features) == {2, 3, 4}
    assert not found.is_smallest


def test_a_set_is_found_where_the_greedy_search_finds_none():
    """All features together lead away, so does each step from (2,); the pair is found by trying."""
    found = explained(*misleading([[0, 0, 0, 0.3]]), n_sets=10)
    assert found.left_by_all > 0.05
    assert found.features is not None
    assert set(found.features) == {0, 1}
    assert found.is_smallest
    missed = explained(*misleading([[0, 0, 0, 0.3]]), n_sets=9)
    assert missed.features is None
    assert missed.left == pytest.approx(0.4 * 2**0.5)
    assert not missed.is_smallest


def test_features_are_told_the_most_telling_first():
    """4 alone leaves more than 3, and 2 leaves least, whatever their numbers."""
    bench, dictionary = misleading([[0, 0.3, 0, 0], [0.4, 0.1, 0, 0]])
    found = explained(bench, dictionary, n_sets=0)
    assert found.features == (2, 4, 3)


def test_a_pair_is_compared_in_held_out_windows_of_both(model, trajectories, halves, items, contexts):
    pair = contexts.frame_id.unique()[:2]
    config = PairConfig(n_contexts=3)
    found = pair_in_contexts(model, trajectories, halves.held_out, items=items, pair=pair, config=config)
    drawn = draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=pair,
        n_contexts=3,
        n_slots=10,
        generator=generator(0, "pair/contexts"),
    )
    assert torch.equal(found.contexts.seen(), drawn.seen())
    assert found.is_first == tuple((found.contexts.frame_id == pair[0]).tolist())
    torch.testing.assert_close(found.embedding, items[pair] @ model.W_obs)
