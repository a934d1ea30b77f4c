from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.batched.losses import AUXILIARY_COEFFICIENT, Loss, LossInputs
from dtinterp.dictionary.batched.parameters import Parameters, initialise
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.dictionary.rows.batches import Batch

WIDTH, MEMBERS, N_ROWS, D_MODEL = 8, 2, 30, 6
NOBODY = torch.zeros(MEMBERS, WIDTH, dtype=torch.bool)
KINDS: dict[str, list[LearnedKind]] = {
    "TopK": [TopK(2), TopK(3)],
    "BatchTopK": [BatchTopK(2), BatchTopK(3)],
    "Matryoshka": [Matryoshka(2, 3), Matryoshka(3, 3)],
    "L1": [L1(0.3), L1(0.7)],
    "JumpReLU": [JumpReLU(0.3, 0.2), JumpReLU(0.7, 0.4)],
    "Gated": [Gated(0.3), Gated(0.7)],
}


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(N_ROWS, generator=generator)
    return Batch(torch.randn(N_ROWS, D_MODEL, generator=generator), weight / weight.sum())


def _parameters(kind: LearnedKind) -> Parameters:
    generator = torch.Generator().manual_seed(5)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    start = initialise(
        torch.randn(MEMBERS, D_MODEL, generator=generator) / 9, WIDTH, decoder_norm=0.7, generators=generators
    )
    start = replace(start, b_enc=torch.randn(MEMBERS, WIDTH, generator=generator) / 5)
    if isinstance(kind, JumpReLU):
        start = replace(start, log_threshold=torch.randn(MEMBERS, WIDTH, generator=generator) / 3 - 1)
    if isinstance(kind, Gated):
        b_gate, r_mag = torch.randn(2, MEMBERS, WIDTH, generator=generator) / 4
        start = replace(start, b_gate=b_gate, r_mag=r_mag)
    for tensor in start.tensors:
        tensor.requires_grad_()
    return start


def _loss(
    kinds: list[LearnedKind], parameters: Parameters, batch: Batch, is_silent: Tensor = NOBODY, *, rise: float = 1.0
) -> Loss:
    settings = {each.name: [float(getattr(kind, each.name)) for kind in kinds] for each in fields(kinds[0])}
    return kinds[0].loss(LossInputs(parameters, batch, is_silent, rise, settings))


@torch.no_grad()
def _slow_code(kind: LearnedKind, parameters: Parameters, batch: Batch, member: int) -> list[list[float]]:
    """The codes of one member, by their definition."""
    activations = [
        [
            float((row - parameters.b_dec[member]) @ parameters.W_enc[member][:, feature])
            + float(parameters.b_enc[member, feature])
            for feature in range(WIDTH)
        ]
        for row in batch.rows
    ]
    match kind:
        case TopK(k=k):
            return [[a if a > 0 and a in sorted(row)[-k:] else 0.0 for a in row] for row in activations]
        case BatchTopK(k=k) | Matryoshka(k=k):
            entries = sorted(
                ((a, float(w)) for row, w in zip(activations, batch.weight, strict=True) for a in row if a > 0),
                reverse=True,
            )
            total, kept = 0.0, set()
            for a, weight in entries:
                total += weight
                if total > k:
                    break
                kept.add(a)
            return [[a if a in kept else 0.0 for a in row] for row in activations]
        case L1():
            return [[max(0.0, a) for a in row] for row in activations]
        case JumpReLU():
            assert parameters.log_threshold is not None
            threshold = parameters.log_threshold[member].exp().tolist()
            return [[a if a > t else 0.0 for a, t in zip(row, threshold, strict=True)] for row in activations]
        case _:
            return [
                [
                    max(0.0, gain * (a - b) + b) if a - b + gate > 0 else 0.0
                    for a, b, gate, gain in zip(row, *_gates(parameters, member), strict=True)
                ]
                for row in activations
            ]


def _gates(parameters: Parameters, member: int) -> tuple[list[float], list[float], list[float]]:
    assert parameters.b_gate is not None
    assert parameters.r_mag is not None
    return (
        parameters.b_enc[member].tolist(),
        parameters.b_gate[member].tolist(),
        parameters.r_mag[member].exp().tolist(),
    )


def _slow_error(parameters: Parameters, batch: Batch, member: int, code: list[list[float]]) -> float:
    total = 0.0
    for weight, row, values in zip(batch.weight, batch.rows, code, strict=True):
        made = parameters.b_dec[member] + torch.tensor(values) @ parameters.W_dec[member]
        total += float(weight) * float((row - made).square().sum())
    return total


def _weighted(batch: Batch, values: list[float]) -> float:
    return sum(float(weight) * value for weight, value in zip(batch.weight, values, strict=True))


