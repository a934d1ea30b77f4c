import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.tokens import allowed_attention, interleave, n_slots_of, token_of_slot


@settings(deadline=None)
@given(batch=st.integers(1, 3), n_slots=st.integers(1, 6), seed=st.integers(0, 100))
def test_interleaving_then_splitting_is_the_identity(batch, n_slots, seed):
    kinds = torch.randn(3, batch, n_slots, 4, generator=torch.Generator().manual_seed(seed))
    tokens = interleave(*kinds)
    assert tokens.shape == (batch, 3 * n_slots - 1, 4)
    assert torch.equal(tokens[:, 0::3], kinds[0])
    assert torch.equal(tokens[:, ModelConfig().observation_tokens], kinds[1])
    assert torch.equal(tokens[:, 2::3], kinds[2, :, :-1])


def test_each_slot_has_its_observation_token():
    tokens = interleave(torch.zeros(1, 5, 1), torch.arange(5.0).view(1, 5, 1), torch.zeros(1, 5, 1))
    assert [tokens[0, token_of_slot(slot), 0].item() for slot in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("n_ctx", "n_slots"), [(2, 1), (5, 2), (8, 3), (26, 9), (29, 10)])
def test_slots_follow_from_tokens(n_ctx, n_slots):
    assert n_slots_of(n_ctx) == n_slots


@pytest.mark.parametrize("n_ctx", [-1, 0, 1, 3, 4, 27, 28])
def test_tokens_that_are_no_whole_slots_are_refused(n_ctx):
    with pytest.raises(UserError, match=f"n_ctx is {n_ctx}, expected 2, 5, 8, …"):
        n_slots_of(n_ctx)


def test_real_tokens_look_back_at_real_tokens_and_pads_at_themselves():
    masks = torch.tensor([[False, False, True, True], [True, True, True, True], [False, False, False, False]])
    allowed = allowed_attention(masks)
    assert allowed.shape == (3, 11, 11)
    for batch, mask in enumerate(masks.tolist()):
        for query in range(11):
            for key in range(11):
                looks_back = key <= query and mask[key // 3]
                assert allowed[batch, query, key] == (looks_back or key == query)
