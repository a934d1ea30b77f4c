"""What benchmarks/dictionary_cards.py measured, and cards that ship, become the tables of docs/dictionaries.md.

python docs/dictionaries.py
"""

import json
from collections.abc import Iterator
from pathlib import Path

from card_tables import whole_cards
from markers import with_table
from tables import interval, table, written

from dtinterp.dictionary.verdict import Gate
from dtinterp.foundation.statistics import Interval

ROOT = Path(__file__).parents[1]
CHECKPOINTS = ROOT / "checkpoints"
PAGE = ROOT / "docs" / "dictionaries.md"
RESULTS = ROOT / "benchmarks" / "results" / "dictionary_cards.json"
SITES = {"hook_obs_embed": "embedding", "blocks.1.hook_resid_pre": "layer 1"}
BEHIND = "blocks.1.hook_resid_post"
FACTS = ("instruction", "top_target", "correct_turn", "direction", "x", "carrying", "instruction_visible")
"""Facts whose probes are shown; the others are in the file."""


def page() -> str:
    """Return docs/dictionaries.md with all tables."""
    found: dict[str, dict] = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    tables = {"gate": _gate(found), "maps": _maps(found), "told": _truths(found), "probes": _probes(found)}
    tables |= {f"cards at the {title}": _cards(found, site) for site, title in SITES.items()}
    tables["whole cards"] = whole_cards(CHECKPOINTS)
    for name, each in tables.items():
        text = with_table(text, name, "dictionaries.py", each)
    return text


def _gate(found: dict[str, dict]) -> str:
    names = list(dict.fromkeys(name for numbers in found.values() for _, name, _ in _families(numbers)))
    columns = [(site, name) for site in SITES for name in names]

    def rows() -> Iterator[list[str]]:
        for model, numbers in found.items():
            passing = {(site, name): _passing(rows) for site, name, rows in _families(numbers)}
            yield [model, *(passing.get(column, "") for column in columns)]

    return table(["model", *(f"{SITES[site]}, {name}" for site, name in columns)], rows())


def _cards(found: dict[str, dict], wanted: str) -> str:
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
    rows = (
        [model, name, *_family(rows)]
        for model, numbers in found.items()
        for site, name, rows in _families(numbers)
        if site == wanted
    )
    return table(head, rows, n_words=2)


def _families(numbers: dict) -> Iterator[tuple[str, str, list[dict]]]:
    """Yield site, name and cards of dictionaries that differ in their seed alone."""
    families: dict[tuple[str, str], list[dict]] = {}
    for row in numbers["dictionaries"]:
        families.setdefault((row["site"], row["dictionary"].partition("-m")[0]), []).append(row)
    for (site, name), rows in families.items():
        yield site, name, rows


def _family(rows: list[dict]) -> list[str]:
    """Return the first seed's numbers, and how many seeds pass."""
    first = rows[0]
    there, alike = first["decisions"]["everywhere"], first["consistency"]
    clean, spliced = first["accuracy"]
    return [
        f"{first['l0']['estimate']:.1f}",
        _interval(first["fvu_unseen_frame"]),
        _interval(first["loss_recovered"]),
        written(clean - spliced, 3),
        " → ".join(f"{there[arm]['logit_difference']['estimate']:.2f}" for arm in ("clean", "spliced")),
        _earned(first["exact"]),
        _interval(first["sampled"]["change"], digits=2),
        "" if alike is None else f"{alike['matched']['estimate']:.2f} ({alike['chance']['estimate']:.2f})",
        f"{first['dead']:.0%}",
        _passing(rows),
    ]


def _passing(rows: list[dict]) -> str:
    verdicts = [_verdict(row) for row in rows]
    if all(verdict == "not judged" for verdict in verdicts):
        return "not judged"
    return f"{verdicts.count('passes')} of {len(rows)}"


def _verdict(row: dict) -> str:
    """Return `passes`, `fails` or `not judged`; cards that are older than the mark on unseen frames are held to it."""
    recorded = row["verdict"].partition(":")[0]
    frames = row["fvu_unseen_frame"]
    if frames is None:
        return "fails" if recorded == "fails" else "not judged"
    return "fails" if frames["high"] > Gate().max_fvu_frames else recorded


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
                    _interval(row["fvu_unseen"]),
                    _interval(effects["loss_recovered_from_mean"]),
                    f"{effects['spliced']['kl']['estimate']:.4f}",
                    _earned(row["acting"]["exact"]),
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


def _earned(exact: dict) -> str:
    return " of ".join(f"{exact[arm]['expected_return']:.3f}" for arm in ("spliced", "clean"))


def _interval(found: dict | None, *, digits: int = 3) -> str:
    return "" if found is None else interval(Interval(**found), digits=digits)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
