from dataclasses import replace

from dtinterp.report.caveats import WEAK_CONTROL, caveats
from dtinterp.report.html import Html
from dtinterp.report.results import Sourced
from dtinterp.report.sections.equivalence import equivalence_section
from dtinterp.report.sections.flip import flip_section
from dtinterp.report.sections.opening import opening


def test_a_certificate_on_demonstrations_says_that_the_model_as_it_acts_is_another_policy(report):
    policy, weak = caveats(report)
    assert "asked for the returns that the held-out demonstrations earned" in policy
    assert f"Asked for {report.config.target_return:g} it is another policy" in policy
    assert "weak evidence" in weak


def test_a_certificate_on_plays_is_of_the_return_that_was_asked(report):
    enumerated = replace(report, config=replace(report.config, contexts="plays", horizon=2, target_return=0.5))
    policy, _ = caveats(enumerated)
    assert policy.startswith("These classes are of the first 2 steps, asked for 0.5;")


def _draw(frame: int) -> Html:
    return Html(f"<frame {frame}>")


def test_they_stand_before_tiles_abstract_and_figures(results, report):
    head, section = opening(results), equivalence_section(results, _draw)
    for caveat in caveats(report):
        assert head.index(caveat) < head.index('class="tiles"')
        assert section.index(caveat) < section.index("<figure")


def test_the_control_of_the_flip_is_called_weak_where_the_claim_stands(results):
    found = results.intervention.value
    assert WEAK_CONTROL not in flip_section(results)
    unrefuted = _unrefuted(found)
    shown = replace(results, intervention=Sourced(unrefuted, results.intervention.artefact))
    assert WEAK_CONTROL in flip_section(shown)
    assert WEAK_CONTROL in opening(shown)


def _unrefuted(found):
    """The same report, of which nothing is refuted."""

    class Unrefuted(type(found)):
        @property
        def refutations(self):
            return ()

    return Unrefuted(**vars(found))
