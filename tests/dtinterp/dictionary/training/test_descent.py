import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.dictionary.rows.batches import Batch, geometric_median, stacked
from dtinterp.dictionary.training.descent import StackDescent, set_learning_rate

KINDS: list[LearnedKind] = [TopK(2), BatchTopK(2), Matryoshka(2, 2), L1(0.1), JumpReLU(0.1), Gated(0.1)]
NAMES = [type(kind).__name__ for kind in KINDS]


def _batch(n_rows: int = 64, d_model: int = 8) -> Batch:
    rows = torch.randn(n_rows, d_model, generator=torch.Generator().manual_seed(0))
    return Batch(rows, torch.full((n_rows,), 1 / n_rows))


def _descent(*configs: FitConfig) -> StackDescent:
    b_dec = geometric_median(_batch()).repeat(len(configs), 1)
    return StackDescent.begin(
        {"b_dec": b_dec}, configs, [torch.Generator().manual_seed(3 + config.member) for config in configs]
    )


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_finished_decoder_rows_have_norm_one(kind: LearnedKind) -> None:
    descent = _descent(FitConfig(kind, width=12, learning_rate=0.05))
    for step in range(1, 4):
        descent.step(_batch(), step)
    torch.testing.assert_close(descent.weights()[0]["W_dec"].norm(dim=1), torch.ones(12))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not isinstance(kind, L1)], ids=lambda kind: type(kind).__name__
)
def test_decoder_rows_move_along_the_unit_sphere(kind: LearnedKind) -> None:
    descent = _descent(FitConfig(kind, width=12, learning_rate=0.1), FitConfig(kind, width=12, member=1))
    for step in range(1, 4):
        before = descent.parameters.W_dec.detach().clone()
        descent.step(_batch(), step)
        gradient = descent.parameters.W_dec.grad
        assert gradient is not None
        assert gradient.abs().max() > 0
        torch.testing.assert_close((gradient * before).sum(dim=2), torch.zeros(2, 12), rtol=0, atol=1e-5)
        torch.testing.assert_close(descent.parameters.W_dec.norm(dim=2), torch.ones(2, 12))


def test_l1_decoder_rows_are_free() -> None:
    descent = _descent(FitConfig(L1(0.1), width=12, learning_rate=0.1))
    torch.testing.assert_close(descent.parameters.W_dec.norm(dim=2), torch.full((1, 12), 0.1))
    descent.step(_batch(), 1)
    assert descent.parameters.W_dec.norm(dim=2).std() > 0.001


def test_the_price_of_activation_rises_at_first() -> None:
    prices = []
    for step in (1, 5, 10, 50):
        config = FitConfig(L1(2.0), width=12, n_steps=100, warmup=0.1)
        loss = _descent(config).step(_batch(), step)
        prices.append(float(loss.total.detach() - loss.error))
    assert prices == pytest.approx([prices[3] * share for share in (0.1, 0.5, 1.0, 1.0)], rel=1e-4)


def test_silence_counts_the_steps_since_a_feature_fired() -> None:
    descent = _descent(FitConfig(TopK(1), width=12))
    descent.silence.fill_(3)
    expected = torch.full((1, 12), 3)
    for step in range(1, 6):
        loss = descent.step(_batch(), step)
        expected = torch.where(loss.is_fired, 0, expected + 1)
    assert torch.equal(descent.silence, expected)
    assert expected.max() > 0
    assert (expected == 0).any()


def test_silent_features_take_part_after_a_while() -> None:
    def first_total(silence: int) -> float:
        descent = _descent(FitConfig(TopK(2), width=12, silent_steps=10))
        descent.silence.fill_(silence)
        return float(descent.step(_batch(), 1).total.detach())

    assert first_total(0) == first_total(9) < first_total(10)


def test_the_running_threshold_starts_at_the_first_and_follows() -> None:
    descent = _descent(FitConfig(BatchTopK(2), width=12))
    found = [descent.step(_batch(), step).threshold for step in (1, 2)]
    first, second = (float(threshold) for threshold in found if threshold is not None)
    assert float(descent.threshold) == pytest.approx(0.98 * first + 0.02 * second)


def test_a_finished_gate_is_a_threshold() -> None:
    descent = _descent(FitConfig(Gated(0.1), width=12, learning_rate=0.05))
    for step in range(1, 6):
        descent.step(_batch(), step)
    parameters, finished = descent.parameters, descent.weights()[0]
    assert parameters.b_gate is not None
    assert parameters.r_mag is not None
    shared = (_batch().rows - parameters.b_dec) @ parameters.W_enc[0]
    magnitude = (shared * parameters.r_mag.exp() + parameters.b_enc).relu()
    expected = magnitude.where(shared + parameters.b_gate > 0, 0.0).detach()
    activation = (_batch().rows - finished["b_dec"]) @ finished["W_enc"] + finished["b_enc"]
    found = activation.where(activation > finished["threshold"], 0.0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert 0 < (found > 0).float().mean() < 1


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_error_falls(kind: LearnedKind) -> None:
    descent = _descent(FitConfig(kind, width=12, n_steps=200, learning_rate=1e-2))
    errors = [float(descent.step(_batch(), step).error) for step in range(1, 201)]
    assert errors[-1] < 0.6 * errors[0]


@pytest.mark.parametrize("kind", [L1, JumpReLU, Gated])
def test_a_dearer_activation_is_used_less(kind: type[L1] | type[JumpReLU] | type[Gated]) -> None:
    configs = [FitConfig(kind(price), width=12, n_steps=300, learning_rate=1e-2) for price in (0.05, 3.0)]
    descent = _descent(*configs)
    n_active: Tensor = torch.zeros(2)
    for step in range(1, 301):
        n_active = descent.step(_batch(), step).n_active
    assert n_active[1] < 0.8 * n_active[0]


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_members_with_batches_of_their_own_take_the_steps_that_they_would_take_alone(kind: LearnedKind) -> None:
    configs = [FitConfig(kind, width=12, member=member, silent_steps=2, n_steps=8) for member in range(2)]
    own = [_batch(), Batch(3 * _batch().rows.flip(0, 1), torch.arange(1.0, 65) / (32 * 65))]
    together, alone = _descent(*configs), [_descent(config) for config in configs]
    for step in range(1, 9):
        shared = together.step(stacked(own), step)
        for member, (descent, batch) in enumerate(zip(alone, own, strict=True)):
            torch.testing.assert_close(shared.total[member], descent.step(batch, step).total[0], rtol=1e-3, atol=1e-4)
    for found, descent in zip(together.weights(), alone, strict=True):
        for name, tensor in descent.weights()[0].items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)


def test_the_learning_rate_falls_over_the_last_fifth() -> None:
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    rates = []
    for step in (1, 80, 91, 100):
        set_learning_rate(optimiser, FitConfig(n_steps=100, learning_rate=0.01), step)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.0005])
