"""Ways to exchange one fact when features are not orthogonal: what each does, and what else it changes.

A feature's decoder row is not orthogonal to others', so moving along it moves what is read of them. Held beside each
other at the first frame's token: one feature along its decoder row, oblique (along the dual of its encoder column), and
by encode, edit, decode; one direction, alone and oblique to that of the targets; the subspace of all that the
instruction changes there, which is as good as the whole token; and random directions of the span of things.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import log_softmax

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.directions.finder import Material
from dtinterp.interventions.directions.random_span import RandomDirection
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.parts.along import Along, ObliqueAlong, along
from dtinterp.interventions.parts.code import Code, ObliqueCode, RewrittenCode
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.parts.placebo import Placebo
from dtinterp.interventions.studies.data_span import span_of
from dtinterp.interventions.studies.exchange import Exchange
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.interventions.windows.plays import ScriptedPlays
from dtinterp.subject.subject import Subject

ON_THE_WAY = ("", "F", "FF", "FFF")
"""Plays at whose ends going forward is right, whatever the instruction: nothing should change there."""
CHANGED = 1e-3
"""Codes that differ by more have changed."""


@dataclass(frozen=True)
class WayToEdit:
    """One way to exchange the instruction."""

    name: str
    moved: float
    """mean distance by which rows move"""
    restored: float
    """share of the other instruction's effect on the turn"""
    turned: Interval
    """share of decision windows that turn as under the other instruction"""
    other_codes: float
    """mean number of other features whose code changes"""
    other_fact: float
    """mean change of what is read of the targets, where exchanging these themselves would be 1"""
    elsewhere: float
    """mean KL divergence of the action from what it was, on the way, in bits"""
    elsewhere_changed: Interval
    """share of windows on the way whose most likely action is another one"""


@dataclass(frozen=True)
class _Bench:
    turning: Exchange
    walking: Exchange
    dictionary: Dictionary
    target: Float32[Tensor, " d_model"]
    """difference of mean first frames by the left target; the row's change along it, over its length, is 1 there"""
    gap: float

    def tried(self, name: str, part: Part) -> WayToEdit:
        rows, edited = self.turning.rows, self._edit(self.turning, part).apply(self.turning.rows)
        codes = [encode_dense(self.dictionary, each) for each in (rows, edited)]
        own = {part.feature} if isinstance(part, Code) else set()
        others = [feature for feature in range(self.dictionary.width) if feature not in own]
        before, after = (
            log_softmax(self.walking.logits(edit), dim=1) for edit in (None, self._edit(self.walking, part))
        )
        divergence = (before.exp() * (before - after)).sum(dim=1) / torch.tensor(2.0).log()
        n_changed = int((before.argmax(dim=1) != after.argmax(dim=1)).sum())
        edit = self._edit(self.turning, part)
        return WayToEdit(
            name=name,
            moved=float((edited - rows).norm(dim=1).mean()),
            restored=self.turning.restored(edit),
            turned=wilson(self.turning.turned(edit), len(rows)),
            other_codes=float(((codes[1] - codes[0]).abs() > CHANGED)[:, others].float().sum(dim=1).mean()),
            other_fact=float(((edited - rows) @ self.target).abs().mean() / self.gap),
            elsewhere=float(divergence.mean()),
            elsewhere_changed=wilson(n_changed, len(before)),
        )

    def _edit(self, exchange: Exchange, part: Part) -> Edit:
        """Return the edit that sets a part to what it is in each window's partner."""
        return Setting(part, part.read(exchange.wanted))


def ways_to_edit(
    subject: Subject, dictionary: Dictionary, *, seed: int = 0, n_draws: int = 10
) -> tuple[WayToEdit, ...]:
    """Exchange the instruction in every way, at the site of the dictionary.

    The feature is the one whose code differs most by instruction in first frames. Raises `UserError` where none does.
    """
    turning = Exchange.of(subject, DecisionPoints(detours=2).choose(subject, seed), dictionary.site)
    walking = Exchange.of(subject, ScriptedPlays(actions=ON_THE_WAY).choose(subject, seed), dictionary.site)
    instruction, left = (_difference(turning, fact) for fact in ("instruction", "top_target"))
    target = left / left.norm()
    direction = instruction / instruction.norm()
    bench = _Bench(turning, walking, dictionary, target, float(left.norm()))
    feature, changes = telling_feature(turning, dictionary), turning.wanted - turning.rows
    parts: dict[str, Part] = {
        "one feature, along its decoder row": Code(dictionary, feature),
        "one feature, oblique": ObliqueCode(dictionary, feature),
        "one feature, encode, edit, decode": RewrittenCode(dictionary, feature),
        "one direction": along(direction, dictionary.site),
        "one direction, oblique to the targets'": ObliqueAlong(direction[None], dictionary.site, target[None]),
        "subspace of all it changes": Along(span_of(torch.cat([changes, -changes])), dictionary.site),
    }
    found = [bench.tried(name, part) for name, part in parts.items()]
    material = Material(subject, dictionary.site, turning.chosen, seed=seed)
    drawn = RandomDirection(n=n_draws, frame="first").find(material).vectors
    random = [bench.tried("random", Placebo(along(direction, dictionary.site), each[None])) for each in drawn]
    return (*found, _mean(random))


def telling_feature(exchange: Exchange, dictionary: Dictionary) -> int:
    """Return the feature whose code differs most by instruction. Raises `UserError` where no code does."""
    codes, value = encode_dense(dictionary, exchange.rows), exchange.chosen.fact("instruction")
    apart = (codes[value == 0].mean(dim=0) - codes[value == 1].mean(dim=0)).abs()
    if not float(apart.max()) > 0:
        raise UserError(f"no feature of {dictionary.name!r} tells the instruction in first frames: use another one.")
    return int(apart.argmax())


def _difference(exchange: Exchange, fact: str) -> Float32[Tensor, " d_model"]:
    value = exchange.chosen.fact(fact)
    return exchange.rows[value == 0].mean(dim=0) - exchange.rows[value == 1].mean(dim=0)


def _mean(drawn: list[WayToEdit]) -> WayToEdit:
    """Return the mean of what random directions do; shares as if all windows were independent."""

    def mean(name: str) -> float:
        return sum(getattr(each, name) for each in drawn) / len(drawn)

    def pooled(name: str) -> Interval:
        shares = [getattr(each, name) for each in drawn]
        return wilson(round(sum(each.estimate * each.n for each in shares)), sum(each.n for each in shares))

    return WayToEdit(
        name=f"random directions of the things' span, mean of {len(drawn)}",
        **{name: mean(name) for name in ("moved", "restored", "other_codes", "other_fact", "elsewhere")},
        turned=pooled("turned"),
        elsewhere_changed=pooled("elsewhere_changed"),
    )
