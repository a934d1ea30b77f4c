"""What is said of adversaries once they are found: why they work, what drives the objective, whom else they flip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.adversaries.drivers import DriverRanking, driver_tree
from dtinterp.adversaries.explanation import AdversaryExplanation, explain
from dtinterp.adversaries.objectives.objective import LogitObjective
from dtinterp.adversaries.problem import Found, Problem
from dtinterp.adversaries.transfer import Transfer, transfers
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class SearchAids:
    """What a search may use beside its subject."""

    dictionary: Dictionary | None = None
    """whose feature is flipped; where it reads observation embeddings, its features guide and explain, too"""
    deeper: tuple[Dictionary, ...] = ()
    """of deeper sites, the deepest first: what drives the objective is followed down through them"""
    others: Mapping[str, DecisionTransformer] = field(default_factory=dict)
    """models that adversaries are shown to, by name"""

    @property
    def of_embedding(self) -> Dictionary | None:
        """The dictionary where it reads observation embeddings."""
        is_there = self.dictionary is not None and self.dictionary.site == OBSERVATION_EMBEDDING
        return self.dictionary if is_there else None


@dataclass(frozen=True)
class Understanding:
    """What was found out about the adversaries of one window; empty where the objective is no logits'."""

    explanations: tuple[AdversaryExplanation, ...] = ()
    drivers: tuple[DriverRanking, ...] = ()
    """of the objective in the window as it is; empty where no dictionary was given"""
    transfers: tuple[Transfer, ...] = ()


def understood(
    problem: Problem, found: Sequence[Found], aids: SearchAids, *, returns: Sequence[float], seed: int
) -> Understanding:
    """Explain adversaries, follow what drives their objective, and show them to other models and returns."""
    objective, window = problem.objective, problem.window
    if not isinstance(objective, LogitObjective):
        return Understanding()
    rng = generator(seed, f"adversaries/explanations/{window.scene.name}")
    explanations = tuple(
        explain(
            window,
            objective,
            problem.differences[list(each.edits)].sum(0),
            edits=problem.table.words(each.edits),
            features=aids.of_embedding,
            generator=rng,
        )
        for each in found
    )
    chain = [*aids.deeper, *([aids.of_embedding] if aids.of_embedding else [])]
    shown = [(problem.table.words(each.edits), problem.adversarial(each.edits)) for each in found]
    return Understanding(
        explanations,
        driver_tree(window, objective, chain) if chain else (),
        transfers(window.scene, shown, objective, {"itself": window.model, **aids.others}, returns),
    )
