from dtinterp.report.html import Html, element, join, words


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "a < b & c", Html("<b>d</b>")) == "<p>a &lt; b &amp; c<b>d</b></p>"


def test_attributes_are_escaped_quotes_included() -> None:
    assert element("a", "x", href='" onload="evil') == '<a href="&quot; onload=&quot;evil">x</a>'


def test_underscores_become_hyphens_and_a_trailing_one_is_dropped() -> None:
    assert element("p", class_="lead", aria_label="b") == '<p class="lead" aria-label="b"></p>'


def test_attributes_that_are_none_or_false_are_left_out_and_true_ones_stand_bare() -> None:
    assert element("details", open=True, id=None, hidden=False) == "<details open></details>"


def test_void_elements_have_no_end() -> None:
    assert element("br") == "<br>"


def test_joined_text_is_escaped_between_and_within() -> None:
    joined = join(["<", Html("<i>"), ">"], " & ")
    assert joined == "&lt; &amp; <i> &amp; &gt;"
    assert isinstance(joined, Html)


def test_words_stay_markup_when_they_are_used_again() -> None:
    assert element("p", words("1 < ", element("b", "2"))) == "<p>1 &lt; <b>2</b></p>"
