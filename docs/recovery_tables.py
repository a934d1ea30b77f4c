"""What dictionaries of the embedding recover of the items becomes two tables."""

from dictionary_families import Numbers, beside_chance, families, written_interval
from tables import table, written


def matched(found: Numbers) -> str:
    """Return the matched cosine of each dictionary beside chance, a column for each model."""
    by_name: dict[str, dict[str, str]] = {}
    for each in families(found):
        if "items" in each.first:
            by_name.setdefault(each.name, {})[each.model] = beside_chance(each.first["items"])
    rows = ([name, *(cells.get(model, "") for model in found)] for name, cells in by_name.items())
    return table(["dictionary", *found], rows)


def recovery(found: Numbers) -> str:
    """Return all that is known of what each dictionary recovers."""
    head = ("model", "items, rank", "dictionary", "matched cosine", "chance", "precision", "recall", "F1", "uniqueness")

    rows = (
        [each.model, _found(each.first["items"]), each.name, *_cells(each.first["items"])]
        for each in families(found)
        if "items" in each.first
    )
    return table(head, rows, n_words=3)


def _found(items: dict) -> str:
    return f"{items['n_identifiable']}, {items['rank']}"


def _cells(items: dict) -> list[str]:
    cosines = (written_interval(items[name]) for name in ("matched", "chance"))
    shares = (written(items[name], 3) for name in ("precision", "recall", "f1"))
    return [*cosines, *shares, written(items["uniqueness"], 2)]
