from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode, reconstruct
from dtinterp.dictionary.evaluation.behaviour import Behaviour, LogitsWith, RowEdit
from dtinterp.dictionary.evaluation.score import DictionaryScore, score
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

N_ROWS, D_MODEL, N_ACTIONS = 120, 6, 3


@pytest.fixture
def rows() -> Float[Tensor, "row d_model"]:
    table = torch.randn(30, D_MODEL, generator=torch.Generator().manual_seed(0)) + 0.5
    return table[torch.arange(N_ROWS) % 30]


@pytest.fixture
def logits_with(rows: Float[Tensor, "row d_model"]) -> LogitsWith:
    """A toy network that is sure of itself: two layers behind the rows."""
    generator = torch.Generator().manual_seed(1)
    inner = torch.randn(D_MODEL, 10, generator=generator)
    outer = torch.randn(10, N_ACTIONS, generator=generator)

    def run(edit: RowEdit | None) -> Float[Tensor, "row action"]:
        return (rows if edit is None else edit(rows)).matmul(inner).tanh() @ outer

    return run


@pytest.fixture
def target_action(logits_with: LogitsWith) -> Int64[Tensor, " row"]:
    """What the untouched network would do, but for every seventh row."""
    chosen = logits_with(None).argmax(dim=1)
    return torch.where(torch.arange(N_ROWS) % 7 == 0, (chosen + 1) % N_ACTIONS, chosen)


def _score(dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith) -> DictionaryScore:
    return score(
        dictionary, rows, target_action=target_action, logits_with=logits_with, generator=np.random.default_rng(0)
    )


def _slow_behaviour(logits: Tensor, clean: Tensor, target_action: Tensor) -> tuple[float, float, float]:
    loss = hits = divergence = 0.0
    for row in range(len(logits)):
        edited = [exp(float(logit)) for logit in logits[row].double()]
        intact = [exp(float(logit)) for logit in clean[row].double()]
        p = [weight / sum(edited) for weight in edited]
        q = [weight / sum(intact) for weight in intact]
        loss -= log(p[int(target_action[row])])
        hits += p.index(max(p)) == int(target_action[row])
        divergence += sum(q[action] * log(q[action] / p[action]) for action in range(N_ACTIONS))
    return loss / len(logits), hits / len(logits), divergence / len(logits)


def _estimates(behaviour: Behaviour) -> tuple[float, float, float]:
    return behaviour.loss.estimate, behaviour.accuracy.estimate, behaviour.kl.estimate


