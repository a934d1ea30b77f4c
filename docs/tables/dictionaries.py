"""Dictionaries of all kinds in eight models, as benchmarks/dictionary_cards.py measured them, and those that ship."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from dtinterp.dictionary.evaluation.score import DictionaryScore, verdict_of
from dtinterp.dictionary.storage import load_score
from tables.cells import interval, side_by_side, written
from tables.shelf import COMPARISONS, LARGEST, SITES, STUDIES, measured

EMBEDDING, LAYER = SITES
SPOKEN = {
    "TopK": "TopK",
    "FrozenDecoder": "TopK, decoder frozen at random",
    "FrozenEncoder": "TopK, encoder frozen at random",
    "Pca": "principal components",
    "SemiNmf": "semi-NMF",
    "Random": "random directions, pursued",
    "Items": "item basis, pursued",
    "KMeans": "128 clusters",
}
"""Kinds that are compared by their active components."""
MEASURES = ("l0", "l1", "fvu", "explained_variance", "cosine", "shrinkage", "relative_bias", "mse")
ARMS = ("clean", "spliced", "mean", "zero")


@dataclass(frozen=True)
class Family:
    """Cards of dictionaries that differ in their seed alone."""

    model: str
    site: str
    name: str
    cards: tuple[dict, ...]

    @property
    def first(self) -> dict:
        """The card of the first seed."""
        return self.cards[0]

    @property
    def passing(self) -> str:
        """How many are accepted, such as `2 of 3`; of one alone, its verdict."""
        verdicts = [card["verdict"].partition(":")[0] for card in self.cards]
        if len(verdicts) == 1 or set(verdicts) == {"not judged"}:
            return verdicts[0]
        return f"{verdicts.count('passes')} of {len(verdicts)}"


def families(found: dict[str, dict]) -> Iterator[Family]:
    """Yield the families of each model in turn."""
    for model, numbers in found.items():
        cards: dict[tuple[str, str], list[dict]] = {}
        for card in numbers["dictionaries"]:
            cards.setdefault((card["site"], card["dictionary"].partition("-m")[0]), []).append(card)
        yield from (Family(model, site, name, tuple(each)) for (site, name), each in cards.items())


def errors_by_active_components() -> pd.DataFrame:
    """FVU on frames that training never shows, by active components: of held-out episodes / of the whole world.

    At the observation embedding, fitted to every training frame alike; autoencoders and random directions have 128
    features.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for model, numbers in measured("dictionary_sparsity").items():
        for each in numbers.get("dictionaries", []):
            name, _, active = each["dictionary"].rpartition("-")
            head = active.lstrip("k") if name != "kmeans" else "1"
            rows.setdefault((model, SPOKEN[each["kind"]]), {})[head] = _both(each)
    heads = sorted({head for row in rows.values() for head in row}, key=int)
    return pd.DataFrame(
        {"model": model, "dictionary": kind, **{head: row.get(head, "") for head in heads}}
        for (model, kind), row in rows.items()
    )


def errors_by_recipe() -> pd.DataFrame:
    """FVU of `topk-128-k8` on frames that training never shows, by the rows that it is fitted to, with 95% intervals.

    Each unseen frame counts once, and intervals are over frames.
    """
    return pd.DataFrame(
        {
            "model": model,
            "fitted to": f"{each['frames']} frames" + (f" of {each['windows']:,} windows" if each["windows"] else ""),
            "weights": each["weighting"],
            "of held-out episodes": interval(each["demonstrated"]["fvu"], digits=3),
            "of the world": interval(each["world"]["fvu"], digits=3),
        }
        for model, numbers in measured("dictionary_sparsity").items()
        for each in numbers.get("recipes", [])
    )


def kinds_at_the_embedding() -> pd.DataFrame:
    """All kinds at the observation embedding of memory-dt, fitted as was the default before.

    Fitted to 357 distinct frames (rank 88, effective rank 28), judged on 8,252 rows of 658 held-out episodes, of
    which 83 rows in 21 episodes show 43 frames that the fit never saw. FVU with its 95% interval; loss recovered
    against the mean row; of three seeds the first.
    """
    return _kinds(EMBEDDING)


