import torch

from dtinterp.dictionary.training.initialization import Batch, Parameters, geometric_median, initialise

WIDTH = 9


def _batch(n_rows: int = 30, d_model: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(n_rows, generator=generator)
    return Batch(torch.randn(n_rows, d_model, generator=generator), weight / weight.sum())


def _parameters() -> Parameters:
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    return initialise(
        torch.randn(2, 6, generator=torch.Generator().manual_seed(3)), WIDTH, decoder_norm=0.7, generators=generators
    )


def test_the_encoder_starts_as_the_decoder_transposed() -> None:
    parameters = _parameters()
    assert torch.equal(parameters.W_enc, parameters.W_dec.mT)
    torch.testing.assert_close(parameters.W_dec.norm(dim=2), torch.full((2, WIDTH), 0.7))
    assert (parameters.b_enc == 0).all()


def test_each_member_is_drawn_by_its_own_generator() -> None:
    both = _parameters()
    alone = initialise(torch.zeros(1, 6), WIDTH, decoder_norm=0.7, generators=[torch.Generator().manual_seed(2)])
    assert torch.equal(both.W_dec[1], alone.W_dec[0])
    assert not torch.equal(both.W_dec[0], both.W_dec[1])


def test_the_spread_is_the_weighted_variance() -> None:
    batch = _batch()
    mean = sum(float(weight) * row for weight, row in zip(batch.weight, batch.rows, strict=True))
    rows = zip(batch.weight, batch.rows, strict=True)
    expected = sum(float(weight) * float((row - mean).square().sum()) for weight, row in rows)
    torch.testing.assert_close(float(batch.spread), expected, rtol=1e-5, atol=0)


def test_the_activation_is_what_a_slow_loop_computes() -> None:
    batch, parameters = _batch(), _parameters()
    found = parameters.activation(batch.rows)
    for member in range(2):
        for row in range(3):
            centred = batch.rows[row] - parameters.b_dec[member]
            expected = centred @ parameters.W_enc[member] + parameters.b_enc[member]
            torch.testing.assert_close(found[member, row], expected, rtol=1e-4, atol=1e-5)


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


def test_a_unit_decoder_reconstructs_alike() -> None:
    batch, parameters = _batch(), _parameters()
    unit = parameters.with_unit_decoder()
    torch.testing.assert_close(unit.W_dec.norm(dim=2), torch.ones(2, WIDTH))
    torch.testing.assert_close(
        unit.decoded(unit.activation(batch.rows).relu()), parameters.decoded(parameters.activation(batch.rows).relu())
    )
    assert not any(tensor.requires_grad for tensor in unit.tensors)
