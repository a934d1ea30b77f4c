from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.scenarios import decision_points
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer


def test_the_four_memory_configurations_come_out_as_they_were_published(choose, graph):
    chosen = choose("decision_points")
    published = decision_points(graph, n_slots=10, target_return=0.892)
    assert chosen.names == ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball")
    for name in ("rtg", "action", "time", "mask", "step"):
        assert torch.equal(getattr(chosen.windows, name), getattr(published.windows, name)), name
    mask = chosen.windows.mask
    assert torch.equal(chosen.shown[mask], published.frames[published.windows.frame_id[mask]])


def test_facts_are_those_of_the_newest_frame(choose):
    chosen = choose("decision_points")
    assert chosen.fact("instruction").tolist() == [0, 0, 1, 1]
    assert chosen.fact("correct_turn").tolist() == [0, 1, 0, 1]
    assert chosen.fact("x").tolist() == [5, 5, 5, 5]


def test_with_detours_every_play_to_the_same_state_is_a_window(choose):
    chosen = choose("decision_points", detours=2)
    newest = chosen.shown[:, -1].flatten(1)
    assert len(newest.unique(dim=0)) == 2  # what a decision point shows: which target lies on the left
    assert len({*chosen.names}) == len(chosen) > 40
    assert chosen.names[0] == "Key,Key-Ball"
    assert int(chosen.windows.mask.sum(dim=1).max()) == 7
    assert {"Key,Key-Ball LRFFFF", "Key,Key-Ball FFFFF", "Key,Key-Ball FFFFLR"} <= {*chosen.names}
    assert "Key,Key-Ball LLFFFF" not in chosen.names


def test_only_windows_with_the_facts_that_are_asked_for_are_chosen(choose):
    assert choose("decision_points", where={"instruction": "ball"}).names == ("Ball,Ball-Key", "Ball,Key-Ball")


def test_a_walk_longer_than_the_window_is_refused(planted_subject):
    model = DecisionTransformer(ModelConfig(d_model=8, n_layers=1, n_heads=1, d_mlp=4, n_slots=4), torch.Generator())
    short = replace(planted_subject, trained=replace(planted_subject.trained, model=model))
    with pytest.raises(UserError, match="the walk from Key,Key-Ball has 5 frames and 0 detours, the model sees 4"):
        DecisionPoints().choose(short, seed=0)
