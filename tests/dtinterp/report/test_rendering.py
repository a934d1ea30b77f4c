from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from dtinterp.equivalence.behaviour.after_random import Wandering
from dtinterp.equivalence.truth.disagreements import Contrasts, StakeSummary
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.rivals import Rival, RivalEndings
from dtinterp.report.rendering import ENVIRONMENT, TEMPLATES, caveats, drawn, render
from tests.dtinterp.report.conftest import head_of, only, piece, planted, section_of

INTERVAL = Interval(0.6249, 0.55, 0.7, 96)
FOUND = Contrasts(9, 4, (), 7, 5, (), n_costly_confusions=2, n_costly_distractions=0)
WEAK_CONTROL = "Directions of the whole sphere are a weak control, since the model does not read most of it"


def cells(values: list[object]) -> list[str]:
    table = piece("{{ grid(frame) }}", frame=pd.DataFrame({"only": pd.Series(values, dtype=object)}))
    return [cell.split(">", 1)[1].split("</td>")[0] for cell in table.split("<td")[1:]]


def test_text_is_escaped_quotes_included_and_markup_is_not():
    link = '<a href="{{ address }}">{{ text }}{{ bold }}</a>'
    told = piece(link, address='" onload="x', text="a < b", bold=Markup("<b>"))
    assert told == '<a href="&#34; onload=&#34;x">a &lt; b<b></a>'
    assert cells(["a < b"]) == ["a &lt; b"]


def test_what_nobody_gave_is_an_error():
    with pytest.raises(UndefinedError, match="'nothing' is undefined"):
        piece("{{ nothing }}")


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_every_template_can_be_read(name):
    ENVIRONMENT.get_template(name)


def test_a_number_carries_its_interval_and_its_count():
    assert piece("{{ number(value) }}", value=INTERVAL) == (
        '<span class="number">0.62<span class="range" title="95% interval, n = 96"> [0.55, 0.70]</span></span>'
    )


def test_what_was_computed_has_bounds_instead():
    told = piece("{{ percentage(value) }}", value=Interval(0.75, 0.75, 0.75, 0))
    assert 'title="bounds: it was computed, nothing was sampled"> [75.0, 75.0]' in told


def test_a_percentage_is_a_hundred_times_the_share():
    told = piece("{{ percentage(value) }}", value=INTERVAL)
    assert "62.5%" in told
    assert "[55.0, 70.0]" in told


def test_a_citation_leads_to_the_artefact_and_names_it(results):
    digest = results.model.artefact.manifest.digest[:10]
    assert piece('{{ cite("98%", model) }}', model=results.model) == (
        f'<a href="#artefact-{digest}" class="cited" title="model/novice · {digest}">98%</a>'
    )
    assert f'href="#artefact-{digest}"' in piece("{{ source(model) }}", model=results.model)


def test_numbers_of_every_library_are_written_alike():
    written = cells([1234, np.int64(1234), 0.12345, np.float64(0.12345), True, np.bool_(False), None])
    assert written == ["1\u202f234", "1\u202f234", "0.123", "0.123", "yes", "no", "–"]


