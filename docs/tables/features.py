"""Features of the dictionaries that ship: labels, what they tell of the truth, and dictionaries side by side."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pandas as pd

from dtinterp.features.belief_geometry import BELIEFS, BeliefGeometry
from dtinterp.features.labels.table import LABELS, VERDICTS, LabelSummary, summary_of
from dtinterp.features.truth.assessment import TRUTH, DetectionSummary
from dtinterp.features.truth.assessment import summary_of as summary_of_truth
from dtinterp.foundation.artefacts.codec import load
from dtinterp.interventions.replacements.dictionary_comparison import (
    FEATURE_COMPARISON,
    DictionaryComparison,
    LinearCost,
    PartShare,
)
from tables.cells import interval, share, written
from tables.shelf import COMPARISONS, MODELS, OURS, SITES, STUDIES, of_dictionaries

SHOWN = "topk-128-k8"
"""The dictionary that ships with labels for every model, and whose errors are shown."""
UNTRAINED = "untrained "
"""How the names of dictionaries of an untrained model begin."""
SMALL = 1e-4
WORST = 100
"""One token in so many counts among the worst."""
N_DECIDING = 4
TIMES = (1, 2, 4, 6, 8, 9, 10, 12)
"""Moves after which beliefs are shown."""


def labels() -> pd.DataFrame:
    """How many features of each dictionary have a good label on frames that the search never saw.

    Shares of the judged features with Wilson's 95% intervals. *Shuffled*: each input has the firings of another.
    *Untrained*: a dictionary of the same kind, width and training, fitted to a model of the same shape and
    initialisation that never saw a window. Each line is one command, such as `dtinterp label --model
    checkpoints/models/memory-dt --dictionary
    checkpoints/studies/memory-dt/dictionaries/hook_obs_embed/topk-128-k8`.
    """
    return pd.DataFrame(_labelled(*each) for each in of_dictionaries("labels"))


def labels_beside_untrained() -> pd.DataFrame:
    """Of the topk-128-k8 that ships with each model, shares of its 128 features by verdict.

    In brackets those of the dictionary of the untrained twin. *Good* is F1 ≥ 0.8 on frames that the search never
    saw, and halfway from saying "always" to 1; the median F1 is of features that fire often enough to be judged.
    """
    return pd.DataFrame(_verdicts())


def truth() -> pd.DataFrame:
    """Items and facts that some feature tells, on frames that the choice of the feature never saw.

    *Told* means F1 ≥ 0.8; F1 is the mean over items, or over values of facts, of the feature that tells each best.
    Effective dimensions are participation ratios, (Σe)²/Σe²: of the variances along principal axes before, of the
    energies Σ z_f² |d_f|² of features after; *per row*, of the squares of a row's own coordinates and features,
    averaged over rows.
    """
    return pd.DataFrame(_truths(*each) for each in of_dictionaries("truth"))


def token_errors() -> pd.DataFrame:
    """Squared error of single tokens over the mean squared distance to the mean row, of TopK with 128 features."""
    return pd.DataFrame(row for name, each in _comparisons() for row in _errors(name, each))


def deciding_parts() -> pd.DataFrame:
    """Share of the windows in which the model's action flips when a part is taken from another window.

    *Most lost*: the probability that the right action loses in the first of the windows that are found (–: none of
    the six by a frame).
    """
    return pd.DataFrame(_deciding(name, each) for name, each in _comparisons())


def linear_maps() -> pd.DataFrame:
    """What a linear map in the place of an MLP costs, at observation tokens alone.

    Loss with the map less that with the MLP, in nats per action, with 95% bootstraps over episodes: over all rows,
    and where the feature is on and off for which it differs most, the best of up to 1,616 of ten dictionaries. *By
    chance* is the largest difference of any of them when each row has the excess of another (40 shifts along the
    rows).
    """
    return pd.DataFrame(_linear(name, each, layer) for name, each in _comparisons() for layer in _layers(each))


def belief_geometry() -> pd.DataFrame:
    """Share read, off the newest observation token, of what its frame leaves open of an ideal observer's belief.

    R² of ridge regression at frames that no fit saw, with 95% bootstrap intervals over frames; 0 is what the frame
    alone tells. *Untrained*: the same in a model of the same shape that never learnt. *Exchanged*: the largest R² of
    beliefs that were dealt out anew, in any fact. The model is asked for 0.892 in windows of up to 12 random moves.
    """
    return pd.DataFrame(
        {"model": model, "site": f"`{site}`", **_read(found, place)}
        for model, found in _geometries().items()
        for place, site in enumerate(found.sites)
        if not (site.endswith("resid_pre") and place > 1)  # what the block before wrote
    )


def belief_over_time() -> pd.DataFrame:
    """The same at the site where each fact is read best, by the number of moves since the start.

    Windows hold ten frames: from 10 moves on the first one has left them.
    """
    return pd.DataFrame(
        {
            "model": model,
            "belief of": fact.replace("_", " "),
            "site": f"`{found.sites[(best := int(found.trained.r2[:, column].argmax()))]}`",
            **{str(time): written(float(found.trained.by_time[best, column, time]), 2) for time in TIMES},
        }
        for model, found in _geometries().items()
        for column, fact in enumerate(found.config.facts)
        if found.open_share[column] > 0
    )


def _geometries() -> dict[str, BeliefGeometry]:
    return {name: load(STUDIES / name / "beliefs", BELIEFS) for name in OURS if (STUDIES / name / "beliefs").exists()}


def _read(found: BeliefGeometry, place: int) -> dict[str, str]:
    columns = [column for column in range(len(found.config.facts)) if found.open_share[column] > 0]
    r2, low, high = (each[place].tolist() for each in (found.trained.r2, found.trained.low, found.trained.high))
    cells: dict[str, str] = {}
    for column in columns:
        name = found.config.facts[column].replace("_", " ")
        cells[name] = f"{written(r2[column], 2)} [{written(low[column], 2)}, {written(high[column], 2)}]"
        cells[f"{name}, untrained"] = written(float(found.untrained.r2[place, column]), 2)
    return cells | {"exchanged": written(float(found.shuffled.r2[place, columns].max()), 2)}


def _labelled(model: str, site: str, path: Path) -> dict[str, str]:
    study = load(path, LABELS)
    found: LabelSummary = summary_of(study.labels)
    heads = ("good, of judged", "shuffled", "untrained")
    shares = (found.share, found.shuffled_share, study.untrained.share)
    return {
        "model, site": f"{model}, `{site}`",
        "dictionary": path.name,
        **{verdict: str(number) for verdict, number in found.n_features.items()},
        **{head: share(each) for head, each in zip(heads, shares, strict=True)},
    }


def _verdicts() -> Iterator[dict[str, str]]:
    for study in (*sorted(STUDIES.iterdir()), COMPARISONS / "published"):
        for site, title in SITES.items():
            folder = study / "labels" / site / SHOWN
            if folder.exists():
                found = load(folder, LABELS)
                own, control = summary_of(found.labels), found.untrained
                yield {
                    "model": study.name,
                    "site": title,
                    **{each: f"{_share(own, each):.0%} ({_share(control, each):.0%})" for each in VERDICTS},
                    "median F1": f"{own.median_f1:.2f} ({control.median_f1:.2f})",
                    "good, features shuffled": f"{_shuffled(own)} ({_shuffled(control)})",
                }


def _share(found: LabelSummary, verdict: str) -> float:
    return found.n_features[verdict] / sum(found.n_features.values())


def _shuffled(found: LabelSummary) -> str:
    return f"{found.shuffled_share.estimate:.0%}"


def _truths(model: str, site: str, path: Path) -> dict[str, str]:
    study = load(path, TRUTH)
    own, control = summary_of_truth(study.report), study.untrained
    assert control is not None, f"{path} was made before there was a control"
    size = own.dimension
    return {
        "model, site": f"{model}, `{site}`",
        "dictionary": path.name,
        **_told("items", own.items, control.items),
        **_told("facts", own.facts, control.facts),
        "effective dimension: coordinates, features": f"{size.coordinates:.1f}, {size.features:.1f}",
        "per row": f"{size.coordinates_per_row:.1f}, {size.features_per_row:.1f}",
    }


def _told(side: str, own: DetectionSummary, control: DetectionSummary) -> dict[str, str]:
    return {
        f"{side} told (untrained)": f"{own.coverage:.0%} of {own.n} ({control.coverage:.0%})",
        f"F1 of {side} (shuffled, untrained)": f"{own.mean_f1:.2f} ({own.mean_f1_shuffled:.2f}, {control.mean_f1:.2f})",
    }


@cache
def _comparisons() -> list[tuple[str, DictionaryComparison]]:
    found = []
    for model, study in MODELS.items():
        for folder in sorted(study.glob("comparison*")):
            comparison = load(folder, FEATURE_COMPARISON)
            is_untrained = all(name.startswith(UNTRAINED) for name in comparison.name)
            found.append((f"`{model}`{', untrained' * is_untrained}", comparison))
    return found


def _errors(model: str, found: DictionaryComparison) -> Iterator[dict[str, str]]:
    for place, (name, site) in enumerate(zip(found.name, found.site, strict=True)):
        if name.removeprefix(UNTRAINED) == SHOWN:
            error = found.errors(place).error.double().sort(descending=True).values
            worst = error[: max(1, len(error) // WORST)].sum() / error.sum()
            yield {
                "model": model,
                "site": f"`{site}`",
                "median": f"{error.median():.1e}",
                "mean (FVU)": f"{error.mean():.4f}",
                f"below {SMALL:g}": f"{(error < SMALL).double().mean():.0%}",
                "of the sum, the worst 1% of tokens": f"{worst:.0%}",
            }


def _deciding(model: str, found: DictionaryComparison) -> dict[str, str]:
    frames = [each for each in found.parts if _is_frame(each.part)]
    inner = sorted((each for each in found.parts if not _is_frame(each.part)), key=lambda each: -each.share.estimate)
    by_frame, by_part = (
        [each.lost for each in found.examples if _is_frame(each.part) == asked] for asked in (True, False)
    )
    return {
        "model": model,
        "frame in the last slot": share(frames[-1].share),
        "heads and MLPs that flip most": ", ".join(_part(each) for each in inner[:N_DECIDING]),
        "most lost: by a frame": written(max(by_frame), 2) if by_frame else "–",
        "by a head or MLP": written(max(by_part), 2) if by_part else "–",
    }


def _is_frame(part: str) -> bool:
    return part.startswith("slot")


def _part(found: PartShare) -> str:
    return f"{found.part} {share(found.share)}"


def _layers(found: DictionaryComparison) -> list[int]:
    return sorted({each.layer for each in found.linear})


def _linear(model: str, found: DictionaryComparison, layer: int) -> dict[str, str]:
    costs = [each for each in found.linear if each.layer == layer and each.features]
    most: LinearCost = max(costs, key=lambda each: each.features[0].difference.estimate)
    feature = most.features[0]
    chance = [max(each) for each in zip(*(each.by_chance for each in costs), strict=True)]
    return {
        "model": model,
        "MLP": str(layer),
        "FVU of the map": written(most.fvu, 3),
        "over all rows": interval(most.excess, digits=3),
        "most different feature": f"{feature.feature} of {most.name.removeprefix(UNTRAINED)}, `{most.site}`",
        "on": interval(feature.on, digits=3),
        "off": interval(feature.off, digits=3),
        "difference": written(feature.difference.estimate, 3),
        "by chance: median, most": f"{written(median(chance), 3)}, {written(max(chance), 3)}",
        "rows where it is on, and their part of the cost": _there(most),
    }


def _there(most: LinearCost) -> str:
    """Return how many rows the most different feature is on in, and how much of a cost that is surely one they bear.

    The mean over all rows is that of both means, so it tells how many rows either rests on.
    """
    whole, on, off = (each.estimate for each in (most.excess, most.features[0].on, most.features[0].off))
    rows = (whole - off) / (on - off)
    return f"{rows:.1%}, {f'{rows * on / whole:.0%}' if most.excess.low > 0 else '–'}"
