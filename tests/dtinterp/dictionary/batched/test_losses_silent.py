"""The loss of silent features, summed over chosen ones or multiplied whole."""

import torch
from torch import Tensor

from dtinterp.dictionary.batched import losses
from dtinterp.dictionary.batched.losses import LossInputs, revival
from dtinterp.dictionary.batched.parameters import initialise
from dtinterp.dictionary.rows.batches import Batch


def test_few_silent_features_and_many_are_summed_alike(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(30, 6, generator=generator), torch.full((30,), 1 / 30))
    parameters = initialise(torch.zeros(1, 6), 8, decoder_norm=1.0, generators=[generator])
    error = torch.randn(1, 30, 6, generator=generator)
    given = LossInputs(parameters, batch, torch.ones(1, 8, dtype=torch.bool), 1.0, {})
    for tensor in parameters.tensors:
        tensor.requires_grad_()

    def found() -> tuple[Tensor, ...]:
        loss = revival(given, error).sum()
        return loss, *torch.autograd.grad(loss, [parameters.W_enc, parameters.W_dec])

    whole = found()
    monkeypatch.setattr(losses, "DENSE", 0)
    for one, other in zip(whole, found(), strict=True):
        torch.testing.assert_close(one, other)
