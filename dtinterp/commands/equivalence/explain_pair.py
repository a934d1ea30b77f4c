"""Two observations become the features that keep them apart, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor
from tyro.conf import Positional

from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.storage import ARTEFACT_KIND, gate_record, load_dictionary
from dtinterp.equivalence.explain.explanations import ExplainedPair
from dtinterp.equivalence.explain.smallest_set import PairConfig, pair_in_contexts
from dtinterp.equivalence.explain.smallest_set import explain_pair as explain
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_each_at_least, require_sensible
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.shipped import MODEL, SHIPPED_DICTIONARY
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class ExplainConfig:
    """Which two observations, and how they are explained."""

    pair: Positional[tuple[int, int]]
    """the two observations, as rows of the demonstrations' frame table"""
    search: PairConfig = field(default_factory=PairConfig)
    """contexts, epsilon and how far to search"""

    def __post_init__(self) -> None:
        """Refuse one observation given twice, and what is no row."""
        require_sensible(self)
        require_each_at_least(self, 0, "pair")
        if self.pair[0] == self.pair[1]:
            raise UserError(f"frame {self.pair[0]} is given twice, expected two: nothing keeps it from itself.")


@claims_out
def explain_pair(
    config: ExplainConfig,
    out: Path = Path("results/pair"),
    *,
    dictionary: Path = SHIPPED_DICTIONARY,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Find the fewest features of a dictionary whose exchange makes two observations interchangeable.

    Args:
        config: which two, in how many contexts, and how far to search.
        out: folder to write.
        dictionary: folder of a dictionary of the model's observation embedding.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = open_subject(model, demonstrations)
    parent = read_artefact(dictionary, kind=ARTEFACT_KIND)
    features = load_dictionary(dictionary, parent=subject.trained.artefact)
    pair, seed = _in_table(config.pair, len(subject.items)), config.search.seed
    ready = pair_in_contexts(
        subject.model,
        subject.trajectories,
        subject.split.held_out,
        items=subject.items,
        pair=pair,
        config=config.search,
    )
    found = explain(ready, features, config.search, generator(seed, "pair/controls"))
    explained = ExplainedPair(config.pair, config.search, found, parent.name)
    beside = Beside(metrics=gate_record(dictionary), tensors={"pair": pair})
    return save(out, explained, parents=(*subject.artefacts, parent), seed=seed, replace=replace, beside=beside)


def _in_table(pair: tuple[int, int], n_frames: int) -> Int64[Tensor, " 2"]:
    for frame in pair:
        if not 0 <= frame < n_frames:
            raise UserError(f"frame {frame} is not in the table of {n_frames} frames: choose from 0 to {n_frames - 1}.")
    return torch.tensor(pair)
