"""A comparison of certified classes becomes tables: against the world, each other, and their own mirror images."""

from collections.abc import Callable, Iterator

from equivalence_shelf import CERTIFIED, CONTROL, LARGEST, OURS, PUBLISHED, Shelf, kin
from tables import interval, table, written

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.truth.disagreements import Contrast
from dtinterp.equivalence.truth.key_ball_symmetry import Reflection

BESIDE = ("near in the embedding", "looks alone", "untrained model")
"""Relations that stand beside the certified classes, cut into as many, where they were compared."""


def truth(shelf: Shelf) -> str:
    """Return how classes agree with bisimulation, beside other relations and an untrained model."""
    beside = [name for name in BESIDE if any(shelf.against(model, name) for model in shelf.portraits)]
    head = (
        "model",
        "classes",
        f"{CERTIFIED} × bisimulation: ARI",
        "p (Holm)",
        "lost, bits",
        "in excess, bits",
        *(f"{name}: ARI" for name in beside),
    )

    def rows() -> Iterator[list[str]]:
        for model in shelf.portraits:
            own = shelf.certified(model)
            told = [written(each, 2) for each in (own.variation.lost, own.variation.excess)]
            others = [shelf.against(model, name) for name in beside]
            cells = ["" if each is None else interval(each.agreement.ari) for each in others]
            found = own.agreement
            yield [model, str(found.n_classes), interval(found.ari), _p(own.p_holm), *told, *cells]

    return table(head, rows())


def kinships(shelf: Shelf) -> str:
    """Return how far models agree with each other."""
    head = ("models", "ARI of their classes", "random classes", "p (Holm)")
    ordered = [*OURS, PUBLISHED]
    rows = (
        [
            " and ".join(sorted(kin(row), key=ordered.index)),
            interval(row.agreement.ari),
            interval(row.agreement.random),
            _p(row.p_holm),
        ]
        for row in shelf.comparison.kinships
    )
    return table(head, rows)


def distractions(shelf: Shelf) -> str:
    """Return which bisimilar pairs each model keeps apart, and what it costs; confusions are counted wrongly."""
    head = ("model", "bisimilar pairs", "of these distractions", "most return that the model loses by one")

    def rows() -> Iterator[list[str]]:
        for model, portrait in shelf.portraits.items():
            found = portrait.contrasts
            yield [model, str(found.n_alike), str(found.n_distractions), _lost(found.distractions)]

    return table(head, rows())


def beliefs(shelf: Shelf) -> str:
    """Return what may be believed after whole histories, and given windows of several lengths."""
    head = (
        "observations that are known",
        "beliefs possible",
        "states in one, at most",
        "sets of observations",
        "are bisimulation's",
    )
    rows = (
        [
            "all since the start"
            if row["slots"] == "all"
            else f"the last {row['slots']}"
            if row["slots"] > 1
            else "the last",
            f"{row['n_beliefs']:,}",
            str(row["most_states"]),
            str(row["n_sets"]),
            "yes" if row["as_bisimulation"] else "no",
        ]
        for row in shelf.beliefs
    )
    return table(head, rows)


def mirror(shelf: Shelf) -> str:
    """Return how far each model tells windows from their mirror images."""
    head = (
        "model",
        "embedding",
        "after block 0",
        "after the last block",
        "decisions: mean JS, bits",
        "of two different windows",
        "the one in the other",
        "largest",
    )
    rows = {model: portrait.reflection for model, portrait in shelf.portraits.items()}
    rows[f"untrained ({CONTROL})"] = shelf.portraits[CONTROL].untrained
    return table(head, ([name, *_reflected(found)] for name, found in rows.items()))


def _reflected(found: Reflection) -> list[str]:
    distinct = dict(zip(found.sites, found.distinct, strict=True))
    last = [site for site in found.sites if site.endswith("hook_resid_post")][-1]
    found_at = (distinct[site] for site in (OBSERVATION_EMBEDDING, "blocks.1.hook_resid_pre", last))
    sites = ["" if each is None else written(each, 2) for each in found_at]
    share = f"{found.mean / found.other:.0%}"
    return [*sites, written(found.mean, 4), written(found.other, 3), share, written(found.maximum, 3)]


def published(shelf: Shelf) -> str | None:
    """Return the published model beside ours; None where it is not part of the comparison."""
    if PUBLISHED not in shelf.portraits:
        return None
    rows: dict[str, Callable[[str], list[str]]] = {
        "classes": lambda model: [str(shelf.certified(model).agreement.n_classes)],
        "pairs joined": lambda model: [str(shelf.portraits[model].contrasts.n_joined)],
        "bisimilar pairs kept apart": lambda model: [str(shelf.portraits[model].contrasts.n_distractions)],
        "most return lost by showing one bisimilar observation for the other": lambda model: [
            _lost(shelf.portraits[model].contrasts.distractions)
        ],
        f"{CERTIFIED} × bisimulation: ARI": lambda model: [written(shelf.certified(model).agreement.ari.estimate, 2)],
        "lost · in excess, bits": lambda model: [
            written(shelf.certified(model).variation.lost, 2),
            written(shelf.certified(model).variation.excess, 2),
        ],
        f"agreement with {LARGEST}’s classes: ARI": lambda model: (
            [] if model == LARGEST else [written(shelf.kinship(model, LARGEST).agreement.ari.estimate, 2)]
        ),
        "mirror, decisions: mean JS, bits · of two different windows": lambda model: [
            written(shelf.portraits[model].reflection.mean, 4),
            written(shelf.portraits[model].reflection.other, 2),
        ],
        "fewest classes that lose nothing": lambda model: [str(shelf.certificates[model].behaviour.fewest.n_classes)],
    }
    ours = [model for model in OURS if model in shelf.portraits]
    cells = ([name, " · ".join(row(PUBLISHED)), _ranges([row(model) for model in ours])] for name, row in rows.items())
    return table(("", PUBLISHED, "our four models"), cells)


def _ranges(rows: list[list[str]]) -> str:
    """Return `35 to 56` of each number that all rows have, and the number where all are the same."""
    columns = zip(*filter(None, rows), strict=True)
    ends = ((min(column, key=float), max(column, key=float)) for column in columns)
    return " · ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _lost(found: tuple[Contrast, ...]) -> str:
    return written(max((each.lost for each in found), default=0.0), 3)


def _p(p_value: float) -> str:
    return f"{p_value:.2g}"
