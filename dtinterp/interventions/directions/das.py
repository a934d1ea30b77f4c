"""Distributed alignment search: a subspace, learned so that exchanging it exchanges one fact, beside its controls."""

from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float32, Int64
from pydantic import Field, StrictFloat, StrictInt
from torch import Tensor

from dtinterp.activations.sites import PER_HEAD, PER_SLOT
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.directions.das_pairs import DecidingFacts, WindowPairs, pairs_of
from dtinterp.interventions.directions.finder import FoundDirections, Material
from dtinterp.interventions.slots import slot_number, slots_of
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.model.network.transformer import DecisionTransformer

MODULE = "transformer_lens.tools.analysis.interchange"


class DasDirection(DecidingFacts):
    """Geiger et al. 2024 (arXiv:2303.02536), by TransformerLens 4.3's `fit_das`, run on our model.

    Of a pair of windows the base keeps its other variables and takes `fact` from the source; exchanging the subspace is
    to make the model do what is decided then. Half of the windows are fitted (all, where there are fewer than eight);
    of the others those pairs are judged whose decision the exchange changes. DAS finds effects where there are none
    (Arora et al. 2024), so beside the accuracy stand those of the same fit to arbitrary labels, of a fit in the
    untrained model, of a random subspace moved as far, and of the difference of means.
    """

    kind: Literal["das"] = "das"
    frame: Literal["first", "last"] = "first"
    """whose row is exchanged"""
    rank: Annotated[StrictInt, Field(ge=1)] = 1
    """dimensions of the subspace"""
    n_pairs: Annotated[StrictInt, Field(ge=1, le=100_000)] = 256
    """pairs at most that are fitted, and that are judged"""
    epochs: Annotated[StrictInt, Field(ge=1)] = 50
    """passes over the pairs"""
    learning_rate: Annotated[StrictFloat, Field(gt=0)] = 1e-2
    """of Adam"""

    def find(self, material: Material) -> FoundDirections:
        """Learn the subspace, and score it beside its controls.

        Raises `UserError` under an older TransformerLens, for windows whose facts decide nothing, and for sites with
        axes of their own.
        """
        tools = _interchange()
        if material.site.endswith(PER_HEAD):
            raise UserError(f"DAS is sought where rows are vectors, at {material.site} they are heads: use the stream.")
        trained = _Exchange(tools, material.subject.model, material.site, material.windows, self)
        untrained = replace(trained, model=material.subject.untrained)
        rng = generator(material.seed, "interventions/das")
        fitted, judged = pairs_of(self, material.windows, n_pairs=self.n_pairs, rng=rng)
        found = trained.learned(fitted, fitted.target)
        labels = [trained.arbitrary(pairs, material.seed) for pairs in (fitted, judged)]
        elsewhere = untrained.learned(fitted, fitted.target)
        return FoundDirections(
            vectors=found.T.contiguous(),
            names=tuple(f"{self.fact} das {place + 1}" for place in range(self.rank)),
            found_at=material.site,
            explains={
                "accuracy": trained.accuracy(judged, judged.target, found),
                "accuracy, arbitrary labels": trained.accuracy(judged, labels[1], trained.learned(fitted, labels[0])),
                "accuracy, untrained model": untrained.accuracy(judged, judged.target, elsewhere),
                "accuracy, placebo": trained.accuracy(judged, judged.target, found, placebo=True),
                "accuracy, nothing exchanged": trained.accuracy(judged, judged.target, torch.zeros_like(found)),
                "accuracy, difference of means": trained.accuracy(judged, judged.target, trained.difference(fitted)),
                "judged pairs": float(len(judged.base)),
            },
        )


@dataclass(frozen=True)
class _Exchange:
    """Exchanges of a subspace at one site and frame of a model."""

    tools: Any
    model: DecisionTransformer
    site: str
    chosen: ChosenWindows
    asked: DasDirection

    def learned(self, pairs: WindowPairs, target: Int64[Tensor, " pair"]) -> Float32[Tensor, "d_model rank"]:
        """Return the basis that makes the model do `target`."""
        found = self.tools.fit_das(
            self.model,
            self.site,
            pairs.base,
            pairs.source,
            target,
            self._act,
            rank=self.asked.rank,
            base_positions=self._position[pairs.base],
            source_positions=self._position[pairs.source],
            epochs=self.asked.epochs,
            lr=self.asked.learning_rate,
        )
        return found.basis

    def accuracy(
        self,
        pairs: WindowPairs,
        target: Int64[Tensor, " pair"],
        basis: Float32[Tensor, "d_model rank"],
        *,
        placebo: bool = False,
    ) -> float:
        """Return the share of pairs in which the model does `target` when the subspace is exchanged."""
        exchange = self.tools.SubspaceInterchange(basis)
        if placebo:
            exchange = self.tools.NormMatchedPlacebo(exchange, self.tools.random_basis(*basis.shape, seed=0))
        logits = self.tools.intervened_logits(
            self.model,
            self.site,
            exchange,
            pairs.base,
            self._rows(pairs.source),
            self._act,
            positions=self._position[pairs.base],
        )
        return float((logits.argmax(dim=1) == target).float().mean())

    def difference(self, pairs: WindowPairs) -> Float32[Tensor, "d_model rank"]:
        """Return the basis of the difference of mean source rows by the fact."""
        return self.tools.mean_difference_basis(self._rows(pairs.source), pairs.value.tolist())

    def arbitrary(self, pairs: WindowPairs, seed: int) -> Int64[Tensor, " pair"]:
        """Return targets that are drawn once for the variables of each source: what the method reaches on its own."""
        actions = pairs.target.unique()
        return actions[self.tools.arbitrary_targets(pairs.key.tolist(), len(actions), seed)]

    def _rows(self, windows: Int64[Tensor, " pair"]) -> Float32[Tensor, "pair d_model"]:
        return self.tools.collect_activations(
            self.model, self.site, windows, self._act, positions=self._position[windows]
        )

    def _act(self, windows: Int64[Tensor, " pair"]) -> Float32[Tensor, "pair action"]:
        return self.model(self.chosen.windows[windows], self.chosen.items)[:, -1]

    @property
    def _position(self) -> Int64[Tensor, " batch"]:
        """Where the exchanged row stands in the site's activation."""
        windows = self.chosen.windows
        slot = slot_number(slots_of(self.asked.frame)(windows))
        if (slot < 0).any():
            name = self.chosen.names[int((slot < 0).nonzero()[0])]
            raise UserError(f"the window {name} does not show its {self.asked.frame} frame: choose other windows.")
        if self.site in PER_SLOT:
            return slot
        tokens = self.model.cfg.observation_tokens
        return tokens.start + tokens.step * (slot + self.model.cfg.n_slots - windows.n_slots)


def _interchange() -> Any:
    """Return TransformerLens's module. Raises `UserError` where it is older."""
    try:
        return import_module(MODULE)
    except ModuleNotFoundError:
        raise UserError(
            f"DAS needs transformer-lens 4.3 or newer, {version('transformer-lens')} is installed: install a newer "
            "one, or find the direction by difference, probe or component."
        ) from None
