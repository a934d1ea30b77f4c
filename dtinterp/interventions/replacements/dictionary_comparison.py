"""Comparison of dictionaries on the same windows: errors of single rows, telling windows, and what each sees there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features.single_rows import Seen, TokenErrors, seen_in, token_errors
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.replacements.component_flips import (
    ComponentFlips,
    component_flips,
    label_of,
    starting_points,
)
from dtinterp.interventions.replacements.linear_mlp import (
    FeatureExcess,
    LinearMlp,
    by_feature,
    excess_loss,
    largest_by_chance,
)
from dtinterp.model.network.transformer import DecisionTransformer

N_DECIDING = 5
"""Parts whose share of flipped windows the manifest shows."""
N_SHIFTS = 40
"""How often the excess of rows is given to other rows."""


@dataclass(frozen=True)
class DictionaryComparisonConfig:
    """How dictionaries are compared."""

    n_draws: int = 3
    """windows from which each part is replaced in turn"""
    n_examples: int = 6
    """windows shown side by side: those where an ablation makes a right prediction wrong, worst first"""
    n_per_part: int = 2
    """examples at most that are owed to one head, MLP or slot"""
    n_listed: int = 8
    """features listed of each dictionary in each example, and of each dictionary beside each MLP"""
    seed: int = 0
    """of the windows and the draws"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("n_draws", "n_examples", "n_per_part", "n_listed"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1: give a larger number.")
        require_sensible(self)


@dataclass(frozen=True)
class PartShare:
    """How often a part decides."""

    part: str
    share: Interval
    """of the windows that have it: those whose action flips in most draws when it is taken from another window"""


@dataclass(frozen=True)
class Example:
    """One window, at its last slot."""

    last_step: int
    """flat step in the trajectories that the window ends at"""
    action: int
    """the intact model's"""
    part: str
    """whose ablation makes it act otherwise; empty where the window was asked for"""
    instead: int
    """the action then; the same one where the window was asked for"""
    lost: float
    """probability that the intact model's action loses by it"""
    seen: tuple[Seen, ...]
    """what each dictionary sees, in the order of the dictionaries"""


@dataclass(frozen=True)
class LinearCost:
    """A linear map in place of one MLP, and the features of one dictionary where that costs most."""

    layer: int
    fvu: float
    """of the map, on the rows that it was fitted to"""
    excess: Interval
    """linear loss minus MLP loss over all rows, in nats"""
    name: str
    site: str
    features: tuple[FeatureExcess, ...]
    """those with the largest difference between on and off"""
    by_chance: tuple[float, ...] = ()
    """the largest difference of any feature when rows have the excess of other rows, once per shift of `N_SHIFTS`: the
    control. All dictionaries share their shifts"""


@dataclass(frozen=True)
class DictionaryComparison:
    """Several dictionaries on the same rows, those of all real slots of some windows."""

    name: tuple[str, ...]
    site: tuple[str, ...]
    error: Float32[Tensor, "dictionary row"]
    """see `TokenErrors`"""
    l0: Int32[Tensor, "dictionary row"]
    """active features"""
    step: Int64[Tensor, " row"]
    slot: Int64[Tensor, " row"]
    """counted from 0"""
    last_step: Int64[Tensor, " row"]
    """flat step that the row's window ends at"""
    parts: tuple[PartShare, ...]
    examples: tuple[Example, ...]
    linear: tuple[LinearCost, ...]

    def __post_init__(self) -> None:
        """Refuse errors of other dictionaries."""
        require_equally_many(names=len(self.name), sites=len(self.site), errors=len(self.error))

    def errors(self, dictionary: int) -> TokenErrors:
        """Return the errors of one dictionary."""
        return TokenErrors(self.error[dictionary], self.l0[dictionary].long())


@dataclass(frozen=True)
class ComparedWindows:
    """The windows that dictionaries are compared on."""

    model: DecisionTransformer
    windows: Windows
    items: Float32[Tensor, "frame item"]
    cluster: Int64[Tensor, " row"]
    """episode of each real slot, windows in order, slots in order"""


