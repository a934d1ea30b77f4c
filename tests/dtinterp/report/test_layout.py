import numpy as np
import pandas as pd

from dtinterp.foundation.statistics import Interval
from dtinterp.report.evidence import number
from dtinterp.report.html import Html, element
from dtinterp.report.layout import column, details, figure_block, listing, section, table_block, table_html


def _cells(values: list[object]) -> list[str]:
    table = table_html(pd.DataFrame({"only": pd.Series(values, dtype=object)}))
    return [cell.split(">", 1)[1] for cell in table.split("<td")[1:]]


def test_text_in_a_table_is_escaped_and_markup_is_kept() -> None:
    text, markup = _cells(["a < b", element("b", "c")])
    assert text.startswith("a &lt; b</td>")
    assert markup.startswith("<b>c</b></td>")


def test_numbers_of_every_library_are_written_alike() -> None:
    cells = _cells([1234, np.int64(1234), 0.12345, np.float64(0.12345), True, np.bool_(False)])
    written = [cell.split("</td>")[0] for cell in cells]
    assert written == ["1\u202f234", "1\u202f234", "0.123", "0.123", "yes", "no"]


def test_what_is_missing_is_a_dash() -> None:
    assert _cells([None])[0].startswith("–</td>")


def test_intervals_keep_three_significant_digits() -> None:
    for estimate, digits in ((0.1234, 3), (1.234, 2), (12.34, 1)):
        interval = Interval(estimate, estimate - 0.1, estimate + 0.1, 5)
        assert _cells([interval])[0].startswith(number(interval, digits))


def test_numbers_stand_on_the_right_and_words_on_the_left() -> None:
    table = table_html(pd.DataFrame({"name": ["a"], "n": [1]}))
    assert '<td>a</td><td class="right">1</td>' in table


def test_markup_that_is_a_number_stands_on_the_right_too() -> None:
    frame = pd.DataFrame({"n": column([element("span", "12", class_="number")])})
    assert '<td class="right"><span class="number">12</span></td>' in table_html(frame)


def test_a_bracket_in_a_heading_becomes_its_second_line() -> None:
    assert '<th scope="col">loss<small> nats</small></th>' in table_html(pd.DataFrame({"loss (nats)": ["x"]}))


def test_a_table_without_rows_is_a_table() -> None:
    assert table_html(pd.DataFrame({"a": []})).endswith("<tbody></tbody></table>")


def test_a_column_of_markup_comes_out_as_markup() -> None:
    frame = pd.DataFrame({"a": ["x"]})
    frame["b"] = column([element("i", "y")])
    assert "<td><i>y</i></td>" in table_html(frame)


def test_a_caption_stands_below_a_figure_and_above_a_table() -> None:
    figure = figure_block(Html("<x>"), "caption", source=Html("<s>"))
    assert figure == "<figure><x><figcaption>caption <s></figcaption></figure>"
    table = table_block(Html("<t>"), "caption")
    assert table.index("figcaption") < table.index("<t>")


def test_sections_lists_and_folds_hold_what_they_are_given() -> None:
    assert section("one", "Title", "text") == '<section id="one"><h2>Title</h2>text</section>'
    assert listing(["a", "<"]) == "<ul><li>a</li><li>&lt;</li></ul>"
    assert details("more", "text") == "<details><summary>more</summary>text</details>"
