import pytest
import torch

from dtinterp.dictionary.batched.losses import Loss, LossInputs
from dtinterp.dictionary.config import MapConfig
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.dictionary.rows.batches import Batch, stacked
from dtinterp.dictionary.training.descent import StackDescent

D, WIDTH, N = 6, 10, 40


def _pairs(seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.rand(N, generator=rng)
    return Batch(torch.randn(N, 2 * D, generator=rng), weight / weight.sum(), d_in=D)


def _descent(*configs: MapConfig) -> StackDescent:
    rng = torch.Generator().manual_seed(7)
    origin = {"b_dec": torch.randn(len(configs), D, generator=rng)}
    if isinstance(configs[0].kind, SkipTranscoder):
        origin["W_skip"] = torch.randn(len(configs), D, D, generator=rng)
    generators = [torch.Generator().manual_seed(config.member) for config in configs]
    return StackDescent.begin(origin, configs, generators)


def _loss(descent: StackDescent, pairs: Batch) -> Loss:
    is_silent = descent.silence >= descent.configs[0].silent_steps
    return descent.kind.loss(LossInputs(descent.parameters, pairs, is_silent, 1.0, descent.settings))


@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_at_first_features_write_nothing(kind: type[Transcoder] | type[SkipTranscoder]) -> None:
    descent, pairs = _descent(MapConfig(kind(2), WIDTH)), _pairs()
    made = descent.parameters.b_dec[0]
    if descent.parameters.W_skip is not None:
        made = made + pairs.read.rows @ descent.parameters.W_skip[0]
    error = pairs.written.mean((pairs.written.rows - made).square().sum(dim=1))
    loss = _loss(descent, pairs)
    torch.testing.assert_close(loss.error, error[None].detach())
    torch.testing.assert_close(loss.total, error[None] / pairs.written.spread)


@torch.no_grad()
@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_the_loss_is_that_of_a_slow_loop(kind: type[Transcoder] | type[SkipTranscoder]) -> None:
    configs = [MapConfig(kind(k), WIDTH, member=k) for k in (2, 3)]
    descent, pairs = _descent(*configs), _pairs()
    with torch.enable_grad():
        for step in range(1, 4):
            descent.step(pairs, step)
    loss = _loss(descent, pairs)
    for member, config in enumerate(configs):
        error, n_active = 0.0, 0.0
        for x, y, weight in zip(pairs.read.rows, pairs.written.rows, pairs.read.weight, strict=True):
            activation = x @ descent.parameters.W_enc[member] + descent.parameters.b_enc[member]
            made = descent.parameters.b_dec[member].clone()
            if descent.parameters.W_skip is not None:
                made += x @ descent.parameters.W_skip[member]
            for feature in activation.argsort(descending=True)[: config.member]:
                made += activation[feature].relu() * descent.parameters.W_dec[member, feature]
                n_active += float(weight) * float(activation[feature] > 0)
            error += float(weight) * float((y - made).square().sum())
        assert float(loss.error[member]) == pytest.approx(error, rel=1e-4)
        assert float(loss.n_active[member]) == pytest.approx(n_active, rel=1e-5)


def test_silent_features_are_taught_to_write_the_error() -> None:
    """The loss of the one silent feature, which writes nothing yet, is 1/32: it leaves the error as it is."""
    descent, pairs = _descent(MapConfig(Transcoder(1), WIDTH, silent_steps=5)), _pairs()
    unassisted = _loss(descent, pairs).total
    descent.silence[0, 3] = 5
    assisted = _loss(descent, pairs).total
    assert float((assisted - unassisted).detach()) == pytest.approx(1 / 32, rel=1e-4)
    assisted.sum().backward()
    gradient = descent.parameters.W_dec.grad
    assert gradient is not None
    active = (pairs.read.rows @ descent.parameters.W_enc[0])[:, 3].relu()[:, None]
    error = pairs.written.rows - descent.parameters.b_dec[0]
    energy = pairs.read.mean(error.square().sum(dim=1))
    taught = -2 / 32 * pairs.read.weight @ (active * error) / energy
    kept = (pairs.read.rows @ descent.parameters.W_enc[0]).argmax(dim=1) == 3
    as_usual = -2 * pairs.read.weight @ (kept[:, None] * active * error) / pairs.written.spread
    torch.testing.assert_close(gradient[0, 3], (taught + as_usual).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [Transcoder, SkipTranscoder])
def test_members_with_batches_of_their_own_take_the_steps_that_they_would_take_alone(
    kind: type[Transcoder] | type[SkipTranscoder],
) -> None:
    configs = [MapConfig(kind(2), WIDTH, member=member, silent_steps=2, n_steps=8) for member in range(2)]
    own = [_pairs(), _pairs(1)]
    together = _descent(*configs)
    named = together.parameters.named
    origins = {name: named[name].detach().clone() for name in ("b_dec", "W_skip") if name in named}
    alone = [
        StackDescent.begin(
            {name: origin[[member]] for name, origin in origins.items()},
            [config],
            [torch.Generator().manual_seed(config.member)],
        )
        for member, config in enumerate(configs)
    ]
    for step in range(1, 9):
        shared = together.step(stacked(own), step)
        for member, (descent, batch) in enumerate(zip(alone, own, strict=True)):
            torch.testing.assert_close(shared.total[member], descent.step(batch, step).total[0], rtol=1e-3, atol=1e-4)
    for found, descent in zip(together.weights(), alone, strict=True):
        for name, tensor in descent.weights()[0].items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)


def test_weights_are_handed_over_as_they_were_learnt() -> None:
    descent = _descent(MapConfig(SkipTranscoder(3), WIDTH, learning_rate=0.05))
    for step in range(1, 4):
        descent.step(_pairs(), step)
    weights = descent.weights()[0]
    assert set(weights) == {"W_enc", "b_enc", "W_dec", "b_dec", "W_skip"}
    for name, tensor in descent.parameters.named.items():
        assert torch.equal(weights[name], tensor[0])
