import pytest
import torch

from dtinterp.dictionary.rows.pairs import PairBatch
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.dictionary.training.streams import beside
from dtinterp.dictionary.transcoders.map_config import MapConfig
from dtinterp.dictionary.transcoders.map_descent import MapDescent
from dtinterp.dictionary.transcoders.maps import SkipTranscoder, Transcoder

D, WIDTH, N = 6, 10, 40


def _pairs(seed: int = 0) -> PairBatch:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.rand(N, generator=rng)
    inputs, outputs = (Batch(torch.randn(N, D, generator=rng), weight / weight.sum()) for _ in range(2))
    return PairBatch(inputs, outputs)


def _descent(*configs: MapConfig) -> MapDescent:
    rng = torch.Generator().manual_seed(7)
    b_out = torch.randn(len(configs), D, generator=rng)
    W_skip = torch.randn(len(configs), D, D, generator=rng) if isinstance(configs[0].kind, SkipTranscoder) else None
    generators = [torch.Generator().manual_seed(config.member) for config in configs]
    return MapDescent.begin(b_out, W_skip, configs, generators)


@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_at_first_features_write_nothing(kind: type[Transcoder] | type[SkipTranscoder]) -> None:
    descent, pairs = _descent(MapConfig(kind(2), WIDTH)), _pairs()
    made = descent.b_out[0] if descent.W_skip is None else descent.b_out[0] + pairs.inputs.rows @ descent.W_skip[0]
    error = pairs.outputs.mean((pairs.outputs.rows - made).square().sum(dim=1))
    loss = descent.loss(pairs)
    torch.testing.assert_close(loss.error, error[None].detach())
    torch.testing.assert_close(loss.total, error[None] / pairs.outputs.spread)


@torch.no_grad()
@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_the_loss_is_that_of_a_slow_loop(kind: type[Transcoder] | type[SkipTranscoder]) -> None:
    configs = [MapConfig(kind(k), WIDTH, member=k) for k in (2, 3)]
    descent, pairs = _descent(*configs), _pairs()
    with torch.enable_grad():
        for step in range(1, 4):
            descent.step(pairs.joined, step)
    loss = descent.loss(pairs)
    for member, config in enumerate(configs):
        error, n_active = 0.0, 0.0
        for x, y, weight in zip(pairs.inputs.rows, pairs.outputs.rows, pairs.inputs.weight, strict=True):
            activation = x @ descent.features.W_enc[member] + descent.features.b_enc[member]
            made = descent.b_out[member].clone()
            if descent.W_skip is not None:
                made += x @ descent.W_skip[member]
            for feature in activation.argsort(descending=True)[: config.member]:
                made += activation[feature].relu() * descent.features.W_dec[member, feature]
                n_active += float(weight) * float(activation[feature] > 0)
            error += float(weight) * float((y - made).square().sum())
        assert float(loss.error[member]) == pytest.approx(error, rel=1e-4)
        assert float(loss.n_active[member]) == pytest.approx(n_active, rel=1e-5)


def test_the_inputs_keep_their_centre() -> None:
    descent = _descent(MapConfig(Transcoder(2), WIDTH))
    for step in range(1, 4):
        descent.step(_pairs().joined, step)
    assert torch.equal(descent.features.b_dec, torch.zeros(1, D))


def test_silent_features_are_taught_to_write_the_error() -> None:
    """The loss of the one silent feature, which writes nothing yet, is 1/32: it leaves the error as it is."""
    descent, pairs = _descent(MapConfig(Transcoder(1), WIDTH, silent_steps=5)), _pairs()
    unassisted = descent.loss(pairs).total
    descent.silence[0, 3] = 5
    assisted = descent.loss(pairs).total
    assert float((assisted - unassisted).detach()) == pytest.approx(1 / 32, rel=1e-4)
    assisted.sum().backward()
    gradient = descent.features.W_dec.grad
    assert gradient is not None
    active = (pairs.inputs.rows @ descent.features.W_enc[0])[:, 3].relu()[:, None]
    error = pairs.outputs.rows - descent.b_out[0]
    energy = pairs.inputs.mean(error.square().sum(dim=1))
    taught = -2 / 32 * pairs.inputs.weight @ (active * error) / energy
    kept = (pairs.inputs.rows @ descent.features.W_enc[0]).argmax(dim=1) == 3
    as_usual = -2 * pairs.inputs.weight @ (kept[:, None] * active * error) / pairs.outputs.spread
    torch.testing.assert_close(gradient[0, 3], (taught + as_usual).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_members_with_batches_of_their_own_take_the_steps_that_they_would_take_alone(
    kind: type[Transcoder] | type[SkipTranscoder],
) -> None:
    configs = [MapConfig(kind(2), WIDTH, member=member, silent_steps=2, n_steps=8) for member in range(2)]
    own = [_pairs().joined, _pairs(1).joined]
    together = _descent(*configs)
    alone = [
        MapDescent.begin(
            together.b_out[[member]].detach(),
            None if together.W_skip is None else together.W_skip[[member]].detach(),
            [config],
            [torch.Generator().manual_seed(config.member)],
        )
        for member, config in enumerate(configs)
    ]
    for step in range(1, 9):
        shared = together.step(beside(own), step)
        for member, (descent, batch) in enumerate(zip(alone, own, strict=True)):
            torch.testing.assert_close(shared.total[member], descent.step(batch, step).total[0], rtol=1e-3, atol=1e-4)
    for found, descent in zip(together.weights(), alone, strict=True):
        for name, tensor in descent.weights()[0].items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)


def test_weights_are_handed_over_as_they_were_learnt() -> None:
    descent = _descent(MapConfig(SkipTranscoder(3), WIDTH, learning_rate=0.05))
    for step in range(1, 4):
        descent.step(_pairs().joined, step)
    weights = descent.weights()[0]
    assert set(weights) == {"W_enc", "b_enc", "W_dec", "b_dec", "W_skip"}
    for name, tensor in descent.learnt.items():
        assert torch.equal(weights["b_dec" if name == "b_out" else name], tensor[0])
