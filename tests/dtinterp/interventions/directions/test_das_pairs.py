import torch

from dtinterp.interventions.directions.das_pairs import DecidingFacts, pairs_of
from dtinterp.interventions.windows.decision_points import DecisionPoints


class _Sought(DecidingFacts):
    def find(self, material):
        raise NotImplementedError


def test_a_target_is_what_the_bases_other_facts_and_the_sources_fact_decide(material):
    chosen = material.windows
    _, judged = pairs_of(_Sought(), chosen, n_pairs=100, rng=torch.Generator().manual_seed(0))
    instruction, left = chosen.fact("instruction"), chosen.fact("top_target")
    matches = instruction[judged.source] == left[judged.base]
    assert torch.equal(judged.target, torch.where(matches, 0, 1))  # left, right
    assert len(judged.base) == 8
    assert (instruction[judged.base] != instruction[judged.source]).all()
    assert torch.equal(judged.value, instruction[judged.source])


def test_no_window_is_both_fitted_and_judged_where_there_are_enough(planted_subject):
    chosen = DecisionPoints(detours=2).choose(planted_subject, seed=0)
    fitted, judged = pairs_of(_Sought(), chosen, n_pairs=64, rng=torch.Generator().manual_seed(0))
    assert len(fitted.base) == len(judged.base) == 64
    seen = torch.cat([fitted.base, fitted.source])
    assert not torch.isin(torch.cat([judged.base, judged.source]), seen).any()
