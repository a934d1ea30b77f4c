from pathlib import Path

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dictionary.evaluation.reconstruction import is_among
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.subject.fitting import TrainingRows
from dtinterp.subject.subject import Subject, open_subject
from dtinterp.subject.unseen_frames import is_unseen, unseen_frames


@pytest.fixture(scope="module")
def subject(small_study: Path) -> Subject:
    return open_subject(small_study / "models" / "novice", small_study / "demonstrations" / "walks")


def test_a_frame_that_the_fit_shows_is_not_unseen_and_every_other_frame_of_episode_and_world_is(subject: Subject):
    fitted = TrainingRows.of(subject, OBSERVATION_EMBEDDING, n_windows=6, seed=0)
    assert not is_unseen(fitted.frame_id, fitted).any()
    frames = unseen_frames(subject, fitted)
    shown = subject.trajectories.frame_id[subject.split.held_out].unique().long()
    assert len(frames.demonstrated) == int(is_unseen(shown, fitted).sum()) > 1
    assert subject.graph is not None
    assert len(frames.known) == len(subject.graph.frames) - len(fitted.frame_id.unique())
    both = distinct_rows(torch.cat([fitted.rows.value, frames.known]))
    assert len(both.value) == len(both.member)
    assert is_among(frames.demonstrated, frames.known).all()
