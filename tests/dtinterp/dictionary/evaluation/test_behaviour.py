"""What answers lose by an edit, against slow loops and laws."""

from math import exp, log

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.behaviour import Decisions, LogitsWith, RowEdit, effects
from dtinterp.dictionary.evaluation.score import score_decisions
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.foundation.errors import UserError

N_ROWS, D_MODEL, N_ACTIONS = 60, 6, 4


@pytest.fixture
def rows() -> Float[Tensor, "row d_model"]:
    return torch.randn(N_ROWS, D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def logits_with(rows: Tensor) -> LogitsWith:
    outer = torch.randn(D_MODEL, N_ACTIONS, generator=torch.Generator().manual_seed(1))

    def run(edit: RowEdit | None) -> Float[Tensor, "row action"]:
        return (rows if edit is None else edit(rows)) @ outer

    return run


def _effects(edit: RowEdit, rows: Tensor, logits_with: LogitsWith, target: Tensor | None = None):
    target = logits_with(None).argmax(dim=1) if target is None else target
    generator = np.random.default_rng(0)
    cluster = torch.arange(len(target)) // 3
    return effects(
        edit, rows.mean(dim=0), logits_with=logits_with, target_action=target, cluster=cluster, generator=generator
    )


def test_the_measures_are_what_a_slow_loop_computes(rows, logits_with):
    target = torch.arange(N_ROWS) % N_ACTIONS
    found = _effects(lambda x: x.roll(1, dims=1), rows, logits_with, target).spliced
    clean, edited = logits_with(None).double(), logits_with(lambda x: x.roll(1, dims=1)).double()
    loss = kl = difference = hits = 0.0
    for row in range(N_ROWS):
        p = [exp(x) / sum(map(exp, edited[row].tolist())) for x in edited[row].tolist()]
        q = [exp(x) / sum(map(exp, clean[row].tolist())) for x in clean[row].tolist()]
        second, first = sorted(range(N_ACTIONS), key=lambda action: q[action])[-2:]
        loss -= log(p[int(target[row])])
        hits += p.index(max(p)) == int(target[row])
        kl += sum(q[a] * log(q[a] / p[a]) for a in range(N_ACTIONS))
        difference += float(edited[row, first] - edited[row, second])
    assert found.logit_difference is not None
    measured = (found.loss, found.accuracy, found.kl, found.logit_difference)
    expected = (loss, hits, kl, difference)
    assert [each.estimate for each in measured] == pytest.approx([total / N_ROWS for total in expected], rel=1e-6)


def test_nothing_put_in_place_changes_nothing(rows, logits_with):
    found = _effects(lambda x: x, rows, logits_with)
    assert found.spliced == found.clean
    assert found.clean.kl.estimate == pytest.approx(0, abs=1e-12)
    assert found.loss_recovered_from_zero is not None
    assert found.loss_recovered_from_zero.estimate == pytest.approx(1)


def test_the_untouched_logit_difference_is_never_negative(rows, logits_with):
    found = _effects(torch.neg, rows, logits_with)
    assert found.clean.logit_difference is not None
    assert found.spliced.logit_difference is not None
    assert found.clean.logit_difference.estimate > 0
    assert found.spliced.logit_difference.estimate == pytest.approx(-found.clean.logit_difference.estimate)


def test_zeros_in_place_recover_nothing_of_what_zeros_cost(rows, logits_with):
    found = _effects(torch.zeros_like, rows, logits_with)
    assert found.spliced == found.zero
    assert found.loss_recovered_from_zero is not None
    assert found.loss_recovered_from_zero.estimate == pytest.approx(0)


def test_a_network_with_one_action_decides_nothing(rows):
    with pytest.raises(UserError, match="chooses among 1 actions, expected at least 2"):
        _effects(torch.neg, rows, lambda _: rows[:, :1], torch.zeros(N_ROWS, dtype=torch.int64))


def _score(dictionary: Dictionary, rows: Tensor, logits_with: LogitsWith, is_decision: Tensor):
    def there(edit: RowEdit | None) -> Tensor:
        return logits_with(None if edit is None else lambda x: torch.where(is_decision[:, None], edit(x), x))

    return score_decisions(
        dictionary,
        rows,
        Decisions(is_decision, there, logits_with),
        target_action=logits_with(None).argmax(dim=1),
        cluster=torch.arange(N_ROWS),
        generator=np.random.default_rng(0),
    )


def test_decision_points_are_judged_as_if_they_were_alone(random_dictionary, rows, logits_with):
    dictionary, is_decision = random_dictionary(TopK(3), 11), torch.arange(N_ROWS) % 5 == 0
    found = _score(dictionary, rows, logits_with, is_decision)
    assert found is not None
    alone = _effects(torch.zeros_like, rows[is_decision], lambda edit: logits_with(edit)[is_decision], None)
    assert found.there.n_rows == int(is_decision.sum())
    assert found.there.clean.loss.estimate == pytest.approx(alone.clean.loss.estimate)
    assert found.there.zero.loss.estimate == pytest.approx(alone.zero.loss.estimate)
    assert found.everywhere.spliced.loss.estimate == pytest.approx(
        found.there.spliced.loss.estimate  # no row of this network reads another
    )


def test_without_a_decision_point_there_is_nothing_to_judge(random_dictionary, rows, logits_with):
    found = _score(random_dictionary(TopK(3), 11), rows, logits_with, torch.zeros(N_ROWS, dtype=torch.bool))
    assert found is None
