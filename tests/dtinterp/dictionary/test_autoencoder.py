import torch
from torch import Tensor

from dtinterp.dictionary.autoencoder import (
    AUXILIARY_COEFFICIENT,
    Batch,
    Parameters,
    geometric_median,
    initialise,
    l1_loss,
    topk_loss,
)


def _batch(n_rows: int = 30, d_model: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(n_rows, generator=generator)
    return Batch(torch.randn(n_rows, d_model, generator=generator), weight / weight.sum())


def _parameters(width: int = 9) -> Parameters:
    return initialise(_batch(), width, decoder_norm=0.7, generator=torch.Generator().manual_seed(1))


def _gradients(parameters: Parameters, total: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(total, parameters.tensors))


def test_the_encoder_starts_as_the_decoder_transposed() -> None:
    parameters = _parameters()
    assert torch.equal(parameters.W_enc, parameters.W_dec.T)
    torch.testing.assert_close(parameters.W_dec.norm(dim=1), torch.full((9,), 0.7))
    assert (parameters.b_enc == 0).all()


def test_the_geometric_median_ignores_a_far_outlier() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1000.0, 1000.0]])
    median = geometric_median(Batch(rows, torch.full((5,), 0.2)), n_rounds=200)
    assert (median <= 1.01).all()
    assert rows.mean(dim=0).min() > 200


def test_weights_move_the_geometric_median_like_repetitions() -> None:
    rows = torch.tensor([[0.0, 0.0], [3.0, 1.0], [5.0, -2.0]])
    weighted = geometric_median(Batch(rows, torch.tensor([0.25, 0.25, 0.5])))
    repeated = geometric_median(Batch(rows[[0, 1, 2, 2]], torch.full((4,), 0.25)))
    torch.testing.assert_close(weighted, repeated)


@torch.no_grad()
def test_the_topk_loss_is_what_a_slow_loop_computes() -> None:
    batch, parameters = _batch(), _parameters()
    mean = sum(float(weight) * row for weight, row in zip(batch.weight, batch.rows, strict=True))
    error = spread = n_active = 0.0
    for weight, row in zip(batch.weight, batch.rows, strict=True):
        activation = (row - parameters.b_dec) @ parameters.W_enc + parameters.b_enc
        kept = sorted(range(9), key=lambda feature: -float(activation[feature]))[:2]
        made = parameters.b_dec + sum(activation[feature].relu() * parameters.W_dec[feature] for feature in kept)
        error += float(weight) * float((row - made).square().sum())
        spread += float(weight) * float((row - mean).square().sum())
        n_active += float(weight) * sum(float(activation[feature]) > 0 for feature in kept)
    loss = topk_loss(parameters, batch, k=2, is_silent=torch.zeros(9, dtype=torch.bool))
    torch.testing.assert_close(float(loss.error), error, rtol=1e-5, atol=0)
    torch.testing.assert_close(float(loss.total), error / spread, rtol=1e-5, atol=0)
    torch.testing.assert_close(float(loss.n_active), n_active, rtol=1e-5, atol=0)


def test_silent_features_are_taught_the_error_and_nothing_else() -> None:
    batch, parameters = _batch(), _parameters()
    nobody = torch.zeros(9, dtype=torch.bool)
    silent = nobody.index_fill(0, torch.tensor([2, 5]), value=True)
    without = topk_loss(parameters, batch, k=2, is_silent=nobody)
    with_auxiliary = topk_loss(parameters, batch, k=2, is_silent=silent)
    activation = parameters.activation(batch.rows)
    value, index = activation.topk(2, dim=1)
    made = torch.zeros(30, 9).scatter(1, index, value.relu()) @ parameters.W_dec + parameters.b_dec
    error = batch.rows - made
    caught = activation[:, silent].relu() @ parameters.W_dec[silent]  # d_model / 2 = 3 is more than both of them
    missed = batch.mean((error - caught).square().sum(dim=1)) / batch.mean(error.square().sum(dim=1))
    torch.testing.assert_close(with_auxiliary.total, without.total + AUXILIARY_COEFFICIENT * missed)
    gained = _gradients(parameters, with_auxiliary.total - without.total)[2]  # feature d_model
    assert (gained[~silent].abs() < 1e-6).all()
    assert (gained[silent].abs() > 1e-6).any()


@torch.no_grad()
def test_the_l1_loss_is_what_a_slow_loop_computes() -> None:
    batch, parameters = _batch(), _parameters()
    expected = 0.0
    for weight, row in zip(batch.weight, batch.rows, strict=True):
        activation = ((row - parameters.b_dec) @ parameters.W_enc + parameters.b_enc).relu()
        error = (row - parameters.b_dec - activation @ parameters.W_dec).square().sum()
        price = sum(activation[feature] * parameters.W_dec[feature].norm() for feature in range(9))
        expected += float(weight * (error + 0.3 * price))
    loss = l1_loss(parameters, batch, coefficient=0.3)
    torch.testing.assert_close(float(loss.total), expected, rtol=1e-5, atol=0)


def test_a_unit_decoder_reconstructs_alike() -> None:
    batch, parameters = _batch(), _parameters()
    unit = parameters.with_unit_decoder()
    torch.testing.assert_close(unit.W_dec.norm(dim=1), torch.ones(9))
    torch.testing.assert_close(
        unit.activation(batch.rows).relu() @ unit.W_dec, parameters.activation(batch.rows).relu() @ parameters.W_dec
    )
    assert not any(tensor.requires_grad for tensor in unit.tensors)


def test_lengthening_a_decoder_row_does_not_cheat_the_l1_price() -> None:
    batch, parameters = _batch(), _parameters()
    longer = Parameters(parameters.W_enc / 3, parameters.b_enc / 3, parameters.W_dec * 3, parameters.b_dec)
    torch.testing.assert_close(
        l1_loss(longer, batch, coefficient=0.3).total, l1_loss(parameters, batch, coefficient=0.3).total
    )


def test_weighted_rows_have_the_gradient_of_repeated_rows() -> None:
    distinct, count = _batch().rows[:4], torch.tensor([1, 2, 3, 2])
    weighted = Batch(distinct, count / count.sum())
    repeated = Batch(distinct.repeat_interleave(count, dim=0), torch.full((8,), 1 / 8))
    silent = torch.arange(9) >= 7
    for loss in (
        lambda parameters, batch: topk_loss(parameters, batch, k=2, is_silent=silent).total,
        lambda parameters, batch: l1_loss(parameters, batch, coefficient=0.3).total,
    ):
        parameters = _parameters()
        pairs = zip(
            _gradients(parameters, loss(parameters, weighted)),
            _gradients(parameters, loss(parameters, repeated)),
            strict=True,
        )
        for from_weights, from_repetition in pairs:
            assert from_weights.abs().max() > 0
            torch.testing.assert_close(from_weights, from_repetition, rtol=1e-4, atol=1e-6)


def test_fired_features_are_those_with_a_positive_value() -> None:
    batch, parameters = _batch(), _parameters()
    activation = parameters.activation(batch.rows)
    value, index = activation.topk(2, dim=1)
    expected = torch.zeros(30, 9).scatter(1, index, value.relu()).gt(0).any(dim=0)
    assert torch.equal(topk_loss(parameters, batch, k=2, is_silent=torch.zeros(9, dtype=torch.bool)).is_fired, expected)
    assert torch.equal(l1_loss(parameters, batch, coefficient=0.3).is_fired, (activation > 0).any(dim=0))
