import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.batched import sparse as module
from dtinterp.dictionary.batched.sparse import k_largest, select, strongest, weighted_sum

MEMBERS, N_ROWS, D_MODEL, WIDTH = 3, 20, 6, 32
K = torch.tensor([1, 4, 2])


def _inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    W_enc = torch.randn(MEMBERS, D_MODEL, WIDTH, generator=generator).requires_grad_()
    bias = torch.randn(MEMBERS, WIDTH, generator=generator).requires_grad_()
    W_dec = torch.randn(MEMBERS, WIDTH, D_MODEL, generator=generator).requires_grad_()
    return torch.randn(N_ROWS, D_MODEL, generator=generator), W_enc, bias, W_dec


def _dense(rows: Tensor, W_enc: Tensor, bias: Tensor, W_dec: Tensor) -> Tensor:
    """The same with whole matrices, one member at a time."""
    made = []
    for member, k in enumerate(K.tolist()):
        activation = rows @ W_enc[member] + bias[member]
        value, index = activation.topk(k, dim=1)
        made.append(torch.zeros_like(activation).scatter(1, index, value.relu()) @ W_dec[member])
    return torch.stack(made)


def _sparse(rows: Tensor, W_enc: Tensor, bias: Tensor, W_dec: Tensor) -> Tensor:
    return strongest(rows, W_enc, bias, W_dec, K).made


def test_sparse_reconstructions_are_the_dense_ones() -> None:
    torch.testing.assert_close(_sparse(*_inputs()), _dense(*_inputs()))


def test_sparse_gradients_are_the_dense_ones() -> None:
    target = torch.randn(MEMBERS, N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(1))
    gradients = []
    for made_by in (_sparse, _dense):
        rows, *weights = _inputs()
        (made_by(rows, *weights) - target).square().sum().backward()
        gradients.append([tensor.grad for tensor in weights])
    for sparse, dense in zip(*gradients, strict=True):
        assert dense.abs().max() > 0
        torch.testing.assert_close(sparse, dense, rtol=1e-4, atol=1e-4)


def test_members_keep_as_many_as_their_own_k() -> None:
    rows, W_enc, bias, W_dec = _inputs()
    value = strongest(rows, W_enc, bias, W_dec, K).value
    assert [(member > 0).sum(dim=1).max().item() for member in value] == K.tolist()


@pytest.mark.parametrize("tile", [1, 40, 700, 10**6])
def test_tiles_change_nothing(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, W_enc, bias, _ = _inputs()
    expected = (rows @ W_enc.detach() + bias.detach()[:, None]).topk(4, dim=2).values.relu()
    monkeypatch.setattr(module, "TILE", {"cpu": tile})
    value, index = select(rows, W_enc.detach(), bias.detach(), torch.tensor([4, 4, 4]))
    torch.testing.assert_close(value.sort(dim=2, descending=True).values, expected)
    assert all(len(row.unique()) == 4 for member in index for row in member)


@pytest.mark.parametrize(("width", "k"), [(1024, 32), (512, 8), (128, 1), (96, 5), (97, 3), (8, 8)])
@pytest.mark.parametrize("in_order", [True, False])
def test_choosing_groups_first_finds_the_same_values_as_topk(width: int, k: int, in_order: bool) -> None:
    activation = torch.randn(2, 50, width, generator=torch.Generator().manual_seed(0))
    value, index = k_largest(activation, k, in_order=in_order)
    expected = activation.topk(k, dim=2).values
    assert torch.equal(value if in_order else value.sort(dim=2, descending=True).values, expected)
    assert torch.equal(activation.gather(2, index), value)


def test_ties_are_chosen_once_each() -> None:
    value, index = k_largest(torch.zeros(1, 4, 64), 5, in_order=False)
    assert (value == 0).all()
    assert all(len(row.unique()) == 5 for row in index[0])


def test_a_weighted_sum_is_what_a_slow_loop_computes() -> None:
    index = torch.tensor([[0, 2], [1, 1]])
    value = torch.tensor([[1.0, 0.5], [2.0, -1.0]])
    W_dec = torch.arange(6.0).view(3, 2)
    expected = torch.stack([W_dec[0] + 0.5 * W_dec[2], 2 * W_dec[1] - W_dec[1]])
    torch.testing.assert_close(weighted_sum(index, value, W_dec), expected)