def compare(
    dictionaries: Sequence[Dictionary],
    shown: ComparedWindows,
    config: DictionaryComparisonConfig,
    *,
    linear: Sequence[LinearMlp] = (),
    asked: Windows | None = None,
) -> DictionaryComparison:
    """Return the comparison of dictionaries of any sites of one model.

    `linear` maps stand in for MLPs; they should be fitted to other windows. Examples are the windows that are `asked`
    for, else those where ablating a part makes a right prediction wrong. Raises `UserError` without a dictionary.
    """
    if not dictionaries:
        raise UserError("there is no dictionary to compare: give at least one.")
    rows = {site: harvest(shown.model, shown.windows, shown.items, site) for site in {d.site for d in dictionaries}}
    errors = [token_errors(each, rows[each.site].value) for each in dictionaries]
    rng = generator(config.seed, "comparison/donors")
    flips = component_flips(shown.model, shown.windows, shown.items, n_draws=config.n_draws, generator=rng)
    moments = _found(shown, flips, config) if asked is None else [_Moment(asked[n : n + 1]) for n in range(len(asked))]
    first = rows[dictionaries[0].site]
    return DictionaryComparison(
        name=tuple(each.name for each in dictionaries),
        site=tuple(each.site for each in dictionaries),
        error=torch.stack([each.error for each in errors]),
        l0=torch.stack([each.l0 for each in errors]).int(),
        step=first.step,
        slot=first.slot,
        last_step=shown.windows.step[:, -1:].expand(-1, shown.windows.n_slots)[shown.windows.mask],
        parts=tuple(PartShare(label_of(part), flips.share(place)) for place, part in enumerate(flips.part)),
        examples=tuple(_example(dictionaries, shown, moment, config.n_listed) for moment in moments),
        linear=tuple(cost for each in linear for cost in _costs(each, dictionaries, rows, shown, config)),
    )


@dataclass(frozen=True)
class _Moment:
    windows: Windows
    """one"""
    part: str = ""
    instead: int | None = None
    lost: float = 0.0


def _found(shown: ComparedWindows, flips: ComponentFlips, config: DictionaryComparisonConfig) -> list[_Moment]:
    is_right = flips.action == shown.windows.action[:, -1]
    points = starting_points(flips, is_right, config.n_examples, n_per_part=config.n_per_part)
    return [
        _Moment(
            shown.windows[window : window + 1],
            label_of(flips.part[part]),
            int(flips.instead[part, window]),
            float(flips.lost[part, window]),
        )
        for part, window in points.tolist()
    ]


@torch.no_grad()
def _example(dictionaries: Sequence[Dictionary], shown: ComparedWindows, moment: _Moment, n_listed: int) -> Example:
    last = {
        site: harvest(shown.model, moment.windows, shown.items, site).value[-1]
        for site in {d.site for d in dictionaries}
    }
    action = int(shown.model(moment.windows, shown.items)[0, -1].argmax())
    return Example(
        last_step=int(moment.windows.step[0, -1]),
        action=action,
        part=moment.part,
        instead=action if moment.instead is None else moment.instead,
        lost=moment.lost,
        seen=tuple(seen_in(each, last[each.site], n_most=n_listed) for each in dictionaries),
    )


def _costs(
    linear: LinearMlp,
    dictionaries: Sequence[Dictionary],
    rows: Mapping[str, Activations],
    shown: ComparedWindows,
    config: DictionaryComparisonConfig,
) -> list[LinearCost]:
    excess = excess_loss(shown.model, shown.windows, shown.items, linear)
    rng = numpy_generator(config.seed, f"comparison/linear {linear.layer}")
    columns = {"row": torch.ones_like(excess).numpy(), "excess": excess.numpy()}
    overall = resample(columns, shown.cluster.numpy(), rng).ratio("excess", "row")
    shifts = torch.randint(1, len(excess), (N_SHIFTS,), generator=generator(config.seed, "comparison/shifts"))
    costs = []
    for each in dictionaries:
        fires = encode_dense(each, rows[each.site].value) > 0
        features = by_feature(excess, fires, cluster=shown.cluster, generator=rng)[: config.n_listed]
        chance = largest_by_chance(excess, fires, cluster=shown.cluster, shifts=shifts)
        costs.append(LinearCost(linear.layer, linear.fvu, overall, each.name, each.site, features, chance))
    return costs


def _at_a_glance(comparison: DictionaryComparison) -> Beside:
    """Return the errors of each dictionary, the parts that decide most, and what linear maps cost."""
    places = enumerate(zip(comparison.site, comparison.name, strict=True))
    deciding = sorted(comparison.parts, key=lambda each: -each.share.estimate)[:N_DECIDING]
    return Beside(
        metrics={
            "fvu": {f"{name} at {site}": comparison.errors(place).fvu for place, (site, name) in places},
            "decides": {each.part: asdict(each.share) for each in deciding},
            "linear_minus_mlp": {f"MLP {each.layer}": asdict(each.excess) for each in comparison.linear},
            "n_examples": len(comparison.examples),
        }
    )


FEATURE_COMPARISON = ArtefactKind(
    "feature-comparison",
    DictionaryComparison,
    places={name: f"config.findings.{name}" for name in ("parts", "examples", "linear")},
    beside=_at_a_glance,
    formerly=("comparison",),
)
