from dataclasses import replace

import pytest

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.report import AdversaryReport
from dtinterp.adversaries.search import search
from dtinterp.foundation.artefacts.codec import save
from dtinterp.report.results import Result, StudyResults
from dtinterp.subject.subject import open_subject
from tests.dtinterp.report.conftest import section_of


@pytest.fixture(scope="module")
def searched(small_study, results: StudyResults, tmp_path_factory) -> StudyResults:
    subject = open_subject(small_study / "models" / "novice", small_study / "demonstrations" / "walks")
    report = search(subject, AdversaryConfig(edits="world", n_edits=1, n_controls=0, returns=(0.892,)))
    artefact = save(tmp_path_factory.mktemp("found") / "adversaries", report, parents=subject.artefacts, seed=0)
    return replace(results, opened=(*results.opened, Result(report, artefact)))


def test_without_a_search_the_section_says_so(results: StudyResults) -> None:
    assert "No edits were searched in this study." in section_of("adversaries", results)


def test_every_window_stands_in_the_table_with_its_likeliest_edit(searched: StudyResults) -> None:
    section = section_of("adversaries", searched)
    report = searched.of(AdversaryReport)[0].value
    n_flipped = sum(each.smallest is not None for each in report.scenes)
    assert "of 4 decision windows have edits of at most 1 that flip what is asked" in section
    lead = section[section.index('class="lead"') :].split("</p>")[0]
    assert f">{n_flipped}<" in lead or f"{n_flipped} of" in lead
    for each in report.scenes:
        assert each.scene in section
        for size in each.sizes:
            if size.likeliest is not None:
                assert size.likeliest.edits[0].split(":")[0] in section
