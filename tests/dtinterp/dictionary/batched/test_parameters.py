import torch

from dtinterp.dictionary.batched.parameters import Parameters, initialise
from dtinterp.dictionary.rows.batches import Batch

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


def test_the_activation_is_what_a_slow_loop_computes() -> None:
    batch, parameters = _batch(), _parameters()
    found = parameters.activation(batch.rows)
    for member in range(2):
        for row in range(3):
            centred = batch.rows[row] - parameters.b_dec[member]
            expected = centred @ parameters.W_enc[member] + parameters.b_enc[member]
            torch.testing.assert_close(found[member, row], expected, rtol=1e-4, atol=1e-5)


def test_a_unit_decoder_reconstructs_alike() -> None:
    batch, parameters = _batch(), _parameters()
    unit = parameters.with_unit_decoder()
    torch.testing.assert_close(unit.W_dec.norm(dim=2), torch.ones(2, WIDTH))
    torch.testing.assert_close(
        unit.decoded(unit.activation(batch.rows).relu()), parameters.decoded(parameters.activation(batch.rows).relu())
    )
    assert not any(tensor.requires_grad for tensor in unit.tensors)