def _slow_total(kind: LearnedKind, parameters: Parameters, batch: Batch, member: int) -> float:
    code = _slow_code(kind, parameters, batch, member)
    error, spread = _slow_error(parameters, batch, member, code), float(batch.spread)
    match kind:
        case TopK() | BatchTopK():
            return error / spread
        case Matryoshka():
            nested = [
                _slow_error(parameters, batch, member, [row[:m] + [0.0] * (WIDTH - m) for row in code])
                for m in (2, 4, 8)
            ]
            return sum(nested) / 3 / spread
        case L1(coefficient=price):
            length = parameters.W_dec[member].norm(dim=1).tolist()
            return error + price * _weighted(
                batch, [sum(z * d for z, d in zip(row, length, strict=True)) for row in code]
            )
        case JumpReLU(coefficient=price):
            return error + price * _weighted(batch, [float(sum(z > 0 for z in row)) for row in code])
        case _:
            price = float(getattr(kind, "coefficient", 0))
            b_mag, b_gate, _ = _gates(parameters, member)
            gate = [
                [max(0.0, a - b + g) for a, b, g in zip(row, b_mag, b_gate, strict=True)]
                for row in parameters.activation(batch.rows)[member].tolist()
            ]
            price_paid = price * _weighted(batch, [sum(row) for row in gate])
            return error + price_paid + _slow_error(parameters, batch, member, gate)


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
@torch.no_grad()
def test_the_loss_of_every_member_is_what_a_slow_loop_computes(kinds: list[LearnedKind]) -> None:
    batch, parameters = _batch(), _parameters(kinds[0])
    loss = _loss(kinds, parameters, batch)
    for member, kind in enumerate(kinds):
        code = _slow_code(kind, parameters, batch, member)
        assert float(loss.total[member]) == pytest.approx(_slow_total(kind, parameters, batch, member), rel=1e-4)
        assert float(loss.error[member]) == pytest.approx(_slow_error(parameters, batch, member, code), rel=1e-4)
        active = [float(sum(z > 0 for z in row)) for row in code]
        assert float(loss.n_active[member]) == pytest.approx(_weighted(batch, active), rel=1e-4)
        assert loss.is_fired[member].tolist() == (torch.tensor(code) > 0).any(dim=0).tolist()


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_members_do_not_feel_each_other(kinds: list[LearnedKind]) -> None:
    batch, both = _batch(), _parameters(kinds[0])
    _loss(kinds, both, batch).total.sum().backward()
    alone = replace(both, **{name: tensor[1:].detach().requires_grad_() for name, tensor in both.named.items()})
    _loss(kinds[1:], alone, batch, NOBODY[1:]).total.sum().backward()
    for name, tensor in alone.named.items():
        found, expected = both.named[name].grad, tensor.grad
        assert found is not None
        assert expected is not None
        torch.testing.assert_close(found[1:], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_weighted_rows_have_the_gradient_of_repeated_rows(kinds: list[LearnedKind]) -> None:
    distinct, count = _batch().rows[:4], torch.tensor([1, 2, 3, 2])
    weighted = Batch(distinct, count / count.sum())
    repeated = Batch(distinct.repeat_interleave(count, dim=0), torch.full((8,), 1 / 8))
    gradients = []
    for batch in (weighted, repeated):
        parameters = _parameters(kinds[0])
        _loss(kinds, parameters, batch, NOBODY.index_fill(1, torch.tensor([7]), value=True)).total.sum().backward()
        gradients.append([tensor.grad for tensor in parameters.tensors])
    for from_weights, from_repetition in zip(*gradients, strict=True):
        assert from_weights.abs().max() > 0
        torch.testing.assert_close(from_weights, from_repetition, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kinds", [KINDS["TopK"], KINDS["BatchTopK"]], ids=["TopK", "BatchTopK"])
def test_silent_features_are_taught_the_error_and_nothing_else(kinds: list[LearnedKind]) -> None:
    batch, parameters = _batch(), _parameters(kinds[0])
    silent = NOBODY.clone()
    silent[0, 2] = silent[0, 5] = True
    without = _loss(kinds, parameters, batch)
    with_auxiliary = _loss(kinds, parameters, batch, silent)
    code = torch.tensor(_slow_code(kinds[0], parameters, batch, 0))
    error = batch.rows - parameters.b_dec[0] - code @ parameters.W_dec[0]
    caught = parameters.activation(batch.rows)[0][:, silent[0]].relu() @ parameters.W_dec[0][silent[0]]
    missed = batch.mean((error - caught).square().sum(dim=1)) / batch.mean(error.square().sum(dim=1))
    torch.testing.assert_close(with_auxiliary.total[0], without.total[0] + AUXILIARY_COEFFICIENT * missed)
    torch.testing.assert_close(with_auxiliary.total[1], without.total[1])
    gained = torch.autograd.grad((with_auxiliary.total - without.total).sum(), parameters.W_dec)[0]
    assert (gained[~silent].abs() < 1e-6).all()
    assert (gained[silent].abs() > 1e-6).any()


@pytest.mark.parametrize("kinds", [KINDS["JumpReLU"], KINDS["Gated"]], ids=["JumpReLU", "Gated"])
def test_silent_features_with_thresholds_are_taught_the_error_too(kinds: list[LearnedKind]) -> None:
    batch, parameters = _batch(), _parameters(kinds[0])
    silent = NOBODY.clone()
    silent[0, 2] = silent[0, 5] = True
    code = torch.tensor(_slow_code(kinds[0], parameters, batch, 0))
    error = batch.rows - parameters.b_dec[0] - code @ parameters.W_dec[0]
    shared = (batch.rows - parameters.b_dec[0]) @ parameters.W_enc[0][:, silent[0]]
    bias = parameters.b_enc if parameters.b_gate is None else parameters.b_gate
    caught = (shared + bias[0][silent[0]]).relu() @ parameters.W_dec[0][silent[0]]
    missed = batch.mean((error - caught).square().sum(dim=1)) / batch.mean(error.square().sum(dim=1))
    gained = _loss(kinds, parameters, batch, silent).total - _loss(kinds, parameters, batch).total
    torch.testing.assert_close(gained[0], AUXILIARY_COEFFICIENT * batch.spread * missed, rtol=1e-3, atol=1e-5)
    assert float(gained[1].detach()) == 0


def test_features_of_l1_are_never_taught() -> None:
    batch, parameters = _batch(), _parameters(L1())
    totals = [_loss(KINDS["L1"], parameters, batch, silent).total for silent in (NOBODY, ~NOBODY)]
    assert torch.equal(totals[0], totals[1])


def test_many_silent_features_take_turns_by_their_strength() -> None:
    batch, parameters = _batch(), _parameters(TopK(2))
    everybody = ~NOBODY
    without = _loss(KINDS["TopK"], parameters, batch).total
    found = (_loss(KINDS["TopK"], parameters, batch, everybody).total - without) / AUXILIARY_COEFFICIENT
    for member, kind in enumerate(KINDS["TopK"]):
        code = torch.tensor(_slow_code(kind, parameters, batch, member))
        error = batch.rows - parameters.b_dec[member] - code @ parameters.W_dec[member]
        second = torch.tensor(_slow_code(TopK(D_MODEL // 2), parameters, batch, member))
        missed = batch.mean((error - second @ parameters.W_dec[member]).square().sum(dim=1))
        expected = missed / batch.mean(error.square().sum(dim=1))
        torch.testing.assert_close(found[member], expected, rtol=1e-3, atol=1e-5)


def test_one_level_of_a_matryoshka_is_a_batchtopk() -> None:
    batch, parameters = _batch(), _parameters(BatchTopK(2))
    nested = _loss([Matryoshka(2, 1), Matryoshka(3, 1)], parameters, batch)
    torch.testing.assert_close(nested.total, _loss(KINDS["BatchTopK"], parameters, batch).total)


def test_lengthening_a_decoder_row_does_not_cheat_the_l1_price() -> None:
    batch, parameters = _batch(), _parameters(L1())
    longer = Parameters(parameters.W_enc / 3, parameters.b_enc / 3, parameters.W_dec * 3, parameters.b_dec)
    torch.testing.assert_close(_loss(KINDS["L1"], longer, batch).total, _loss(KINDS["L1"], parameters, batch).total)


def test_prices_count_as_far_as_they_have_risen() -> None:
    batch = _batch()
    for name in ("L1", "JumpReLU", "Gated"):
        parameters = _parameters(KINDS[name][0])
        totals = [_loss(KINDS[name], parameters, batch, rise=rise).total for rise in (0.0, 0.5, 1.0)]
        torch.testing.assert_close(totals[1], (totals[0] + totals[2]) / 2)
        assert (totals[2] > totals[0]).all()


def test_the_gates_error_leaves_the_decoder_alone() -> None:
    batch, parameters = _batch(), _parameters(Gated())
    closed = torch.full_like(parameters.b_enc, -1e3).requires_grad_()  # magnitudes are 0: only the gates reconstruct
    parameters = replace(parameters, b_enc=closed)
    _loss(KINDS["Gated"], parameters, batch).total.sum().backward()
    assert parameters.W_dec.grad is not None
    assert (parameters.W_dec.grad == 0).all()
    assert parameters.W_enc.grad is not None
    assert parameters.W_enc.grad.abs().max() > 0


def test_thresholds_follow_the_pseudo_derivative() -> None:
    batch, parameters, kinds = _batch(), _parameters(JumpReLU()), KINDS["JumpReLU"]
    _loss(kinds, parameters, batch).total.sum().backward()
    assert parameters.log_threshold is not None
    found = parameters.log_threshold.grad
    assert found is not None
    threshold = parameters.log_threshold.detach().exp()
    activation = parameters.activation(batch.rows).detach().relu()
    for member, kind in enumerate(kinds):
        assert isinstance(kind, JumpReLU)
        code = torch.tensor(_slow_code(kind, parameters, batch, member))
        error = batch.rows - parameters.b_dec[member].detach() - code @ parameters.W_dec[member].detach()
        for feature in range(WIDTH):
            t, expected = float(threshold[member, feature]), 0.0
            for row in range(N_ROWS):
                if abs(float(activation[member, row, feature]) - t) < kind.bandwidth / 2:
                    slope = -2 * float(error[row] @ parameters.W_dec[member, feature].detach())  # d|x - x'|^2 / dz
                    expected -= float(batch.weight[row]) * (slope * t + kind.coefficient) / kind.bandwidth
            assert float(found[member, feature]) == pytest.approx(expected * t, rel=1e-3, abs=1e-5)
