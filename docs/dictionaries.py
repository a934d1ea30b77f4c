"""What benchmarks/dictionary_cards.py measured, and cards that ship, become the tables of docs/dictionaries.md.

python docs/dictionaries.py
"""

import json
from collections.abc import Iterator
from pathlib import Path

from card_tables import whole_cards
from dictionary_families import SITES, earned, written_interval
from kind_tables import cards, gate, of_one_model
from label_tables import labels
from markers import with_table
from recovery_tables import matched, recovery
from tables import table

ROOT = Path(__file__).parents[1]
CHECKPOINTS = ROOT / "checkpoints"
PAGE = ROOT / "docs" / "dictionaries.md"
RESULTS = ROOT / "benchmarks" / "results" / "dictionary_cards.json"
SHOWN = "memory-dt"
"""The model whose dictionaries of all kinds stand in a table of their own."""
BEHIND = "blocks.1.hook_resid_post"
FACTS = ("instruction", "top_target", "correct_turn", "direction", "x", "carrying", "instruction_visible")
"""Facts whose probes are shown; the others are in the file."""


def page() -> str:
    """Return docs/dictionaries.md with all tables."""
    found: dict[str, dict] = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    tables = {"gate": gate(found), "maps": _maps(found), "told": _truths(found), "probes": _probes(found)}
    tables |= {f"kinds at the {title}": of_one_model(found[SHOWN], site) for site, title in SITES.items()}
    tables |= {f"cards at the {title}": cards(found, site) for site, title in SITES.items()}
    tables |= {"recovery": recovery(found), "matched": matched(found), "labels": labels(CHECKPOINTS)}
    tables["whole cards"] = whole_cards(CHECKPOINTS)
    for name, each in tables.items():
        text = with_table(text, name, "dictionaries.py", each)
    return text


def _maps(found: dict[str, dict]) -> str:
    head = ("model", "MLP", "in its place", "FVU, unseen inputs", "loss recovered", "KL", "greedy return")

    def rows() -> Iterator[list[str]]:
        for model, numbers in found.items():
            for row in sorted(numbers["mlps"], key=lambda row: (row["mlp"], "-" in row["map"], row["map"][0] == "s")):
                effects = row["effects"]
                yield [
                    model,
                    row["mlp"].split(".")[1],
                    row["map"],
                    written_interval(row["fvu_unseen"]),
                    written_interval(effects["loss_recovered_from_mean"]),
                    f"{effects['spliced']['kl']['estimate']:.4f}",
                    earned(row["acting"]["exact"]),
                ]

    return table(head, rows(), n_words=3)


def _truths(found: dict[str, dict]) -> str:
    head = ("model", "site", "dictionary", "items told", "F1 of items", "facts told", "F1 of facts")

    def rows() -> Iterator[list[str]]:
        for model, numbers in found.items():
            for row in numbers.get("truth", ()):
                sides = [cell for side in ("items", "facts") for cell in _told(row[side])]
                yield [model, SITES[row["site"]], row["dictionary"], *sides]

    return table(head, rows(), n_words=3)


def _told(side: dict) -> list[str]:
    own, control = side["own"], side["untrained"]
    return [
        f"{own['coverage']:.0%} of {own['n']} (untrained {control['coverage']:.0%})",
        f"{own['mean_f1']:.2f} (shuffled {own['mean_f1_shuffled']:.2f}, untrained {control['mean_f1']:.2f})",
    ]


def _probes(found: dict[str, dict]) -> str:
    def rows() -> Iterator[list[str]]:
        for model, numbers in found.items():
            for site, title in (*SITES.items(), (BEHIND, "behind layer 1")):
                probes = numbers["probes"][site]
                yield [model, title, *(_accuracy(probes[fact]) for fact in FACTS)]

    return table(["model", "site", *(fact.replace("_", " ") for fact in FACTS)], rows(), n_words=2)


def _accuracy(probe: dict) -> str:
    chance = max(probe[name]["estimate"] for name in ("majority", "shuffled"))
    return f"{probe['accuracy']['estimate']:.2f} ({chance:.2f})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
