"""Where in a network an ideal observer's belief lies: the residual stream regressed onto exact beliefs.

Rows are those of the newest observation token of windows of random play, while the model is asked for one return. What
is regressed onto them is the belief itself, as the chance of every value of a few facts of the world: which instruction
it is, which turn is right, where the agent stands (Shai and others 2024, "Transformers represent belief state geometry
in their residual stream", arXiv:2405.15943, section 3, where the beliefs are of the states of a hidden Markov model). A
score is the share that is read of what the newest frame leaves open, see `belief_regression`, so that what is only seen
counts for nothing. Controls are a model of the same shape that never learnt, and beliefs that were dealt out anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import harvest_sites
from dtinterp.activations.sites import stream_sites
from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, padded
from dtinterp.features.belief_regression import BeliefScores, belief_targets, predicted, scored
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject
from environments.graph.evaluation import PAD
from environments.graph.plays import MOVES
from environments.graph.state_graph import StateGraph
from environments.graph.window_posteriors import PlayedWindows, played_windows
from environments.registration import SUPPORTED_IDS

FACTS = ("instruction", "top_target", "correct_turn", "x", "y", "direction")


@dataclass(frozen=True)
class BeliefConfig:
    """Which beliefs are regressed onto what."""

    facts: tuple[str, ...] = FACTS
    """facts whose chances are the belief"""
    sites: tuple[str, ...] = ()
    """where in the model; empty: the embedding, and each layer's residual stream at observation tokens"""
    target_return: float = 0.892
    """return that the model is asked for"""
    n_plays: int = 6_000
    """plays of random moves (left, right, forward); the windows that they end with count once each"""
    longest: int = 12
    """their longest, in moves from a start"""
    n_folds: int = 5
    """parts of the newest frames, with all beliefs at them, each predicted from the others"""
    seed: int = 0
    """seed of plays, shuffles and bootstrap"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant, and nothing to regress onto."""
        require_at_least(self, 1, "n_plays", "longest")
        require_at_least(self, 3, "n_folds")
        require_sensible(self)
        if not self.facts:
            raise UserError("there is no fact, expected at least one, such as instruction: it is what beliefs are of.")


@dataclass(frozen=True)
class BeliefGeometry:
    """Where in a model beliefs are read off, beside controls."""

    env_id: str
    config: BeliefConfig
    sites: tuple[str, ...]
    n_windows: int
    """different ones"""
    n_beliefs: int
    """different ones"""
    open_share: Float32[Tensor, " fact"]
    """share of the beliefs' variance that the newest frame leaves open"""
    trained: BeliefScores
    untrained: BeliefScores
    """the same windows in a model of the same shape that never learnt"""
    shuffled: BeliefScores
    """beliefs that were dealt out anew, in the trained model"""

    def __post_init__(self) -> None:
        """Refuse scores of other sites or facts than the named ones."""
        shape = self.trained.r2.shape
        require_equally_many(sites=len(self.sites), rows=shape[0])
        require_equally_many(facts=len(self.config.facts), columns=shape[1])


BELIEFS = ArtefactKind("belief-geometry", BeliefGeometry)


def regress_beliefs(subject: Subject, config: BeliefConfig = BeliefConfig()) -> BeliefGeometry:
    """Regress a model's residual stream onto the beliefs of an ideal observer of the same windows.

    Raises `UserError` for a site or fact that is not there, and where the world's states cannot be enumerated.
    """
    graph, sites = _graph_of(subject), config.sites or stream_sites(subject.model)
    rng, n_slots = numpy_generator(config.seed, "beliefs"), subject.model.cfg.n_slots
    played = played_windows(
        graph, MOVES, n_plays=config.n_plays, n_slots=n_slots, longest=config.longest, generator=rng
    )
    targets = belief_targets(graph, played, config.facts)
    truth = {"real": targets.left_open, "dealt": targets.dealt_out(rng)}
    windows = windows_asked(played, config.target_return)
    trained, untrained = (
        [
            predicted(rows, truth, targets.frame, n_folds=config.n_folds)
            for rows in newest_rows(model, windows, graph, sites)
        ]
        for model in (subject.model, subject.untrained)
    )
    return BeliefGeometry(
        env_id=graph.env_id,
        config=config,
        sites=tuple(sites),
        n_windows=len(windows),
        n_beliefs=targets.n_beliefs,
        open_share=torch.tensor(targets.open_share).float(),
        trained=scored(targets, truth["real"], [each["real"] for each in trained], rng),
        untrained=scored(targets, truth["real"], [each["real"] for each in untrained], rng),
        shuffled=scored(targets, truth["dealt"], [each["dealt"] for each in trained], rng),
    )


def windows_asked(played: PlayedWindows, target_return: float) -> Windows:
    """Return what the graph's windows look like to a model that is asked for a return at every step."""
    frame_id = torch.from_numpy(played.windows.frame_id).long()
    came_by = torch.from_numpy(played.windows.action).long()
    n_slots = frame_id.shape[1]
    answer = torch.cat([came_by[:, 1:], torch.full_like(came_by[:, :1], PAD)], dim=1)
    return padded(
        frame_id != PAD,
        rtg=target_return,
        frame_id=frame_id,
        action=torch.where(answer == PAD, PAD_ACTION, answer),
        time=torch.from_numpy(played.time)[:, None] - torch.arange(n_slots - 1, -1, -1),
    )


def newest_rows(
    model: DecisionTransformer, windows: Windows, graph: StateGraph, sites: Sequence[str]
) -> list[Float32[Tensor, "window d_model"]]:
    """Return the rows of each window's newest observation token, at each site."""
    items = encoded(torch.tensor(graph.frames), model.cfg.n_items)
    found = harvest_sites(model, windows, items, sites)
    return [rows.value[rows.slot == windows.n_slots - 1] for rows in found]


def _graph_of(subject: Subject) -> StateGraph:
    if subject.graph is None:
        raise UserError(
            f"the states of {subject.trajectories.env_id} cannot be enumerated, so its beliefs are not known: give a "
            f"model of one of {', '.join(SUPPORTED_IDS)}."
        )
    return subject.graph
