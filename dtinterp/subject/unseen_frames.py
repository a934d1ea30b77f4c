"""Which frames count as unseen: those that no row of a dictionary's fit shows.

At the observation embedding a row is a frame; at deeper sites it is a frame in its context, and unseen is what shows
such a frame, whatever came before it. Which frames the model itself was never trained on is another question, which
`dataset/split.py` answers.
"""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.dictionary.evaluation.card import UnseenFrames
from dtinterp.model.network.frames import encoded
from dtinterp.subject.fitting import TrainingRows
from dtinterp.subject.subject import Subject


def is_unseen(frame_id: Int64[Tensor, " row"], fitted: TrainingRows) -> Bool[Tensor, " row"]:
    """Return which of these frames no row of a fit shows."""
    return ~torch.isin(frame_id, fitted.frame_id)


def unseen_frames(subject: Subject, fitted: TrainingRows) -> UnseenFrames:
    """Return the embeddings of all frames that no row of a fit shows: of held-out episodes, and of the whole world."""
    trajectories = subject.trajectories
    held_out = trajectories.frame_id[subject.split.held_out].long().unique()
    demonstrated = trajectories.frames[held_out[is_unseen(held_out, fitted)]]
    graph = subject.graph
    if graph is None:
        known = demonstrated
    else:
        frames = torch.tensor(graph.frames)
        known = frames[FrameTable(trajectories.frames[fitted.frame_id.unique()]).find(frames) == ABSENT]
    n_items = subject.model.cfg.n_items
    return UnseenFrames(*(subject.embedded(encoded(frames, n_items)) for frames in (demonstrated, known)))
