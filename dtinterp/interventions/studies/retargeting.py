"""Retargeting: sending an agent to a target of choice in whole episodes, by its handles and by steering vectors.

Handles are what the model itself goes by: the instruction, as a direction of the first frame's token that is set to the
other value, and the return that is asked for. Steering vectors are added, and go as far as the first handle moves: the
difference of means by instruction, at the same token; the difference of means by the turn that is due, at the newest
frame of a later layer; and random ones, of the span of things' embeddings and of the whole sphere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.demonstrations.evaluate import Episodes
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.directions.component import ComponentDirection
from dtinterp.interventions.directions.difference import DifferenceDirection
from dtinterp.interventions.directions.finder import Material
from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.directions.labelled_rows import rows_at
from dtinterp.interventions.directions.random_span import RandomDirection
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.intervene import Intervention
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.returns.paired_rollouts import PairedRollouts, PatchedPolicy
from dtinterp.interventions.slots import SlotChoice, first_frame, last_frame
from dtinterp.interventions.studies.published import INSTRUCTION_CELLS, SITE, THINGS
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.interventions.windows.predicate import word_of
from dtinterp.model.network.frames import coded
from dtinterp.model.policy import WindowPolicy
from dtinterp.subject.subject import Subject
from environments.making import make_worlds
from environments.worlds import Worlds

LONGEST_IN_VIEW = 10
"""Steps after which the first frame has left a window of ten slots, and with it what was edited there."""


@dataclass(frozen=True)
class RetargetConfig:
    """How it is tried."""

    target_return: float = 0.892
    """what is asked for, other than by the handle that asks"""
    low_return: float = 0.0
    """what is asked for to be led to the other target"""
    n_episodes: int = 200
    """of each arm, from the same starts with the same luck"""
    n_draws: int = 10
    """random vectors of each family"""
    sampler: str = "temperature=1"
    """how actions are drawn"""
    seed: int = 0
    """of starts, actions and random vectors"""


@dataclass(frozen=True)
class Sent:
    """Where episodes end when the agent is to go to the target that its instruction does not name."""

    arm: str
    reached: Interval
    """the chosen target"""
    kept: Interval | None
    """the instructed target, where that is the chosen one: what choosing it costs; None where it was not tried"""
    timeout: Interval
    by_start: Mapping[str, Interval]
    """share that reaches the chosen target, by instruction and left target"""
    missed_in_view: Interval
    """of the episodes that miss it, those that end before the first frame has left the window"""
    by_draw: tuple[float, ...] = ()
    """for each random vector, the share that reaches the chosen target"""


@dataclass(frozen=True)
class Arena:
    """Where all arms are played."""

    subject: Subject
    config: RetargetConfig
    worlds: Worlds
    instruction: Int64[Tensor, " world"]
    """0 for a key, 1 for a ball"""
    turn: Int64[Tensor, " world"]
    """that the instruction asks for: 0 left, 1 right"""
    starts: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, subject: Subject, config: RetargetConfig) -> "Arena":
        """Make the worlds. Raises `UserError` where they have no instruction."""
        worlds = make_worlds(
            subject.trajectories.env_id, config.n_episodes, generator=generator(config.seed, "interventions/starts")
        )
        worlds.reset()
        missing = {"instruction", "top_target", "correct_turn"} - {*worlds.fact_names}
        if missing:
            raise UserError(
                f"{worlds.env_id} has no fact {sorted(missing)[0]}: retarget in a world of the memory family."
            )
        facts = {name: worlds.facts()[:, place].long() for place, name in enumerate(worlds.fact_names)}
        starts = tuple(
            f"{word_of('instruction', told)}, {word_of('top_target', top)} left"
            for told, top in zip(facts["instruction"].tolist(), facts["top_target"].tolist(), strict=True)
        )
        return cls(subject, config, worlds, facts["instruction"], facts["correct_turn"], starts)

    def play(self, interventions: Sequence[Intervention] = (), asked: float | None = None) -> Episodes:
        """Play one episode in each world."""
        model = self.subject.model
        target = self.config.target_return if asked is None else asked
        policy = WindowPolicy(model, coded(self.worlds, model.cfg.n_items), target_return=target)
        luck = f"interventions/actions/{self.config.sampler}"
        rollouts = PairedRollouts(self.worlds, self.config.sampler, self.config.seed, luck)
        return rollouts.play(PatchedPolicy(policy, interventions))

    def sent(self, arm: str, away: Sequence[Episodes], kept: Episodes | None = None) -> Sent:
        """Return how episodes ended that should end at the other target, those of several draws together."""
        reached = torch.cat([each.terminated & ~each.success for each in away])
        timeout = torch.cat([~each.terminated for each in away])
        brief = torch.cat([each.length <= LONGEST_IN_VIEW for each in away])
        started = self.starts * len(away)
        groups = {name: torch.tensor([each == name for each in started]) for name in sorted({*started})}
        return Sent(
            arm=arm,
            reached=_share(reached),
            kept=None if kept is None else _share(kept.success & kept.terminated),
            timeout=_share(timeout),
            by_start={name: _share(reached[chosen]) for name, chosen in groups.items()},
            missed_in_view=_share(brief[~reached]) if (~reached).any() else wilson(0, 1),
            by_draw=tuple(float((each.terminated & ~each.success).float().mean()) for each in away[1:] and away),
        )


@dataclass(frozen=True)
class Handle:
    """An edit that sends the agent away, and the one that keeps it where it would go."""

    name: str
    site: str
    slot: SlotChoice
    edit: Callable[[Int64[Tensor, " world"]], Edit]
    """given, for each world, which of two values it is set to"""

    def interventions(self, chosen: Int64[Tensor, " world"]) -> list[Intervention]:
        """Return what is done where each world is to have this value."""
        return [Intervention(self.site, self.slot, self.edit(chosen))]


def retarget(subject: Subject, config: RetargetConfig = RetargetConfig()) -> tuple[Sent, ...]:
    """Try every handle and steering vector in whole episodes from the same starts with the same luck."""
    arena = Arena.of(subject, config)
    other = 1 - arena.instruction
    low = arena.sent("return-to-go", [arena.play(asked=config.low_return)], arena.play())
    found = [arena.sent("intact", [arena.play()]), low]
    for handle in _handles(subject, config):
        value = arena.turn if handle.name.startswith("steering by the turn") else arena.instruction
        away, kept = (arena.play(handle.interventions(each)) for each in (1 - value, value))
        found.append(arena.sent(handle.name, [away], kept))
    for span in ("items", "sphere"):
        away = [arena.play(each.interventions(other)) for each in _random(subject, config, span)]
        found.append(arena.sent(f"random, {span}", away))
    return tuple(found)


def _handles(subject: Subject, config: RetargetConfig) -> list[Handle]:
    first, norm = _first_frames(subject, config), _displacement(subject, config)
    component = ComponentDirection(items=items_at(THINGS, INSTRUCTION_CELLS)).find(first).vectors[0]
    difference = DifferenceDirection(fact="instruction", frame="first").find(first).vectors[0]
    layer = f"blocks.{subject.model.cfg.n_layers - 1}.hook_resid_pre"
    chosen = DecisionPoints(asked=config.target_return, detours=2).choose(subject, config.seed)
    turning = Material(subject, layer, chosen, seed=config.seed)
    turn = DifferenceDirection(fact="correct_turn", frame="last").find(turning).vectors[0]
    return [
        Handle("instruction, first component", SITE, first_frame, _setting(first, component)),
        Handle("instruction, difference of means", SITE, first_frame, _setting(first, difference)),
        Handle("steering by the instruction", SITE, first_frame, _adding(difference, norm)),
        Handle("steering by the turn, newest frame", layer, last_frame, _adding(turn, norm)),
    ]


def _random(subject: Subject, config: RetargetConfig, span: str) -> list[Handle]:
    first, norm = _first_frames(subject, config), _displacement(subject, config)
    spec = RandomDirection.model_validate({"span": span, "n": config.n_draws, "frame": "first"})
    return [Handle(f"random, {span}", SITE, first_frame, _adding(v, norm)) for v in spec.find(first).vectors]


def _first_frames(subject: Subject, config: RetargetConfig) -> Material:
    chosen = DecisionPoints(asked=config.target_return).choose(subject, config.seed)
    return Material(subject, SITE, chosen, seed=config.seed)


def _displacement(subject: Subject, config: RetargetConfig) -> float:
    """Return how far the difference of means moves a first frame on average, from one instruction to the other."""
    return float(_levels(_first_frames(subject, config), None).diff().abs())


def _levels(material: Material, direction: Float32[Tensor, " d_model"] | None) -> Float32[Tensor, " value"]:
    """Return what first frames hold along a direction on average, by instruction; by default along their difference."""
    rows, instruction = rows_at(material, material.windows, "first")[0], material.windows.fact("instruction")
    means = torch.stack([rows[instruction == value].mean(dim=0) for value in (0, 1)])
    gap = means[0] - means[1]
    return means @ (gap / gap.norm() if direction is None else direction)


def _setting(material: Material, direction: Float32[Tensor, " d_model"]) -> Callable[[Tensor], Edit]:
    levels = _levels(material, direction)
    return lambda chosen: Setting(along(direction, material.site), levels[chosen])


def _adding(direction: Float32[Tensor, " d_model"], norm: float) -> Callable[[Tensor], Edit]:
    """Return the edit that adds the direction for the first value, and takes it away for the second."""
    return lambda chosen: Adding(along(direction, SITE), norm * (1 - 2 * chosen.float()))


def _share(holds: Bool[Tensor, " episode"]) -> Interval:
    return wilson(int(holds.sum()), len(holds))
