"""An edit as a file says it, and what it comes to in a model: a change of rows at all its doses."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.places import At


@dataclass(frozen=True)
class Dosed:
    """An edit of a model, with an amount for each dose, and for each window where they differ."""

    at: At
    part: Part
    kind: type[Edit]
    amounts: Mapping[str, Float32[Tensor, "dose window coordinate"]] = field(default_factory=dict)
    """by field of `kind`; the axes of dose and window may be 1 long, which stands for any of them"""

    @property
    def n_doses(self) -> int:
        """How many doses there are; 1 stands for any number."""
        return max((len(each) for each in self.amounts.values()), default=1)

    @property
    def is_the_same_in_all_windows(self) -> bool:
        """Whether it can be made in windows that are not known yet, as in whole episodes."""
        return all(each.shape[1] == 1 for each in self.amounts.values())

    def edit(self, doses: slice, n_windows: int) -> Edit:
        """Return the edit of so many windows at each of these doses: all windows at the first, then at the next."""
        n_doses = len(range(*doses.indices(self.n_doses))) if self.n_doses > 1 else doses.stop - doses.start
        amounts = {}
        for name, amount in self.amounts.items():
            chosen = amount[doses] if len(amount) > 1 else amount
            amounts[name] = chosen.expand(n_doses, n_windows, -1).flatten(0, 1)  # dose-window coordinate
        return self.kind(self.part, **amounts)

    def of_windows(self, chosen: Int64[Tensor, " chosen"]) -> "Dosed":
        """Return the edit of some of the windows."""
        own = {name: each if each.shape[1] == 1 else each[:, chosen] for name, each in self.amounts.items()}
        return replace(self, amounts=own)

    def instead(self, part: Part) -> "Dosed":
        """Return the same edit of another part: what that would do."""
        return replace(self, part=part)


class EditData(Data):
    """An edit, as a file says it."""

    @abstractmethod
    def bound(self, names: Bindings) -> Dosed:
        """Return what it comes to. Raises `UserError` where a name, a feature or a site is not there."""
