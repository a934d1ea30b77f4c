import pytest

from dtinterp.dictionary.evaluation.acting import Acting, ExactReturn


def test_the_return_that_is_kept_is_a_share_of_the_clean_one():
    acting = Acting(0.9, {"clean": ExactReturn(1.0, 0.8), "spliced": ExactReturn(0.5, 0.2)}, {})
    assert acting.return_kept == pytest.approx(0.25)


@pytest.mark.parametrize("exact", [{}, {"clean": ExactReturn(0.0, 0.0), "spliced": ExactReturn(0.0, 0.0)}])
def test_of_nothing_no_share_is_kept(exact):
    assert Acting(0.9, exact, {}).return_kept is None