@pytest.mark.parametrize(("estimate", "written"), [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3")])
def test_intervals_keep_three_significant_digits(estimate, written):
    (cell,) = cells([Interval(estimate, estimate - 0.1, estimate + 0.1, 5)])
    assert cell.startswith(f'<span class="number">{written}<')


def test_numbers_stand_on_the_right_and_words_on_the_left():
    table = piece("{{ grid(frame) }}", frame=pd.DataFrame({"name": ["a"], "n": [1]}))
    assert '<th scope="col">name</th><th scope="col" class="right">n</th>' in table
    assert '<td>a</td><td class="right">1</td>' in table


def test_a_bracket_in_a_heading_becomes_its_second_line():
    assert piece('{{ head("loss (nats)") }}') == '<th scope="col">loss<small> nats</small></th>'


def test_a_table_without_rows_is_a_table():
    assert piece("{{ grid(frame) }}", frame=pd.DataFrame({"a": []})).endswith("<tbody></tbody></table>")


def test_a_figure_brings_its_data_and_not_the_library():
    figure = go.Figure(go.Scatter(y=[1, 2]))
    assert len(drawn(figure, "dose")) < 100_000
    assert 'id="figure-dose"' in drawn(figure, "dose")
    assert drawn(figure, "dose") == drawn(figure, "dose")


def test_a_ranking_says_how_many_cost_something_and_what_it_goes_by():
    assert render("ranked.html", n_costly=0, order="the widest") == (
        "All were priced: by none of them the model loses return. Those that cost it most come first, then the widest."
    )
    before = render("ranked.html", n_costly=None, order="the widest")
    assert before == "Only the widest were priced; of these the costliest come first."


def test_confusions_say_their_histories_and_what_was_taken_off_and_those_of_before_only_that_they_were_wrong():
    summary = StakeSummary(1, most=0.1, n_possible=30, n_own=17, most_own=0.2454, n_unmet=0)
    told = render("confusions.html", found=replace(FOUND, stakes=summary))
    assert told.startswith(
        "Of 9 pairs that the model joins, what is right at one is wrong at the other in 4; of all pairs it is in 30."
    )
    assert "in histories of up to 1 random action, under" in told
    assert told.endswith(
        "17 observations have such a stake of their own, 0.245 at most, since one picture hides several states."
    )
    unmet = StakeSummary(12, most=0.1, n_possible=1, n_own=1, most_own=0.1, n_unmet=1)
    assert render("confusions.html", found=replace(FOUND, stakes=unmet)).endswith(
        " 1 observation ends no such history, and nothing is known of its pairs."
    )
    assert render("confusions.html", found=FOUND) == (
        "What the model confuses was counted wrongly in this comparison, where an observation had a stake even against "
        "itself: `dtinterp compare` counts it anew."
    )


def test_a_certificate_on_demonstrations_says_that_the_model_as_it_acts_is_another_policy(report):
    demonstrated = replace(report.config, contexts="held-out")
    policy, weak = caveats(replace(report, config=demonstrated, wandering=None))
    assert "asked for what each demonstration returns, in held-out contexts" in policy
    assert f"asked for {report.config.target_return:g}, it is another policy" in policy
    assert "weak evidence" in weak


def test_a_certificate_on_its_own_play_names_the_policy_and_how_little_the_starts_show(report):
    config = replace(report.config, contexts="own-play", most_random=5, target_return=0.7)
    wandering = Wandering(64, 5, 80, 16, Interval(0.5, 0.4, 0.6, 64), ())
    policy, weak = caveats(replace(report, config=config, wandering=wandering))
    assert "the model asked for 0.7, acting greedily, in contexts of its own play after 0 to 5 random" in policy
    assert "meets 16 of these observations there" in weak


def test_a_certificate_on_plays_is_of_the_return_that_was_asked(report):
    enumerated = replace(report, config=replace(report.config, contexts="plays", horizon=2, target_return=0.5))
    policy, _ = caveats(enumerated)
    assert policy.startswith("These classes are of the first 2 steps, asked for 0.5;")


def test_they_stand_before_tiles_abstract_and_figures(results, report):
    head, section = head_of(results), section_of("equivalence", results)
    for caveat in caveats(report):
        assert head.index(caveat) < head.index('class="tiles"')
        assert section.index(caveat) < section.index("<figure")


def test_the_control_of_the_flip_is_called_weak_where_the_claim_stands(results):
    assert WEAK_CONTROL not in section_of("flip", results)
    found = only(results, InterventionReport)
    shown = planted(results, _unrefuted(replace(found, rivals=())))
    assert WEAK_CONTROL in section_of("flip", shown)
    assert WEAK_CONTROL in head_of(shown)
    span = Rival("item_span", (0.1,), (1,), (RivalEndings("greedy", wilson(3, 10), (0.3,)),))
    harder = planted(results, _unrefuted(replace(found, rivals=(span,), target_cosine=-0.9)))
    for text in (section_of("flip", harder), head_of(harder)):
        assert WEAK_CONTROL not in text
        assert "a harder control, lead" in text
    assert "overwrites much of what the first frame says of the targets" in section_of("flip", harder)


def _unrefuted(found):
    """The same report, of which nothing is refuted."""

    class Unrefuted(type(found)):
        @property
        def refutations(self):
            return ()

    return Unrefuted(**vars(found))