def kinds_at_layer_1() -> pd.DataFrame:
    """The same at `blocks.1.hook_resid_pre`, where a distinct row is a distinct context.

    577 of the 658 held-out episodes hold contexts that the fit never saw.
    """
    return _kinds(LAYER)


def accepted() -> pd.DataFrame:
    """Of the dictionaries that differ in their seed alone, how many meet all acceptance criteria, by model."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for each in families(numbers_of_cards()):
        cells.setdefault((each.site, each.name), {})[each.model] = each.passing
    ordered = sorted(cells.items(), key=lambda item: list(SITES).index(item[0][0]))
    models = dict.fromkeys(numbers_of_cards(), "")
    return pd.DataFrame([{"site": SITES[site], "dictionary": name, **models, **row} for (site, name), row in ordered])


def effects_at_the_embedding() -> pd.DataFrame:
    """What reconstructions of the observation embedding cost each model, of the first seed.

    *Unseen frames* are frames that no row of the fit shows; *accuracy lost* is of the next action; *logit
    difference* is that of the two likeliest actions at decision points, untouched → reconstructed everywhere;
    *greedy return* is exact, of the intact model's; *change of drawn return* compares 256 episodes with
    drawn actions, paired, to the model intact; *seeds* is the mean cosine of matched features, beside the same for
    random directions.
    """
    return _effects(EMBEDDING)


def effects_at_layer_1() -> pd.DataFrame:
    """The same at `blocks.1.hook_resid_pre`."""
    return _effects(LAYER)


def report_cards() -> pd.DataFrame:
    """Whole report cards of the dictionaries that ship, on unseen frames where there are any."""
    studies = (*sorted(STUDIES.iterdir()), COMPARISONS / "published")
    return pd.DataFrame(
        {"model": study.name, "site": title, "dictionary": folder.name, **_card(score)}
        for study in studies
        for site, title in SITES.items()
        for folder in sorted((study / "dictionaries" / site).glob("*/"))
        if (score := load_score(folder)) is not None and score.held_out is not None
    )


def items_matched() -> pd.DataFrame:
    """Mean over identifiable items of the cosine in the best one-to-one matching; in brackets of random directions."""
    names = dict.fromkeys(each.name for each in families(numbers_of_cards()) if "items" in each.first)
    matched: dict[str, dict[str, str]] = {model: dict.fromkeys(names, "") for model in numbers_of_cards()}
    for each in families(numbers_of_cards()):
        if "items" in each.first:
            matched[each.model][each.name] = _beside_chance(each.first["items"])
    return side_by_side(matched, of="dictionary")


def items_recovered() -> pd.DataFrame:
    """What each dictionary recovers of the items: precision, recall and F1 at a cosine of 0.9, and uniqueness."""
    return pd.DataFrame(
        {
            "model": each.model,
            "items, rank": f"{items['n_identifiable']}, {items['rank']}",
            "dictionary": each.name,
            "matched cosine": interval(items["matched"], digits=3),
            "chance": interval(items["chance"], digits=3),
            **{name: written(items[name.lower()], 3) for name in ("precision", "recall", "F1")},
            "uniqueness": written(items["uniqueness"], 2),
        }
        for each in families(numbers_of_cards())
        if (items := each.first.get("items")) is not None
    )


def truths_told() -> pd.DataFrame:
    """Share of items and facts that some feature tells with F1 ≥ 0.8 on held-out frames, and the mean of the best F1.

    Beside each the same with shuffled truths, and of a dictionary of the same make in the model's untrained twin.
    """
    return pd.DataFrame(
        {
            "model": model,
            "site": SITES[row["site"]],
            "dictionary": row["dictionary"],
            **{head: cell for side in ("items", "facts") for head, cell in _told(side, row[side]).items()},
        }
        for model, numbers in numbers_of_cards().items()
        for row in numbers.get("truth", ())
    )


@cache
def numbers_of_cards() -> dict[str, dict]:
    """Return what was measured, model by model."""
    return measured("dictionary_cards")


def _both(found: Mapping) -> str:
    return " / ".join(written(found[name]["fvu"]["estimate"], 3) for name in ("demonstrated", "world"))


def _kinds(site: str) -> pd.DataFrame:
    def row(family: Family) -> dict[str, str]:
        card = family.first
        recovered = card["loss_recovered"]
        return {
            "dictionary": family.name,
            "width": str(card["width"]),
            "L0": f"{card['l0']['estimate']:.1f}",
            "FVU, all rows": interval(card["fvu"], digits=3),
            "FVU, unseen rows": interval(card["fvu_unseen"], digits=3),
            "dead": f"{card['dead']:.0%}",
            "coherence": written(card["coherence"], 2),
            "loss recovered": "" if recovered is None else written(recovered["estimate"], 3),
            **({"recovery of items (chance)": _beside_chance(card["items"])} if "items" in card else {}),
            "warnings": str(len(card["warnings"])),
        }

    return pd.DataFrame(row(each) for each in families({"": numbers_of_cards()[LARGEST]}) if each.site == site)


def _effects(site: str) -> pd.DataFrame:
    def row(family: Family) -> dict[str, str]:
        card = family.first
        differences = (card["decisions"]["everywhere"][arm]["logit_difference"] for arm in ("clean", "spliced"))
        return {
            "model": family.model,
            "dictionary": family.name,
            "L0": f"{card['l0']['estimate']:.1f}",
            "FVU, unseen frames": interval(card["fvu_unseen_frame"], digits=3),
            "loss recovered": interval(card["loss_recovered"], digits=3),
            "accuracy lost": written(card["accuracy"][0] - card["accuracy"][1], 3),
            "logit difference": " → ".join(f"{each['estimate']:.2f}" for each in differences),
            "greedy return": earned(card["exact"]),
            "change of drawn return": interval(card["sampled"]["change"]),
            "seeds (chance)": _beside_chance(card["consistency"]),
            "dead": f"{card['dead']:.0%}",
            "passes": family.passing,
        }

    return pd.DataFrame(row(each) for each in families(numbers_of_cards()) if each.site == site)


def _card(score: DictionaryScore) -> dict[str, str]:
    assert score.held_out is not None
    frames, fitted = score.held_out.unseen_frame, score.held_out.fitted
    of, card = ("unseen frames", frames) if frames is not None else ("all", score.held_out.everything)
    return {
        "rows": of,
        "width, distinct inputs, rank": f"{score.width}, {fitted.n_distinct}, {fitted.rank}",
        **{name.replace("_", " "): interval(getattr(card, name), digits=3) for name in MEASURES},
        "features by density": ", ".join(map(str, card.density)),
        "coherence": written(card.coherence, 2),
        "loss: clean, spliced, mean row, zeros": ", ".join(
            written(getattr(score, arm).loss.estimate, 3) for arm in ARMS
        ),
        "verdict": str(verdict_of(score)),
    }


def _told(side: str, found: dict) -> dict[str, str]:
    own, control = found["own"], found["untrained"]
    shuffled = f"(shuffled {own['mean_f1_shuffled']:.2f}, untrained {control['mean_f1']:.2f})"
    return {
        f"{side} told": f"{own['coverage']:.0%} of {own['n']} (untrained {control['coverage']:.0%})",
        f"F1 of {side}": f"{own['mean_f1']:.2f} {shuffled}",
    }


def _beside_chance(found: dict | None) -> str:
    """Write `0.53 (0.14)`: a matched cosine, and in brackets that of random directions."""
    return "" if found is None else f"{found['matched']['estimate']:.2f} ({found['chance']['estimate']:.2f})"


def earned(exact: dict) -> str:
    """Write `0.874 of 0.892`: the exact return, and that of the model intact."""
    return " of ".join(f"{exact[arm]['expected_return']:.3f}" for arm in ("spliced", "clean"))
