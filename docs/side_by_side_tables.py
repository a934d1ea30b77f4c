"""Comparisons of the dictionaries of each model become the tables of docs/features.md that stand side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tables import interval, share, table, written

from dtinterp.interventions.comparison_storage import load_comparison
from dtinterp.interventions.dictionary_comparison import DictionaryComparison, LinearCost, PartShare

SHOWN = "topk-128-k8"
"""The dictionary whose errors are shown."""
UNTRAINED = "untrained "
"""How the names of dictionaries of an untrained model begin."""
SMALL = 1e-4
WORST = 100
"""One token in so many counts among the worst."""
N_DECIDING = 4
LINEAR = (
    "model",
    "MLP",
    "FVU of the map",
    "over all rows",
    "most different feature",
    "on",
    "off",
    "difference",
    "by chance: median, most",
    "rows where it is on, and their part of the cost",
)


def compared(studies: Sequence[Path]) -> dict[str, str]:
    """Return the tables by name: errors of single tokens, parts that decide, linear maps in place of MLPs."""
    found = dict(_comparisons(studies))
    return {
        "token errors": table(
            ("model", "site", "median", "mean (FVU)", f"below {SMALL:g}", "of the sum, the worst 1% of tokens"),
            [row for name, each in found.items() for row in _errors(name, each)],
            n_words=2,
        ),
        "deciding parts": table(
            (
                "model",
                "frame in the last slot",
                "heads and MLPs that flip most",
                "most lost: by a frame",
                "by a head or MLP",
            ),
            [_deciding(name, each) for name, each in found.items()],
        ),
        "linear maps": table(
            LINEAR, [_linear(name, each, layer) for name, each in found.items() for layer in _layers(each)]
        ),
    }


def _comparisons(studies: Sequence[Path]) -> Iterator[tuple[str, DictionaryComparison]]:
    for study in studies:
        for folder in sorted(study.glob("comparison*")):
            found = load_comparison(folder)
            is_untrained = all(name.startswith(UNTRAINED) for name in found.name)
            yield f"`{study.name}`{', untrained' * is_untrained}", found


def _errors(model: str, found: DictionaryComparison) -> Iterator[tuple[str, ...]]:
    for place, (name, site) in enumerate(zip(found.name, found.site, strict=True)):
        if name.removeprefix(UNTRAINED) == SHOWN:
            error = found.errors(place).error.double().sort(descending=True).values
            worst = error[: max(1, len(error) // WORST)].sum() / error.sum()
            small = (error < SMALL).double().mean()
            yield model, f"`{site}`", f"{error.median():.1e}", f"{error.mean():.4f}", f"{small:.0%}", f"{worst:.0%}"


def _deciding(model: str, found: DictionaryComparison) -> tuple[str, ...]:
    frames = [each for each in found.parts if _is_frame(each.part)]
    inner = sorted((each for each in found.parts if not _is_frame(each.part)), key=lambda each: -each.share.estimate)
    lost = [[each.lost for each in found.examples if _is_frame(each.part) == asked] for asked in (True, False)]
    return (
        model,
        share(frames[-1].share),
        ", ".join(_part(each) for each in inner[:N_DECIDING]),
        *(written(max(each), 2) if each else "–" for each in lost),
    )


def _is_frame(part: str) -> bool:
    return part.startswith("slot")


def _part(found: PartShare) -> str:
    return f"{found.part} {share(found.share)}"


def _layers(found: DictionaryComparison) -> list[int]:
    return sorted({each.layer for each in found.linear})


def _linear(model: str, found: DictionaryComparison, layer: int) -> tuple[str, ...]:
    costs = [each for each in found.linear if each.layer == layer and each.features]
    most: LinearCost = max(costs, key=lambda each: each.features[0].difference.estimate)
    feature = most.features[0]
    chance = [max(each) for each in zip(*(each.by_chance for each in costs), strict=True)]
    return (
        model,
        str(layer),
        written(most.fvu, 3),
        interval(most.excess, digits=3),
        f"{feature.feature} of {most.name.removeprefix(UNTRAINED)}, `{most.site}`",
        *(interval(each, digits=3) for each in (feature.on, feature.off)),
        written(feature.difference.estimate, 3),
        f"{written(median(chance), 3)}, {written(max(chance), 3)}",
        _there(most),
    )


def _there(most: LinearCost) -> str:
    """Return how many rows the most different feature is on in, and how much of a cost that is surely one they bear.

    The mean over all rows is that of both means, so it tells how many rows either rests on.
    """
    whole, on, off = (each.estimate for each in (most.excess, most.features[0].on, most.features[0].off))
    rows = (whole - off) / (on - off)
    return f"{rows:.1%}, {f'{rows * on / whole:.0%}' if most.excess.low > 0 else '–'}"
