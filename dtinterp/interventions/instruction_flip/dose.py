"""A direction at several coefficients becomes dose curves, beside random directions that move rows as far."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.edits.directions import SetDirection
from dtinterp.interventions.edits.placebo import PlaceboDirection
from dtinterp.interventions.instruction_flip.scenarios import Scenarios, logit_difference
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.interventions.intervene import Intervention, first_frame, intervene
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Dial:
    """Coefficients as an experiment writes them, into activation units: c = centre + step · coefficient."""

    centre: float
    step: float

    def __post_init__(self) -> None:
        """Refuse a dial on which every coefficient is the same."""
        if not self.step > 0:
            raise UserError(
                f"a key stands {2 * self.step:.3g} above a ball along the direction here, expected more than 0: "
                "choose another site or direction, or the unit `activation`."
            )

    def activation(self, coefficient: Float32[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
        """Return the coefficients in activation units."""
        return self.centre + self.step * coefficient


@dataclass(frozen=True)
class DoseCurves:
    """The logit difference, left minus right, where the turn is due, against what the direction was set to."""

    coefficient: Float32[Tensor, " coefficient"]
    """in the experiment's unit"""
    activation: Float32[Tensor, " coefficient"]
    """the same in activation units"""
    projection: Float32[Tensor, " configuration"]
    """what the first frame holds along the direction, untouched, in activation units"""
    original: Float32[Tensor, " configuration"]
    """untouched"""
    instruction: Float32[Tensor, "configuration coefficient"]
    """the instruction's direction set"""
    controls: Float32[Tensor, "draw configuration coefficient"]
    """a random direction moved as far"""
    opposite: Int64[Tensor, " configuration"]
    """the coefficient that stands for the other instruction, at the experiment's strength"""

    @cached_property
    def n_turned(self) -> int:
        """Configurations whose turn is the other one when the direction is set to the other instruction."""
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


def measure_dose(
    model: DecisionTransformer,
    scenarios: Scenarios,
    specification: Specification,
    *,
    direction: Float32[Tensor, " d_model"],
    controls: Float32[Tensor, "draw d_model"],
) -> DoseCurves:
    """Set the direction at the first frame to every coefficient in turn; move each control as far."""
    projection = project_first_frames(model, scenarios, specification.site, direction)
    coefficient = torch.tensor(specification.coefficients, dtype=torch.float32)
    activation = dial(specification, projection, scenarios.sign).activation(coefficient)
    each = activation.repeat_interleave(len(projection))  # window: coefficients, configurations inside
    curves = [
        _curve(model, scenarios, Intervention(specification.site, first_frame, edit), len(activation))
        for edit in (SetDirection(direction, each), *(PlaceboDirection(direction, r, each) for r in controls))
    ]
    wanted = -specification.strength * scenarios.sign
    return DoseCurves(
        coefficient=coefficient,
        activation=activation,
        projection=projection,
        original=logit_difference(intervene(model, scenarios.windows, scenarios.items, [])),
        instruction=curves[0],
        controls=torch.stack(curves[1:]),
        opposite=(coefficient - wanted[:, None]).abs().argmin(dim=1),
    )


def project_first_frames(
    model: DecisionTransformer, scenarios: Scenarios, site: str, direction: Float32[Tensor, " d_model"]
) -> Float32[Tensor, " configuration"]:
    """Return what each configuration's first frame holds along the direction, in activation units."""
    windows = scenarios.windows
    rows = harvest(model, windows, scenarios.items, site)
    is_first = torch.arange(windows.n_slots) == first_frame(windows)[:, None]  # configuration slot
    return rows.value[is_first[windows.mask]] @ direction


def dial(
    specification: Specification,
    projection: Float32[Tensor, " configuration"],
    sign: Float32[Tensor, " configuration"],
) -> Dial:
    """Return the dial of the experiment's unit, given what the untouched first frames hold."""
    if specification.unit == "activation":
        return Dial(centre=0.0, step=1.0)
    key, ball = float(projection[sign > 0].mean()), float(projection[sign < 0].mean())
    return Dial(centre=(key + ball) / 2, step=(key - ball) / 2)


def _curve(
    model: DecisionTransformer, scenarios: Scenarios, edit: Intervention, n_coefficients: int
) -> Float32[Tensor, "configuration coefficient"]:
    """Run every configuration at every coefficient in one batch."""
    n_configurations = len(scenarios.windows)
    windows = scenarios.windows[torch.arange(n_configurations).repeat(n_coefficients)]
    return logit_difference(intervene(model, windows, scenarios.items, [edit])).view(n_coefficients, -1).T
