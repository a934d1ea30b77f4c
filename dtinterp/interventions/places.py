"""At a model is edited: a site, of it a head or a neuron, and which tokens of which slots."""

from typing import Annotated, Any

from pydantic import Field, StrictInt, model_validator

from dtinterp.activations.sites import check_site, shape_at
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.parts.columns import Neuron, OfHead
from dtinterp.interventions.parts.part import Part
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.slots import SlotChoice, SlotName, TokenKind, slots_of
from dtinterp.model.network.transformer import DecisionTransformer


class At(Data):
    """A place in a model."""

    site: str
    """name of a hook, such as hook_obs_embed or blocks.0.attn.hook_z"""
    slot: SlotName = "last"
    """the episode's first frame, the newest, all, {time: 3} or {index: -2}"""
    token: TokenKind = "observation"
    """which of a slot's tokens"""
    head: Annotated[StrictInt, Field(ge=0)] | None = None
    """one head of a site that has them"""
    neuron: Annotated[StrictInt, Field(ge=0)] | None = None
    """one neuron, or column, of a site that has them"""

    @model_validator(mode="before")
    @classmethod
    def _site_alone(cls, said: Any) -> Any:
        return {"site": said} if isinstance(said, str) else said

    @property
    def slots(self) -> SlotChoice:
        """Which slots of windows."""
        return slots_of(self.slot)

    @property
    def slot_name(self) -> str:
        """The slot as a file says it."""
        return str(self.said.get("slot", self.slot))

    def narrowed(self, part: Part, model: DecisionTransformer) -> Part:
        """Return what of the head's or neuron's columns is meant. Raises `UserError` where there are none such."""
        check_site(model, self.site)
        if self.neuron is not None and self.head is not None:
            raise UserError(f"head {self.head} and neuron {self.neuron} stand together, expected one of them.")
        if self.neuron is not None:
            if not isinstance(part, Whole):
                raise UserError(f"neuron {self.neuron} is one number and has no directions: edit `token: whole` of it.")
            part = Neuron(self.neuron)
        if self.head is not None:
            part = OfHead(self.head, shape_at(model, self.site)[0], part)
        part.require_site(model, self.site)
        return part

    def require_some(self, windows: Windows, names: str = "windows") -> None:
        """Raise `UserError` where the slot is padding, or out of the window, in all windows."""
        chosen = self.slots(windows)
        if self.token == "action":
            chosen = chosen[:, :-1]
        if not chosen.any():
            begins = windows.n_slots - int(windows.mask.sum(dim=1).max())
            last = int(windows.time.max())
            raise UserError(
                f"slot {self.slot_name} is padding or out of the window in all {len(windows)} {names}, whose real "
                f"slots have index {begins} to {windows.n_slots - 1} and times up to {last}: choose one of these."
            )
