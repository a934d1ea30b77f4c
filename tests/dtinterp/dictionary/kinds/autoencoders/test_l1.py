import torch

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.l1 import ENCODER_SHARE, L1, resample
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.dictionary.training.descent import StackDescent

ROWS = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
FAR = 17
"""The row that is reconstructed worst by far."""


def _batch() -> Batch:
    rows = ROWS.clone()
    rows[FAR] *= 50
    return Batch(rows, torch.full((40,), 1 / 40))


def _descent(n_members: int = 2) -> StackDescent:
    configs = [FitConfig(L1(0.1), width=9, member=member) for member in range(n_members)]
    descent = StackDescent.begin(
        {"b_dec": torch.zeros(n_members, 6)}, configs, [torch.Generator().manual_seed(1) for _ in configs]
    )
    descent.step(_batch(), 1)
    return descent


def _generators(n_members: int = 2) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(n_members)]


def test_silent_features_point_to_what_is_missing() -> None:
    descent = _descent()
    before = {name: tensor.detach().clone() for name, tensor in descent.parameters.named.items()}
    silent = torch.zeros(2, 9, dtype=torch.bool)
    silent[0, [2, 5]] = True
    resample(descent.parameters, descent.optimiser, _batch(), is_silent=silent, generators=_generators())
    parameters = descent.parameters
    away = torch.nn.functional.normalize(_batch().rows[FAR] - parameters.b_dec[0].detach(), dim=0)
    fires = ~silent[0]
    for feature in (2, 5):
        expected = away * before["W_dec"][0, fires].norm(dim=1).mean()
        torch.testing.assert_close(parameters.W_dec[0, feature].detach(), expected)
        expected = away * ENCODER_SHARE * before["W_enc"][0][:, fires].norm(dim=0).mean()
        torch.testing.assert_close(parameters.W_enc[0, :, feature].detach(), expected)
        assert float(parameters.b_enc[0, feature].detach()) == 0
        for name, across in (("W_dec", False), ("W_enc", True)):
            moments = descent.optimiser.state[getattr(parameters, name)]
            first, second = (moments[each].mT if across else moments[each] for each in ("exp_avg", "exp_avg_sq"))
            assert not first[0, feature].any()
            torch.testing.assert_close(second[0, feature], second[0, fires].mean(dim=0))
    assert torch.equal(parameters.W_dec[~silent], before["W_dec"][~silent])
    assert torch.equal(parameters.W_enc.mT[~silent], before["W_enc"].mT[~silent])
    assert descent.optimiser.state[parameters.W_dec]["exp_avg"][~silent].any()


def test_a_dictionary_that_is_silent_altogether_starts_anew() -> None:
    descent = _descent(1)
    resample(
        descent.parameters, descent.optimiser, _batch(), is_silent=torch.ones(1, 9).bool(), generators=_generators(1)
    )
    assert all(tensor.isfinite().all() for tensor in descent.parameters.tensors)
    assert (descent.parameters.W_dec.norm(dim=2) > 0.05).all()


def test_features_start_anew_four_times_in_the_first_half() -> None:
    assert [step for step in range(1, 1001) if L1().resampling(step, 1000)] == [125, 250, 375, 500]
