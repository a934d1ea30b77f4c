from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode, reconstruct
from dtinterp.dictionary.evaluation.card import (
    DENSITY_EDGES,
    RowCard,
    UnseenFrames,
    coherence,
    held_out_cards,
    row_card,
)
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.foundation.errors import UserError


@pytest.fixture
def table(rows: Tensor) -> Tensor:
    """40 distinct rows, then half of them again, and a row of zeros."""
    return torch.cat([rows, rows[:20], torch.zeros(1, 6)])


def _card(dictionary: Dictionary, rows: Tensor, cluster: Tensor | None = None) -> RowCard:
    return row_card(dictionary, rows, generator=np.random.default_rng(0), cluster=cluster)


def test_every_number_is_what_a_slow_loop_computes(dictionary: Dictionary, table: Tensor) -> None:
    card, codes, made = _card(dictionary, table), encode(dictionary, table), reconstruct(dictionary, table).double()
    x, n = table.double(), len(table)
    mean, mean_error = sum(x) / n, sum(x - made) / n
    l0 = l1 = error = scatter = spread = cosine = shrinkage = product = square = 0.0
    for row in range(n):
        for index, value in zip(codes.index[row].tolist(), codes.value[row].tolist(), strict=True):
            l0 += value != 0
            l1 += abs(value) * float(dictionary.W_dec[index].norm())
        e = x[row] - made[row]
        error += float(e @ e)
        scatter += float((e - mean_error) @ (e - mean_error))
        spread += float((x[row] - mean) @ (x[row] - mean))
        dot, length, made_length = float(x[row] @ made[row]), float(x[row].norm()), float(made[row].norm())
        cosine += dot / (length * made_length) if length * made_length else 0.0
        shrinkage += made_length / length if length else 0.0
        product, square = product + dot, square + made_length**2
    expected = {
        "l0": l0 / n,
        "l1": l1 / n,
        "fvu": error / spread,
        "explained_variance": 1 - scatter / spread,
        "cosine": cosine / n,
        "shrinkage": shrinkage / (n - 1),
        "relative_bias": square / product,
        "mse": error / n,
    }
    for name, value in expected.items():
        assert getattr(card, name).estimate == pytest.approx(value, rel=1e-4, abs=1e-9), name


def test_densities_are_counted_in_bins(random_dictionary, table: Tensor) -> None:
    dictionary = random_dictionary(TopK(3), width=11)
    dictionary = replace(dictionary, b_enc=dictionary.b_enc.index_fill(0, torch.tensor([4]), -1e6))
    codes, card = encode(dictionary, table), _card(dictionary, table)
    counts = [0] * len(DENSITY_EDGES)
    for feature in range(11):
        share = sum(float(((codes.index[row] == feature) & (codes.value[row] > 0)).any()) for row in range(61)) / 61
        counts[sum(share > edge for edge in DENSITY_EDGES)] += 1
    assert card.density == tuple(counts)
    assert card.dead_share == pytest.approx(counts[0] / 11)
    assert counts[0] >= 1


def test_a_perfect_dictionary_has_perfect_marks(table: Tensor) -> None:
    eye = torch.eye(6)
    perfect = Dictionary(eye, torch.zeros(6), eye, torch.zeros(6), Identity(), "", "identity", torch.tensor(1.0))
    card = _card(perfect, table[:-1])
    for measure, mark in {"fvu": 0, "explained_variance": 1, "cosine": 1, "shrinkage": 1, "relative_bias": 1}.items():
        assert getattr(card, measure).estimate == pytest.approx(mark, abs=1e-12)
    assert (card.coherence, card.dead_share) == (0, 0)


def test_a_constant_offset_spoils_fvu_but_not_explained_variance(table: Tensor) -> None:
    eye = torch.eye(6)
    perfect = Dictionary(eye, torch.zeros(6), eye, torch.zeros(6), Identity(), "", "identity", torch.tensor(1.0))
    shifted = _card(replace(perfect, b_enc=torch.ones(6)), table)
    assert shifted.explained_variance.estimate == pytest.approx(1)
    assert shifted.fvu.estimate == pytest.approx(6 * 61 / float((table - table.mean(dim=0)).square().sum()), rel=1e-5)


