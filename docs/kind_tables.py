"""Cards of all kinds of dictionary become tables: of one model, of all models, and of who passes the gate."""

from collections.abc import Iterator

from dictionary_families import (
    SITES,
    Family,
    Numbers,
    beside_chance,
    earned,
    families,
    short_interval,
    written_interval,
)
from tables import table, written


def of_one_model(numbers: dict, wanted: str) -> str:
    """Return how one model's dictionaries write the rows of a site, learnt ones and unseen ones."""
    knows_items = any("items" in card for card in numbers["dictionaries"] if card["site"] == wanted)
    head = ("dictionary", "width", "L0", "FVU, all rows", "FVU, unseen rows", "dead", "coherence", "loss recovered")
    items = ("recovery of items (chance)",) if knows_items else ()

    def rows() -> Iterator[list[str]]:
        for family in families({"": numbers}):
            if family.site == wanted:
                own = [beside_chance(family.first["items"])] if knows_items else []
                yield [family.name, *_writing(family.first), *own, str(len(family.first["warnings"]))]

    return table((*head, *items, "warnings"), rows())


def cards(found: Numbers, wanted: str) -> str:
    """Return what becomes of all models where rows of a site are reconstructed."""
    head = (
        "model",
        "dictionary",
        "L0",
        "FVU, unseen frames",
        "loss recovered",
        "accuracy lost",
        "logit difference",
        "greedy return",
        "change of drawn return",
        "seeds (chance)",
        "dead",
        "passes",
    )
    rows = ([each.model, each.name, *_effects(each)] for each in families(found) if each.site == wanted)
    return table(head, rows, n_words=2)


def gate(found: Numbers) -> str:
    """Return which dictionaries pass, a column for each model."""
    by_dictionary: dict[tuple[str, str], dict[str, str]] = {}
    for each in families(found):
        by_dictionary.setdefault((each.site, each.name), {})[each.model] = each.passing
    ordered = sorted(by_dictionary.items(), key=lambda item: list(SITES).index(item[0][0]))
    rows = ([SITES[site], name, *(passing.get(model, "") for model in found)] for (site, name), passing in ordered)
    return table(["site", "dictionary", *found], rows, n_words=2)


def _writing(card: dict) -> list[str]:
    recovered = card["loss_recovered"]
    return [
        str(card["width"]),
        f"{card['l0']['estimate']:.1f}",
        written_interval(card["fvu"]),
        written_interval(card["fvu_unseen"]),
        f"{card['dead']:.0%}",
        written(card["coherence"], 2),
        "" if recovered is None else written(recovered["estimate"], 3),
    ]


def _effects(family: Family) -> list[str]:
    """Return the first seed's numbers, and how many seeds pass."""
    card = family.first
    there = card["decisions"]["everywhere"]
    clean, spliced = card["accuracy"]
    return [
        f"{card['l0']['estimate']:.1f}",
        written_interval(card["fvu_unseen_frame"]),
        written_interval(card["loss_recovered"]),
        written(clean - spliced, 3),
        " → ".join(f"{there[arm]['logit_difference']['estimate']:.2f}" for arm in ("clean", "spliced")),
        earned(card["exact"]),
        short_interval(card["sampled"]["change"]),
        beside_chance(card["consistency"]),
        f"{card['dead']:.0%}",
        family.passing,
    ]
