"""Verdicts, mark by mark."""

from dataclasses import replace

import pytest

from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria
from dtinterp.dictionary.evaluation.acting import Acting, ExactReturn
from dtinterp.dictionary.evaluation.behaviour import Behaviour
from dtinterp.dictionary.evaluation.card import HeldOut, Inputs, RowCard
from dtinterp.dictionary.evaluation.score import DictionaryScore, judge, verdict_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval


def _interval(value: float, off: float = 0.01) -> Interval:
    return Interval(value, value - off, value + off, 50)


def _good_score() -> DictionaryScore:
    """A card that passes the default marks, none of them by much."""
    behaviour = Behaviour(_interval(1.5), _interval(0.45), _interval(0.01))
    inputs = Inputs(1000, 300, 80, 20.0)
    card = RowCard(
        **{
            name: _interval(0.08)
            for name in ("l0", "l1", "fvu", "explained_variance", "cosine", "shrinkage", "relative_bias", "mse")
        },
        density=(0, 0, 0, 0, 0, 0, 8),
        dead_share=0.0,
        coherence=0.5,
        inputs=inputs,
        width=64,
    )
    return DictionaryScore(
        l0=_interval(9.5),
        fvu=_interval(0.02),
        dead_share=0.0,
        clean=behaviour,
        spliced=replace(behaviour, accuracy=_interval(0.44)),
        zero=behaviour,
        mean=behaviour,
        loss_recovered_from_zero=_interval(0.99),
        loss_recovered_from_mean=_interval(0.97),
        n_rows=1000,
        n_distinct=300,
        rank=80,
        width=64,
        held_out=HeldOut(card, card, inputs, (), card),
        acting=Acting(0.9, {"clean": ExactReturn(1.0, 0.9), "spliced": ExactReturn(1.0, 0.88)}, {}),
    )


def test_a_good_dictionary_passes():
    verdict = judge(_good_score(), AcceptanceCriteria())
    assert verdict.passes
    assert str(verdict) == "passes"


def _missed(score: DictionaryScore, gate: AcceptanceCriteria | None = None) -> tuple[str, ...]:
    verdict = judge(score, AcceptanceCriteria() if gate is None else gate)
    assert not verdict.passes
    assert str(verdict).startswith("fails: ")
    return verdict.failures


def test_a_code_as_long_as_half_the_directions_in_use_is_not_sparse():
    assert _missed(replace(_good_score(), l0=_interval(10.5))) == ("L0 10.5, at most 10.0",)


def test_the_worse_end_of_the_error_counts():
    good = _good_score()
    assert good.held_out is not None
    assert good.held_out.unseen is not None
    unsure = replace(good.held_out.unseen, fvu=_interval(0.095))
    failures = _missed(replace(good, held_out=replace(good.held_out, unseen=unsure)))
    assert failures == ("FVU on unseen rows 0.095 (to 0.105), at most 0.1",)


def _with_frames(card: RowCard | None) -> DictionaryScore:
    good = _good_score()
    assert good.held_out is not None
    return replace(good, held_out=replace(good.held_out, unseen_frame=card))


def test_new_contexts_of_known_frames_are_not_enough():
    held_out = _good_score().held_out
    assert held_out is not None
    worse = replace(held_out.everything, fvu=_interval(0.12))
    assert _missed(_with_frames(worse)) == ("FVU on unseen frames 0.120 (to 0.130), at most 0.1",)
    assert judge(_with_frames(worse), AcceptanceCriteria(max_fvu_frames=0.2)).passes


def test_without_an_unseen_frame_nothing_passes():
    assert judge(_with_frames(None), AcceptanceCriteria()).unjudged == ("FVU on unseen frames",)


def test_one_episode_is_no_interval():
    held_out = _good_score().held_out
    assert held_out is not None
    alone = replace(held_out.everything, fvu=Interval(0.01, 0.01, 0.01, 1))
    assert judge(_with_frames(alone), AcceptanceCriteria()).unjudged == ("FVU on unseen frames",)


def test_the_worse_end_of_the_loss_recovered_counts():
    failures = _missed(replace(_good_score(), loss_recovered_from_mean=_interval(0.955)))
    assert failures == ("loss recovered 0.955 (from 0.945), at least 0.95",)


def test_accuracy_may_hardly_fall():
    score = _good_score()
    failures = _missed(replace(score, spliced=replace(score.spliced, accuracy=_interval(0.42))))
    assert failures == ("accuracy lost 0.030, at most 0.02",)


def test_the_return_must_be_kept():
    acting = Acting(0.9, {"clean": ExactReturn(1.0, 0.9), "spliced": ExactReturn(0.5, 0.45)}, {})
    assert _missed(replace(_good_score(), acting=acting)) == ("return kept 0.500, at least 0.95",)


def test_several_failures_are_all_told():
    score = replace(_good_score(), l0=_interval(30.0), loss_recovered_from_mean=_interval(0.5))
    assert len(_missed(score)) == 2


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"acting": None}, ("return kept",)),
        ({"held_out": None}, ("L0 beside the effective rank", "FVU on unseen rows", "FVU on unseen frames")),
        ({"loss_recovered_from_mean": None}, ("loss recovered",)),
    ],
)
def test_without_a_number_nothing_passes(change, missing):
    verdict = judge(replace(_good_score(), **change), AcceptanceCriteria())
    assert not verdict.passes
    assert verdict.unjudged == missing
    assert str(verdict) == f"not judged: {'; '.join(missing)}"


def test_other_marks_give_another_verdict():
    assert _missed(_good_score(), AcceptanceCriteria(max_fvu=0.05)) == (
        "FVU on unseen rows 0.080 (to 0.090), at most 0.05",
    )
    assert judge(replace(_good_score(), l0=_interval(19.0)), AcceptanceCriteria(max_l0_share=1.0)).passes


def test_a_recorded_verdict_is_kept_and_a_missing_one_is_made():
    recorded = Acceptance(AcceptanceCriteria(), ("a reason",), ())
    assert verdict_of(replace(_good_score(), verdict=recorded)) == recorded
    assert verdict_of(_good_score()).passes


def test_a_mark_that_is_no_share_is_refused():
    with pytest.raises(UserError, match=r"max_fvu is 1\.5, expected a share from 0 to 1"):
        AcceptanceCriteria(max_fvu=1.5)
