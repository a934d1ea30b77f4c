import re
from dataclasses import replace
from html import unescape

from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import verdict_of
from dtinterp.report.results import ScoredDictionary, StudyResults
from tests.dtinterp.report.conftest import changed, section_of


def test_a_width_beyond_the_inputs_is_flagged_and_no_other(results: StudyResults) -> None:
    section = section_of("dictionaries", results)
    assert section.count('title="wider than its distinct inputs"') == 1
    warning = re.search(r'<p class="warning">.*?</p>', section)
    assert warning is not None
    assert "topk-512-k4" in warning.group()
    assert "pca-4" not in warning.group()


def test_every_name_leads_to_its_own_artefact(results: StudyResults) -> None:
    section = section_of("dictionaries", results)
    for each in results.of(ScoredDictionary):
        digest = each.artefact.manifest.digest[:10]
        assert re.search(rf'href="#artefact-{digest}"[^>]*>{each.value.dictionary.name}</a>', section)


def test_the_untouched_model_is_the_ruler(results: StudyResults) -> None:
    clean = results.of(ScoredDictionary)[0].value.score.clean
    told = f"{clean.loss.estimate:.3f} and its accuracy {clean.accuracy.estimate:.1%}"
    assert told in section_of("dictionaries", results)


def test_a_dictionary_that_misses_the_gate_is_named_with_its_reasons(results: StudyResults) -> None:
    section = section_of("dictionaries", results)
    missed = [each for each in results.of(ScoredDictionary) if not verdict_of(each.value.score).passes]
    assert missed
    for each in missed:
        verdict = verdict_of(each.value.score)
        assert f"at {each.value.dictionary.site} {verdict}." in unescape(section)
    assert f"{len(missed)} dictionaries of {len(results.of(ScoredDictionary))} did not pass the gate" in section


def test_dictionaries_that_pass_are_not_blamed(results: StudyResults) -> None:
    passed = Acceptance(AcceptanceCriteria(), (), ())
    passing = changed(results, ScoredDictionary, lambda each: replace(each, score=replace(each.score, verdict=passed)))
    assert "did not pass the gate" not in section_of("dictionaries", passing)
