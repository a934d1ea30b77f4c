"""Certified classes against the world, against each other, and against their own mirror images."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import pandas as pd

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.comparisons.model_comparison import (
    MODEL_COMPARISON,
    ModelAgreement,
    ModelComparison,
    ModelContrasts,
    WorldAgreement,
)
from dtinterp.equivalence.truth.disagreements import Contrast, Contrasts
from dtinterp.equivalence.truth.key_ball_symmetry import Reflection
from dtinterp.foundation.artefacts.codec import load
from tables.cells import interval, side_by_side, written
from tables.certificates import certified
from tables.shelf import COMPARISONS, LARGEST, OURS, PUBLISHED, SMALL, measured

IMPORTED = "memory-gated-mlp"
"""The folder into which the published model is imported, by which a comparison calls it."""
CERTIFIED, BISIMULATION = "interchangeable", "reward bisimulation"
BESIDE = ("near in the embedding", "looks alone", "untrained model")
"""Relations that stand beside the certified classes, cut into as many."""
MODELS = (*OURS, PUBLISHED)


def against_bisimulation() -> pd.DataFrame:
    """How classes agree with bisimulation, beside other relations and an untrained model.

    Relations other than the certified classes are cut into as many; intervals are the central 95% over halves of
    the observations. *Lost* is H(world | model), *in excess* H(model | world).
    """

    def rows() -> Iterator[dict[str, str]]:
        for model in MODELS:
            own = _against(model, CERTIFIED)
            yield {
                "model": model,
                "classes": str(own.agreement.n_classes),
                f"{CERTIFIED} × bisimulation: ARI": interval(own.agreement.ari),
                "p (Holm)": _p(own.p_holm),
                "lost, bits": written(own.variation.lost, 2),
                "in excess, bits": written(own.variation.excess, 2),
                **{f"{name}: ARI": interval(_against(model, name).agreement.ari) for name in BESIDE},
            }

    return pd.DataFrame(rows())


def between_models() -> pd.DataFrame:
    """How far the certified classes of two models agree."""
    return pd.DataFrame(
        {
            "models": " and ".join(sorted(_kin(row), key=MODELS.index)),
            "ARI of their classes": interval(row.agreement.ari),
            "random classes": interval(row.agreement.random),
            "p (Holm)": _p(row.p_holm),
        }
        for row in _comparison().kinships
    )


def distractions() -> pd.DataFrame:
    """Bisimilar pairs that each model keeps apart, and the most return that it loses when shown one for the other."""
    return pd.DataFrame(
        {
            "model": model,
            "bisimilar pairs": str(portrait.contrasts.n_alike),
            "of these distractions": str(portrait.contrasts.n_distractions),
            "most return that the model loses by one": _lost(portrait.contrasts.distractions),
        }
        for model, portrait in _portraits().items()
    )


def confusions() -> pd.DataFrame:
    """Pairs that each model joins though what is right at one is wrong at the other, and what is at stake between them.

    At stake is the return lost by acting once at one as is right at the other, less what is lost by acting there as is
    right at itself, in starts followed by up to 12 random actions.
    """
    return pd.DataFrame(
        {"model": model, "pairs joined": str(portrait.contrasts.n_joined), **_confused(portrait.contrasts)}
        for model, portrait in _portraits().items()
    )


def beliefs() -> pd.DataFrame:
    """What may be believed of the movable world's state after whole histories, and given windows of several lengths.

    `python benchmarks/beliefs.py`; 1,154 observations.
    """
    names: dict[object, str] = {"all": "all since the start", 1: "the last"}
    return pd.DataFrame(
        {
            "observations that are known": names.get(row["slots"], f"the last {row['slots']}"),
            "beliefs possible": f"{row['n_beliefs']:,}",
            "states in one, at most": str(row["most_states"]),
            "sets of observations": str(row["n_sets"]),
            "are bisimulation's": "yes" if row["as_bisimulation"] else "no",
        }
        for row in measured("beliefs")["rows"]
    )


def key_ball_mirror() -> pd.DataFrame:
    """Distance of a window from its mirror image, over that of two different windows at the same slot, by site.

    Then the Jensen–Shannon divergence of the decisions in both, beside that of two different windows.
    """
    rows = {model: portrait.reflection for model, portrait in _portraits().items()}
    rows[f"untrained ({SMALL})"] = _portraits()[SMALL].untrained
    return pd.DataFrame({"model": name, **_reflected(found)} for name, found in rows.items())


def published_model() -> pd.DataFrame:
    """The published model beside ours, by `dtinterp compare` of the five certificates; ranges are over our four."""
    rows: dict[str, Callable[[str], list[str]]] = {
        "classes": lambda model: [str(_against(model, CERTIFIED).agreement.n_classes)],
        "pairs joined": lambda model: [str(_portraits()[model].contrasts.n_joined)],
        "bisimilar pairs kept apart": lambda model: [str(_portraits()[model].contrasts.n_distractions)],
        "most return lost by showing one bisimilar observation for the other": lambda model: [
            _lost(_portraits()[model].contrasts.distractions)
        ],
        f"{CERTIFIED} × bisimulation: ARI": lambda model: [
            written(_against(model, CERTIFIED).agreement.ari.estimate, 2)
        ],
        "lost · in excess, bits": lambda model: [
            written(_against(model, CERTIFIED).variation.lost, 2),
            written(_against(model, CERTIFIED).variation.excess, 2),
        ],
        f"agreement with {LARGEST}’s classes: ARI": lambda model: (
            [] if model == LARGEST else [written(_kinship(model, LARGEST).agreement.ari.estimate, 2)]
        ),
        "mirror, decisions: mean JS, bits · of two different windows": lambda model: [
            written(_portraits()[model].reflection.mean, 4),
            written(_portraits()[model].reflection.other, 2),
        ],
        "fewest classes that lose nothing": lambda model: [str(certified()[model].behaviour.fewest.n_classes)],
    }
    published = {name: " · ".join(row(PUBLISHED)) for name, row in rows.items()}
    ours = {name: _ranges([row(model) for model in OURS]) for name, row in rows.items()}
    return side_by_side({PUBLISHED: published, "our four models": ours})


@cache
def _comparison() -> ModelComparison:
    return load(COMPARISONS / "models", MODEL_COMPARISON)


def _portraits() -> Mapping[str, ModelContrasts]:
    found = {_called(each.model): each for each in _comparison().portraits}
    return {name: found[name] for name in MODELS}


def _against(model: str, relation: str) -> WorldAgreement:
    """Return how a relation of a model agrees with bisimulation."""
    wanted = (model, relation, BISIMULATION)
    return next(row for row in _comparison().against if (_called(row.model), row.relation, row.world) == wanted)


def _kinship(model: str, other: str) -> ModelAgreement:
    """Return how far the certified classes of two models agree, whichever was named first."""
    return next(row for row in _comparison().kinships if _kin(row) == {model, other})


def _kin(row: ModelAgreement) -> set[str]:
    return {_called(row.model), _called(row.other)}


def _called(model: str) -> str:
    return PUBLISHED if model == IMPORTED else model


def _reflected(found: Reflection) -> dict[str, str]:
    distinct = dict(zip(found.sites, found.distinct, strict=True))
    last = [site for site in found.sites if site.endswith("hook_resid_post")][-1]
    places = {
        "embedding": OBSERVATION_EMBEDDING,
        "after block 0": "blocks.1.hook_resid_pre",
        "after the last block": last,
    }
    return {
        **{head: "" if (each := distinct[site]) is None else written(each, 2) for head, site in places.items()},
        "decisions: mean JS, bits": written(found.mean, 4),
        "of two different windows": written(found.other, 3),
        "the one in the other": f"{found.mean / found.other:.0%}",
        "largest": written(found.maximum, 3),
    }


def _ranges(rows: list[list[str]]) -> str:
    """Return `35 to 56` of each number that all rows have, and the number where all are the same."""
    columns = zip(*filter(None, rows), strict=True)
    ends = ((min(column, key=float), max(column, key=float)) for column in columns)
    return " · ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _confused(found: Contrasts) -> dict[str, str]:
    heads = (
        "of these confusions",
        "of all pairs",
        "most at stake",
        "most return that the model loses by one",
        "stakes taken off",
    )
    assert found.stakes is not None, "made before stakes were put right: make it again"
    own = f"{found.stakes.n_own} observations, {written(found.stakes.most_own, 3)} at most"
    possible = f"{found.stakes.n_possible:,}"
    cells = (str(found.n_confusions), possible, written(found.stakes.most, 3), _lost(found.confusions), own)
    return dict(zip(heads, cells, strict=True))


def _lost(found: tuple[Contrast, ...]) -> str:
    return written(max((each.lost for each in found), default=0.0), 3)


def _p(p_value: float) -> str:
    return f"{p_value:.2g}"
