def test_an_effect_that_a_control_reaches_is_not_called_one(by_hand, weak, strong) -> None:
    both = (strong[0], [strong[1][0], [1.0, 1.0, 1.0, 1.0]])
    result = by_hand(*[weak] * 38, both)
    assert result.verdict == "No effect beyond controls."
    words = result.in_words
    assert (
        "logit(left) − logit(right): 3.500 [2.500, 4.000] n=4, no effect beyond controls, which 1 of 39 reach" in words
    )
    assert "beyond all" not in words


def test_a_verdict_tells_significance_and_what_has_no_controls(by_hand, weak) -> None:
    assert by_hand(*[weak] * 39).verdict == "An effect beyond controls on logit(left) − logit(right), decision flipped."
    few = by_hand(weak)
    assert few.verdict == "No control reaches every effect, but none is significant after Holm's correction."
    assert "(p = 0.500, 1.000 by Holm's method, not significant)" in few.in_words
    assert "There are no controls of the family 'other slots' for this edit." in few.in_words
    assert few.in_words.startswith("by hand, 4 windows, at 2 doses from 0 to 5; claims are about the last dose.")