def test_behaviour_is_what_a_slow_loop_computes(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    found = _score(dictionary, rows, target_action, logits_with)
    replacement = {
        "clean": rows,
        "spliced": reconstruct(dictionary, rows),
        "zero": torch.zeros_like(rows),
        "mean": torch.tensor([sum(float(row[place]) for row in rows) / N_ROWS for place in range(D_MODEL)]).expand_as(
            rows
        ),
    }
    clean = logits_with(None)
    for arm, value in replacement.items():
        expected = _slow_behaviour(logits_with(lambda _, value=value: value), clean, target_action)
        assert _estimates(getattr(found, arm)) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_sparsity_and_error_are_what_a_slow_loop_computes(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    found = _score(dictionary, rows, target_action, logits_with)
    codes, made, mean = encode(dictionary, rows), reconstruct(dictionary, rows), rows.mean(dim=0)
    alive: set[int] = set()
    n_active = error = spread = 0.0
    for row in range(N_ROWS):
        active = {int(i) for i, v in zip(codes.index[row], codes.value[row], strict=True) if v != 0}
        alive |= active
        n_active += len(active)
        error += sum(float(rows[row, place] - made[row, place]) ** 2 for place in range(D_MODEL))
        spread += sum(float(rows[row, place] - mean[place]) ** 2 for place in range(D_MODEL))
    assert found.l0.estimate == pytest.approx(n_active / N_ROWS)
    assert found.fvu.estimate == pytest.approx(error / spread, rel=1e-4)
    assert found.dead_share == pytest.approx(1 - len(alive) / dictionary.width)


def test_recovered_loss_follows_its_formula(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    found = _score(dictionary, rows, target_action, logits_with)
    clean, spliced = found.clean.loss.estimate, found.spliced.loss.estimate
    for ablated, recovered in (
        (found.zero, found.loss_recovered_from_zero),
        (found.mean, found.loss_recovered_from_mean),
    ):
        assert recovered is not None
        worst = ablated.loss.estimate
        assert recovered.estimate == pytest.approx((worst - spliced) / (worst - clean))


def test_a_perfect_dictionary_recovers_everything(rows: Tensor, target_action: Tensor, logits_with: LogitsWith) -> None:
    identity = Dictionary(
        W_enc=torch.eye(D_MODEL),
        b_enc=torch.zeros(D_MODEL),
        W_dec=torch.eye(D_MODEL),
        b_dec=torch.zeros(D_MODEL),
        kind=Pca(D_MODEL),
        scale=torch.tensor(1.0),
        site="",
        name="identity",
    )
    found = _score(identity, rows, target_action, logits_with)
    assert found.fvu.estimate == 0
    assert found.spliced == found.clean
    assert found.clean.kl.estimate == 0
    assert found.loss_recovered_from_zero is not None
    assert found.loss_recovered_from_zero.estimate == 1


def test_a_dictionary_of_zeros_recovers_nothing(rows: Tensor, target_action: Tensor, logits_with: LogitsWith) -> None:
    nothing = Dictionary(
        W_enc=torch.zeros(D_MODEL, 4),
        b_enc=torch.zeros(4),
        W_dec=torch.eye(4, D_MODEL),
        b_dec=torch.zeros(D_MODEL),
        kind=TopK(2),
        scale=torch.tensor(1.0),
        site="",
        name="nothing",
    )
    found = _score(nothing, rows, target_action, logits_with)
    assert (found.l0.estimate, found.dead_share) == (0, 1)
    assert found.loss_recovered_from_zero is not None
    assert found.loss_recovered_from_zero.estimate == 0


def test_nothing_is_recovered_where_the_ablation_does_no_harm(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor
) -> None:
    found = _score(dictionary, rows, target_action, lambda _: torch.zeros(N_ROWS, N_ACTIONS))
    assert found.loss_recovered_from_zero is None
    assert found.loss_recovered_from_mean is None


def test_edits_may_be_made_a_few_rows_at_a_time(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    def in_pieces(edit: RowEdit | None) -> Float[Tensor, "row action"]:
        if edit is None:
            return logits_with(None)
        return logits_with(lambda intact: torch.cat([edit(piece) for piece in intact.split(13)]))

    whole = _score(dictionary, rows, target_action, logits_with)
    pieces = _score(dictionary, rows, target_action, in_pieces)
    for arm in ("clean", "spliced", "zero", "mean"):
        assert _estimates(getattr(pieces, arm)) == pytest.approx(_estimates(getattr(whole, arm)), rel=1e-4)


def test_inputs_are_counted_beside_the_width(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    found = _score(dictionary, rows, target_action, logits_with)
    assert (found.n_rows, found.n_distinct, found.rank, found.width) == (N_ROWS, 30, D_MODEL, dictionary.width)
    assert not found.width_exceeds_inputs
    assert replace(found, width=31).width_exceeds_inputs


def test_clustered_rows_give_wider_intervals(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    def interval(cluster: Tensor | None) -> Interval:
        found = score(
            dictionary,
            rows,
            target_action=target_action,
            logits_with=logits_with,
            generator=np.random.default_rng(0),
            cluster=cluster,
        )
        return found.fvu

    alone, together = interval(None), interval(torch.arange(N_ROWS) % 30)
    assert (alone.n, together.n) == (N_ROWS, 30)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_score(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor, logits_with: LogitsWith
) -> None:
    assert _score(dictionary, rows, target_action, logits_with) == _score(dictionary, rows, target_action, logits_with)


def test_rows_of_another_length_are_refused(
    dictionary: Dictionary, target_action: Tensor, logits_with: LogitsWith
) -> None:
    with pytest.raises(UserError, match="The rows have length 5, expected 6"):
        _score(dictionary, torch.zeros(N_ROWS, 5), target_action, logits_with)


def test_missing_target_actions_are_refused(
    dictionary: Dictionary,
    rows: Tensor,
    target_action: Tensor,
    logits_with: LogitsWith,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match="There are 5 target actions for 120 rows: give one for each row"):
        _score(dictionary, rows, target_action[:5], logits_with)


def test_missing_cluster_labels_are_refused(
    dictionary: Dictionary,
    rows: Tensor,
    target_action: Tensor,
    logits_with: LogitsWith,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match="There are 3 cluster labels for 120 rows: give one for each row"):
        score(
            dictionary,
            rows,
            target_action=target_action,
            logits_with=logits_with,
            generator=np.random.default_rng(0),
            cluster=torch.arange(3),
        )


def test_a_network_that_answers_for_other_rows_is_refused(
    dictionary: Dictionary, rows: Tensor, target_action: Tensor
) -> None:
    with pytest.raises(ValueError, match="the network answered for 2 rows, expected 120"):
        _score(dictionary, rows, target_action, lambda _: torch.zeros(2, N_ACTIONS))