def test_a_short_reconstruction_shows_in_shrinkage_and_bias(table: Tensor) -> None:
    eye = torch.eye(6)
    half = Dictionary(eye, torch.zeros(6), eye / 2, torch.zeros(6), Identity(), "", "half", torch.tensor(1.0))
    card = _card(half, table)
    assert card.shrinkage.estimate == pytest.approx(0.5)
    assert card.relative_bias is not None
    assert card.relative_bias.estimate == pytest.approx(0.5)
    assert card.cosine.estimate == pytest.approx(60 / 61)


def test_intervals_hold_their_estimate_and_count_clusters(dictionary: Dictionary, table: Tensor) -> None:
    card = _card(dictionary, table, torch.arange(61) // 3)
    assert card.fvu.n == card.l0.n == 21
    assert card.fvu.low < card.fvu.estimate < card.fvu.high


def test_inputs_are_counted(dictionary: Dictionary, table: Tensor) -> None:
    inputs = _card(dictionary, table).inputs
    assert (inputs.n_rows, inputs.n_distinct, inputs.rank) == (61, 41, 6)
    assert 5 < inputs.effective_rank <= 6


def test_coherence_is_the_mean_of_the_largest_cosines() -> None:
    W_dec = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    assert coherence(W_dec) == pytest.approx(0.5**0.5)
    assert coherence(W_dec[:1]) == 0


def _held_out(dictionary: Dictionary, rows: Tensor, fitted: Tensor):
    return held_out_cards(dictionary, rows, fitted=fitted, generator=np.random.default_rng(0))


def test_rows_that_the_fit_never_saw_have_a_card_of_their_own(dictionary: Dictionary, rows: Tensor) -> None:
    cards = _held_out(dictionary, rows, rows[:25])
    assert cards.unseen is not None
    assert cards.unseen.inputs.n_rows == 15
    assert cards.unseen.fvu.estimate == pytest.approx(_card(dictionary, rows[25:]).fvu.estimate)
    assert cards.everything.fvu.estimate == pytest.approx(_card(dictionary, rows).fvu.estimate)
    assert cards.fitted.n_distinct == 25


def test_a_width_beyond_the_distinct_inputs_is_warned_of(random_dictionary, rows: Tensor) -> None:
    dictionary = random_dictionary(TopK(3), width=11)
    warned = _held_out(dictionary, rows, rows[:10]).warnings
    assert any("width 11 exceeds the 10 distinct inputs of the fit" in warning for warning in warned)
    calm = _held_out(dictionary, rows, rows[:11]).warnings
    assert not any("exceeds" in warning for warning in calm)


def test_held_out_rows_that_are_all_known_are_warned_of(dictionary: Dictionary, rows: Tensor) -> None:
    cards = _held_out(dictionary, rows[:5], rows)
    assert cards.unseen is None
    assert any("every held-out row is an input of the fit" in warning for warning in cards.warnings)


def test_many_dead_features_are_warned_of(random_dictionary, rows: Tensor) -> None:
    dictionary = random_dictionary(TopK(1), width=40)
    dead = replace(dictionary, b_enc=torch.full((40,), -1e6).index_fill(0, torch.tensor([0]), 1e6))
    assert "98% of the features are dead: the width in use is far smaller" in _held_out(dead, rows, rows[:3]).warnings


def test_missing_cluster_labels_are_refused(
    dictionary: Dictionary, rows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match="There are 3 cluster labels for 40 rows: give one for each row"):
        _card(dictionary, rows, torch.arange(3))


def test_activations_may_come_from_anywhere(dictionary: Dictionary, rows: Tensor) -> None:
    pieces = row_card(dictionary, iter(rows.numpy().reshape(4, 2, 5, 6)), generator=np.random.default_rng(0))
    assert pieces == _card(dictionary, rows)


@pytest.mark.parametrize(
    ("n_rows", "sentence"),
    [
        (1, "The one row to judge on has no variance, expected at least 2 distinct rows: judge on more varied ones"),
        (5, "The 5 rows to judge on are all alike and have no variance, expected at least 2 distinct rows"),
    ],
)
def test_rows_without_variance_are_refused(dictionary: Dictionary, rows: Tensor, n_rows: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        _card(dictionary, rows[:1].repeat(n_rows, 1))
    with pytest.raises(UserError, match=sentence):
        _held_out(dictionary, rows[:1].repeat(n_rows, 1), rows)


@pytest.mark.parametrize("n_unseen", [1, 3])
def test_unseen_rows_without_variance_have_no_card_and_are_warned_of(
    dictionary: Dictionary, rows: Tensor, n_unseen: int
) -> None:
    cards = _held_out(dictionary, torch.cat([rows[:20], rows[30:31].repeat(n_unseen, 1)]), rows[:20])
    assert cards.unseen is None
    warning = cards.warnings[0]
    assert warning.startswith(f"of the held-out rows {n_unseen} are no input of the fit, all alike: too few")


def _with_new_frames(dictionary: Dictionary, rows: Tensor, places: list[int]) -> RowCard | None:
    is_new = torch.zeros(len(rows), dtype=torch.bool).index_fill(0, torch.tensor(places), True)
    rng = np.random.default_rng(0)
    return held_out_cards(dictionary, rows, fitted=rows[:20], generator=rng, new=is_new).unseen_frame


def test_frames_that_are_given_are_judged_in_place_of_rows_that_equal_none_of_the_fit(
    dictionary: Dictionary, rows: Tensor
) -> None:
    new = UnseenFrames(demonstrated=rows[25:28], known=rows[25:])
    cards = held_out_cards(dictionary, rows[:20], fitted=rows[:20], generator=np.random.default_rng(0), new=new)
    assert cards.unseen is not None
    assert cards.unseen_frame is not None
    assert cards.unseen.fvu.estimate == pytest.approx(_card(dictionary, rows[25:28]).fvu.estimate)
    assert cards.unseen_frame.fvu.estimate == pytest.approx(_card(dictionary, rows[25:]).fvu.estimate)
    assert not any("memory" in warning for warning in cards.warnings)
    nothing = UnseenFrames(rows[:0], rows[:0])
    without = held_out_cards(dictionary, rows, fitted=rows[:20], generator=np.random.default_rng(0), new=nothing)
    assert (without.unseen, without.unseen_frame) == (None, None)
    assert any("nothing here tells learning from memory" in warning for warning in without.warnings)


def test_one_new_frame_has_no_card_and_two_have_one(dictionary: Dictionary, rows: Tensor) -> None:
    assert _with_new_frames(dictionary, rows, [30]) is None
    both = _with_new_frames(dictionary, rows, [30, 31])
    assert both is not None
    assert both.inputs.n_rows == 2


def test_a_row_that_is_the_mean_spoils_no_interval(dictionary: Dictionary, rows: Tensor) -> None:
    card = _card(dictionary, torch.stack([rows[0], rows[1], (rows[0] + rows[1]) / 2]))
    assert card.fvu.low <= card.fvu.estimate <= card.fvu.high < float("inf")


def test_a_dictionary_that_writes_nothing_has_no_bias(rows: Tensor) -> None:
    eye = torch.eye(6)
    mute = Dictionary(eye, torch.zeros(6), eye * 0, torch.zeros(6), Identity(), "", "mute", torch.tensor(1.0))
    card = _card(mute, rows)
    assert card.relative_bias is None
    assert card.fvu.estimate >= 1


def test_held_out_rows_may_come_from_anywhere(dictionary: Dictionary, rows: Tensor, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows.double().numpy())
    pieces = held_out_cards(
        dictionary, tmp_path / "rows.npy", fitted=iter(rows[:25].split(10)), generator=np.random.default_rng(0)
    )
    assert pieces == _held_out(dictionary, rows, rows[:25])
