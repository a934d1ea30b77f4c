from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.features.labels.labelling import divided, label_rows
from dtinterp.features.labels.table import VERDICTS, LabelConfig, Labels, verdict
from dtinterp.foundation.errors import UserError
from environments.vocabulary import item_index

SITE = "hook_obs_embed"
CONFIG = LabelConfig(min_firings=2)
GOOD, NONE, RARE, DEAD = range(4)


@pytest.fixture(scope="module")
def rows(trajectories: Trajectories, items: Float32[Tensor, "frame item"]) -> Activations:
    """Rows that are the items themselves, so that what a feature fires for can be chosen."""
    frame = trajectories.frame_id.long()
    return Activations(items[frame], torch.arange(trajectories.n_steps), torch.zeros_like(frame), SITE)


@pytest.fixture(scope="module")
def planted(rows: Activations) -> Dictionary:
    """Features that fire for a conjunction, for an item, for nothing, and on numbers that mean nothing."""
    W_enc, b_enc = torch.zeros(980, 4), torch.tensor([-0.5, -0.5, -1.0, -0.1])
    W_enc[item_index("empty (3,5)"), 0], W_enc[item_index("wall (2,6)"), 0] = 1.0, -1.0
    W_enc[item_index("wall (3,5)"), 1] = 1.0
    noise = torch.randn(980, generator=torch.Generator().manual_seed(0))
    W_enc[:, 3] = 1e-3 * torch.sin(1e5 * noise)
    b_enc[3] = -float((rows.value @ W_enc[:, 3]).median())
    return Dictionary(W_enc, b_enc, torch.eye(4, 980), torch.zeros(980), L1(), SITE, "planted", torch.tensor(1.0))


@pytest.fixture(scope="module")
def labels(planted: Dictionary, rows: Activations, trajectories: Trajectories) -> Labels:
    return label_rows(planted, rows, trajectories, CONFIG)


def test_planted_meanings_are_found_and_hold_on_frames_never_searched(labels: Labels) -> None:
    assert labels.verdict[:3].tolist() == [GOOD, GOOD, DEAD]
    assert labels.judged.f1[:2].tolist() == [1.0, 1.0]
    assert labels.words[1] == "wall at (3,5)"
    assert labels.words[2] == ""


def test_a_feature_of_noise_gets_no_good_label(labels: Labels) -> None:
    assert labels.verdict[3] == NONE


def test_shuffled_firings_get_no_good_label(labels: Labels) -> None:
    assert labels.shuffled_share.estimate == 0.0
    assert torch.equal(labels.shuffled.n_fires, labels.judged.n_fires)


def test_the_sides_share_no_frame_and_no_input_stands_twice(rows: Activations, trajectories: Trajectories) -> None:
    sides = divided(rows, trajectories, CONFIG)
    frames = [trajectories.frame_id[side.step] for side in (sides.searched, sides.judged)]
    assert not torch.isin(frames[0], frames[1]).any()
    assert sum(len(frame) for frame in frames) == len(trajectories.frame_id.unique())
    assert all(len(frame) == len(frame.unique()) for frame in frames)


def test_a_side_is_no_larger_than_asked(rows: Activations, trajectories: Trajectories) -> None:
    sides = divided(rows, trajectories, replace(CONFIG, n_inputs=7))
    assert (len(sides.searched.step), len(sides.judged.step)) == (7, 7)


def test_counterexamples_are_what_they_are_said_to_be(
    labels: Labels, planted: Dictionary, rows: Activations, trajectories: Trajectories
) -> None:
    fires = encode_dense(planted, rows.value) > 0
    for examples, should_fire in ((labels.missed, True), (labels.spurious, False)):
        steps = examples.step[3][examples.step[3] >= 0]
        assert (fires[steps, 3] == should_fire).all()
        assert len(trajectories.frame_id[steps].unique()) == len(steps)
    n_missed = int(labels.judged.n_fires[3] - labels.judged.n_both[3])
    assert int((labels.missed.step[3] >= 0).sum()) == min(n_missed, CONFIG.n_examples)
    assert (labels.missed.step[:2] == -1).all()


def test_counts_are_those_of_a_loop_over_inputs(labels: Labels, rows: Activations, trajectories: Trajectories) -> None:
    judged = divided(rows, trajectories, CONFIG).judged
    wall = trajectories.frames[trajectories.frame_id[judged.step].long(), 3, 5, 0] == 2
    said = sum(bool(here) for here in wall)
    assert int(labels.judged.n_said[1]) == int(labels.judged.n_fires[1]) == int(labels.judged.n_both[1]) == said
    assert labels.judged.n_inputs == len(wall)


def test_rare_and_dead_features_are_told_from_those_without_label(labels: Labels) -> None:
    strict = replace(labels.config, min_firings=10**6)
    found = verdict(labels.searched, labels.judged, strict)
    assert found.tolist() == [RARE, RARE, DEAD, RARE]
    assert len(VERDICTS) == 4


def test_rows_of_another_site_are_refused(planted: Dictionary, rows: Activations, trajectories: Trajectories) -> None:
    with pytest.raises(UserError, match="harvest rows at the dictionary's site"):
        label_rows(planted, replace(rows, site="blocks.0.hook_resid_pre"), trajectories, CONFIG)


def test_one_frame_cannot_be_divided(planted: Dictionary, rows: Activations, trajectories: Trajectories) -> None:
    one = Activations(rows.value[:1], rows.step[:1], rows.slot[:1], SITE)
    with pytest.raises(UserError, match="1 distinct frames"):
        label_rows(planted, one, trajectories, CONFIG)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="beam is 0, expected at least 1"):
        LabelConfig(beam=0)
    with pytest.raises(UserError, match=r"held_out_share is 0\.0, expected between 0 and 1"):
        LabelConfig(held_out_share=0.0)
