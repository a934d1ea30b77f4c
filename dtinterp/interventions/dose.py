"""Dose curves: what is measured as a direction is set to several coefficients, beside directions moved as far."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.placebo import Placebo
from dtinterp.interventions.slots import SlotChoice
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Dial:
    """Coefficients as an experiment writes them, into activation units: c = centre + step · coefficient."""

    centre: float
    step: float

    def __post_init__(self) -> None:
        """Refuse a dial on which every coefficient is the same."""
        if not self.step > 0:
            raise UserError(f"a coefficient of 1 moves {self.step:.3g} activation units, expected more than 0.")

    def activation(self, coefficient: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
        """Return the coefficients in activation units."""
        return self.centre + self.step * coefficient


@dataclass(frozen=True)
class DoseCurves:
    """What is measured where a turn is due, such as a logit difference, against what the direction was set to."""

    coefficient: Float32[Tensor, " coefficient"]
    """in the experiment's unit"""
    activation: Float32[Tensor, " coefficient"]
    """the same in activation units"""
    projection: Float32[Tensor, " configuration"]
    """what the edited frame holds along the direction, untouched, in activation units"""
    original: Float32[Tensor, " configuration"]
    """untouched"""
    instruction: Float32[Tensor, "configuration coefficient"]
    """the direction set, such as the instruction's"""
    controls: Float32[Tensor, "draw configuration coefficient"]
    """a random direction moved as far"""
    opposite: Int64[Tensor, " configuration"]
    """the coefficient at which each should turn"""

    @cached_property
    def n_turned(self) -> int:
        """Configurations whose turn is the other one at that coefficient."""
        return int(self._turned(self.instruction[None]))

    @cached_property
    def n_turned_by_control(self) -> Int64[Tensor, " draw"]:
        """The same for each random direction."""
        return self._turned(self.controls)

    @property
    def control_share(self) -> Interval:
        """Share of (random direction, configuration) pairs that turn, Wilson interval as if all were independent."""
        return wilson(int(self.n_turned_by_control.sum()), self.controls.shape[0] * self.controls.shape[1])

    @property
    def p_value(self) -> float:
        """Chance that a random direction turns as many: (1 + draws that do) / (1 + draws).

        Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39, eq. 2.
        """
        return (1 + int((self.n_turned_by_control >= self.n_turned).sum())) / (1 + len(self.controls))

    def _turned(self, curves: Float32[Tensor, "draw configuration coefficient"]) -> Int64[Tensor, " draw"]:
        at_opposite = curves[:, torch.arange(len(self.opposite)), self.opposite]  # draw configuration
        return (at_opposite * self.original < 0).sum(dim=1)


@dataclass(frozen=True)
class DoseSetup:
    """Windows, and what is edited and measured in each: one a configuration."""

    windows: Windows
    items: Float32[Tensor, "frame item"]
    site: str
    """where rows are edited"""
    slot: SlotChoice
    """of which frame"""
    measure: Callable[[Float32[Tensor, "batch slot action"]], Float32[Tensor, " batch"]]
    """one number a window, whose sign says which way it turns"""

    def answer(
        self, model: DecisionTransformer, edit: Edit | None = None, n_copies: int = 1
    ) -> Float32[Tensor, "copy configuration"]:
        """Return what is measured with an edit, of as many copies of all windows."""
        windows = self.windows[torch.arange(len(self.windows)).repeat(n_copies)]
        interventions = [] if edit is None else [Intervention(self.site, self.slot, edit)]
        return self.measure(intervene(model, windows, self.items, interventions)).view(n_copies, -1)

    def projection(
        self, model: DecisionTransformer, direction: Float32[Tensor, " d_model"]
    ) -> Float32[Tensor, " configuration"]:
        """Return what each window's frame holds along the direction, untouched, in activation units."""
        return self.rows(model) @ direction

    def rows(self, model: DecisionTransformer) -> Float32[Tensor, "configuration d_model"]:
        """Return the untouched rows that are edited."""
        found = harvest(model, self.windows, self.items, self.site)
        return found.value[self.slot(self.windows)[self.windows.mask]]


@dataclass(frozen=True)
class Doses:
    """What a direction is set to."""

    coefficient: Float32[Tensor, " coefficient"]
    """in the experiment's unit"""
    wanted: Float32[Tensor, " configuration"]
    """the coefficient at which each configuration should turn"""
    dial_of: Callable[[Float32[Tensor, " configuration"]], Dial]
    """the unit, given what the untouched frames hold"""


def measure_dose(
    model: DecisionTransformer,
    setup: DoseSetup,
    doses: Doses,
    *,
    direction: Float32[Tensor, " d_model"],
    controls: Float32[Tensor, "draw d_model"],
) -> DoseCurves:
    """Set the direction to every coefficient in turn; move each control as far."""
    projection = setup.projection(model, direction)
    activation = doses.dial_of(projection).activation(doses.coefficient)
    each = activation.repeat_interleave(len(projection))  # window: coefficients, configurations inside
    read = along(direction)
    edits = [Setting(read, each), *(Setting(Placebo(read, r[None]), each) for r in controls)]
    curves = [setup.answer(model, edit, len(activation)).T for edit in edits]
    return DoseCurves(
        coefficient=doses.coefficient,
        activation=activation,
        projection=projection,
        original=setup.answer(model)[0],
        instruction=curves[0],
        controls=torch.stack(curves[1:]),
        opposite=(doses.coefficient - doses.wanted[:, None]).abs().argmin(dim=1),
    )
