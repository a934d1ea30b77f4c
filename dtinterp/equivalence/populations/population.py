"""The population of histories that classes are certified on, and what the model is asked for along them."""

from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.populations.all_plays import plays
from dtinterp.equivalence.populations.asked import asked_attainable, asked_for
from dtinterp.equivalence.populations.moves import Moves, replayed
from dtinterp.equivalence.populations.own_play import PlayConfig, own_play
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.frames import encoded
from environments.graph.state_graph import StateGraph, state_graph

PLAYER = "greedy, after random actions"


def populated(
    inputs: CertifyInputs, config: EquivalenceConfig, graph: StateGraph
) -> tuple[CertifyInputs, Moves | None]:
    """Return the same models in the config's histories, and the moves of these where the model made them itself.

    Raises `UserError` for more plays than the config allows, and where no held-out demonstration succeeds.
    """
    if config.contexts == "plays":
        return moved_to(inputs, plays(graph, config, known=inputs.trajectories.frames)), None
    if config.contexts == "own-play":
        n_plays = config.n_plays + config.n_tested
        play = PlayConfig(config.target_return, n_plays, config.most_random, config.seed)
        moves = own_play(inputs.model, graph, play, asks_attainable=config.asked == "attainable")
        known = len(inputs.trajectories.frames)
        moved = moved_to(inputs, _own(moves, config, graph, inputs.trajectories))
        if not config.n_tested:
            return replace(moved, n_known=known), moves
        is_tested = moved.trajectories.episode[moved.steps] >= config.n_plays
        return replace(moved, steps=moved.steps[~is_tested], tested=moved.steps[is_tested], n_known=known), moves
    return _demonstrated(inputs, config), None


def tried_on(config: EquivalenceConfig, moves: Moves | None, demonstrations: Trajectories) -> Trajectories:
    """Return the trajectories whose steps a report names: demonstrations as they were asked, or the plays anew.

    Their frame table begins with that of the demonstrations.
    """
    if config.contexts == "plays":
        return plays(state_graph(demonstrations.env_id), config, known=demonstrations.frames)
    if moves is not None:
        return _own(moves, config, state_graph(demonstrations.env_id), demonstrations)
    return asked_for(demonstrations, config.target_return) if config.asked == "target" else demonstrations


def at_histories(inputs: CertifyInputs, config: EquivalenceConfig, moves: Moves | None) -> CertifyInputs:
    """Return the models in the histories that a report is of, by its config and its moves, demonstrations being theirs.

    Raises `UserError` where no held-out demonstration succeeds.
    """
    if config.kind == "held-out":
        return _demonstrated(inputs, config)
    return moved_to(inputs, tried_on(config, moves, inputs.trajectories))


def successful(trajectories: Trajectories, steps: Int64[Tensor, " step"]) -> Int64[Tensor, " chosen"]:
    """Return those of held-out steps whose episodes succeed. Raises `UserError` where there is none."""
    chosen = steps[(trajectories.episode_return > 0)[trajectories.episode[steps]]]
    if not len(chosen):
        raise UserError("no held-out demonstration succeeds: give contexts own-play or held-out.")
    return chosen


def refuse_plays(config: EquivalenceConfig, name: str) -> None:
    """Raise `UserError` where classes are about all plays, whose observations no demonstration may show."""
    if config.contexts == "plays":
        raise UserError(f"{name} was certified in plays of the world: give classes from own play or demonstrations.")


def moved_to(inputs: CertifyInputs, trajectories: Trajectories) -> CertifyInputs:
    """Return the same models on all steps of other trajectories."""
    steps, items = torch.arange(trajectories.n_steps), encoded(trajectories.frames, inputs.model.cfg.n_items)
    return replace(inputs, trajectories=trajectories, steps=steps, items=items)


def _own(moves: Moves, config: EquivalenceConfig, graph: StateGraph, demonstrations: Trajectories) -> Trajectories:
    seen = replayed(moves, graph, known=demonstrations.frames, player=PLAYER)
    if config.asked == "attainable":
        return asked_attainable(seen.trajectories, graph, seen.state)
    return asked_for(seen.trajectories, config.target_return)


def _demonstrated(inputs: CertifyInputs, config: EquivalenceConfig) -> CertifyInputs:
    trajectories, steps = inputs.trajectories, inputs.steps
    if config.contexts == "successful":
        steps = successful(trajectories, steps)
    if config.asked == "target":
        trajectories = asked_for(trajectories, config.target_return)
    return replace(inputs, trajectories=trajectories, steps=steps)
