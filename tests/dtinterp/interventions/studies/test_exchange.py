import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.studies.exchange import Exchange
from dtinterp.interventions.windows.decision_points import DecisionPoints


def test_partners_differ_in_the_instruction_alone_and_pair_up(exchange, planted_subject):
    assert exchange.partner.tolist() == [3, 2, 1, 0]
    chosen = DecisionPoints(detours=2).choose(planted_subject, seed=0)
    several = Exchange.of(planted_subject, chosen)
    assert torch.equal(several.partner[several.partner], torch.arange(len(chosen)))
    assert torch.equal(chosen.windows.action[several.partner], chosen.windows.action)
    assert (chosen.fact("instruction")[several.partner] != chosen.fact("instruction")).all()


def test_the_whole_token_exchanged_restores_everything_and_itself_nothing(exchange):
    assert exchange.restored(Setting(Whole(), exchange.wanted)) == pytest.approx(1, abs=1e-4)
    assert exchange.restored(Setting(Whole(), exchange.rows)) == pytest.approx(0, abs=1e-6)
    assert exchange.turned(Setting(Whole(), exchange.wanted)) == 4


def test_the_planted_direction_restores_everything_and_another_nothing(exchange, planted_direction):
    values = exchange.wanted @ planted_direction
    assert exchange.restored(Setting(along(planted_direction), values)) == pytest.approx(1, abs=0.05)
    other = torch.zeros_like(planted_direction)
    other[0], other[1] = planted_direction[1], -planted_direction[0]
    other = other / other.norm()
    assert abs(exchange.restored(Setting(along(other), exchange.wanted @ other))) < 0.3


def test_windows_without_a_partner_are_refused(planted_subject):
    keys = DecisionPoints(where={"instruction": "key"}).choose(planted_subject, seed=0)
    with pytest.raises(UserError, match="the window Key,Key-Ball has no partner with the other instruction"):
        Exchange.of(planted_subject, keys)
