from dataclasses import replace

import pytest

from dtinterp.equivalence.comparisons.compared_partitions import CERTIFIED, LOOKS
from dtinterp.equivalence.comparisons.model_comparison import MATTERS, ModelComparison
from dtinterp.equivalence.truth.disagreements import Contrast
from dtinterp.report.results import StudyResults
from dtinterp.report.sections.agreement import mirror_table, relation_table, variation_table
from dtinterp.report.words import loss
from tests.dtinterp.report.conftest import only, planted, section_of, without


@pytest.fixture
def agreement(results: StudyResults) -> ModelComparison:
    return only(results, ModelComparison)


def test_every_relation_is_held_against_every_partition_of_the_world(agreement):
    table = relation_table(agreement, "novice")
    assert table["relation"].tolist() == list(dict.fromkeys(row.relation for row in agreement.against))
    for row in agreement.against:
        column = f"{row.world} ({row.agreement.n_reference_classes} classes)"
        (cell,) = table.loc[table["relation"] == row.relation, column]
        assert cell == row.agreement.ari


def test_controls_are_named_and_a_comparison_of_before_had_one_fewer(results, agreement):
    section = section_of("agreement", results)
    assert "The last two rows are controls: “looks alone” knows nothing but" in section
    before = replace(agreement, against=tuple(row for row in agreement.against if row.relation != LOOKS))
    section = section_of("agreement", planted(results, before))
    assert "looks alone" not in section
    assert "“untrained model” is one of the same shape that never learnt." in section


def test_a_model_that_was_not_compared_has_no_row(agreement):
    assert relation_table(agreement, "oracle").empty


def test_what_the_certified_classes_lose_and_keep_in_excess_is_told_for_each_model(agreement):
    (row,) = [row for row in agreement.against if (row.relation, row.world) == (CERTIFIED, MATTERS)]
    (told,) = variation_table(agreement).to_dict("records")
    assert told["model"] == "novice"
    assert told["lost (bits)"] == row.variation.lost
    assert told["ARI (random classes)"] == row.agreement.random


def test_mirror_images_stand_beside_an_untrained_twin(agreement):
    table = mirror_table(agreement)
    assert table["model"].tolist() == ["novice", "… untrained"]
    portrait = agreement.portraits[0]
    assert table["decisions (bits)"].tolist() == [portrait.reflection.mean, portrait.untrained.mean]
    assert table["embedding"].tolist() == [portrait.reflection.distinct[0], portrait.untrained.distinct[0]]
    at_the_end = portrait.reflection.sites.index("blocks.0.hook_resid_post")
    assert table["after the last block"][0] == portrait.reflection.distinct[at_the_end]


def test_confusions_are_ranked_with_what_is_at_stake(results, agreement):
    section = section_of("agreement", results)
    found = agreement.portraits[0].contrasts
    first = found.confusions[0]
    assert f"what is right at one is wrong at the other in {found.n_confusions};" in section
    row = section.partition(f'<div class="members"><frame {first.frame}><frame {first.other}></div>')[2]
    assert loss(first.stake) in row.partition("</tr>")[0]
    assert "Distractions: none to show." in section


def test_confusions_of_a_comparison_of_before_are_not_shown(results, agreement):
    portrait = agreement.portraits[0]
    before = replace(portrait, contrasts=replace(portrait.contrasts, stakes=None))
    section = section_of("agreement", planted(results, replace(agreement, portraits=(before,))))
    first = portrait.contrasts.confusions[0]
    assert f'<div class="members"><frame {first.frame}><frame {first.other}></div>' not in section
    assert "was counted wrongly in this comparison" in section


def test_a_loss_is_written_out_and_none_is_said(results, agreement):
    costly = Contrast(frame=1, other=2, divergence=0.3, stake=0.0, lost=0.125)
    portrait = agreement.portraits[0]
    free = replace(costly, frame=2, other=3, lost=0.0)
    found = replace(portrait.contrasts, distractions=(costly, free), n_distractions=2, n_costly_distractions=1)
    shown = replace(portrait, contrasts=found)
    section = section_of("agreement", planted(results, replace(agreement, portraits=(shown,))))
    assert ">0.125<" in section
    assert ">nothing<" in section
    assert "Distractions, all 2 pairs. All were priced: by 1 of them the model loses return." in section


def test_without_a_comparison_there_is_no_section(results):
    assert section_of("agreement", without(results, ModelComparison)) == ""
