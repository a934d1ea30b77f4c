import json

from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import section_of, with_manifest


def test_every_parent_is_a_link_to_its_entry(results: StudyResults) -> None:
    section = section_of("provenance", results)
    for each in results.opened:
        for digest in each.artefact.manifest.parents.values():
            assert f'href="#artefact-{digest[:10]}"' in section


def test_a_parent_that_is_not_there_is_named_without_a_link(results: StudyResults) -> None:
    orphan = with_manifest(results, "agent", parents={"world/elsewhere": "f" * 64})
    section = section_of("provenance", orphan)
    assert "world/elsewhere <code>ffffffffff</code>" in section
    assert 'href="#artefact-ffffffffff"' not in section


def test_entries_hold_seed_packages_and_settings(results: StudyResults) -> None:
    section = section_of("provenance", results)
    manifest = results.model.artefact.manifest
    assert f"torch {manifest.packages['torch']}" in section
    assert f"dtinterp {manifest.code} on {manifest.device}" in section
    assert json.dumps(results.model.artefact.config["seed"]) in section


def test_the_command_and_the_seconds_of_each_stage_are_there(results: StudyResults) -> None:
    section = section_of("provenance", results)
    assert "<code>dtinterp study --model small</code>" in section
    assert "together</td>" in section
    assert "3.5</td>" in section
