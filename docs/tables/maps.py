"""What stands in the place of an MLP, and what linear probes read, as benchmarks/dictionary_cards.py measured them."""

import pandas as pd

from tables.cells import interval
from tables.dictionaries import earned, numbers_of_cards
from tables.shelf import SITES

BEHIND = {"blocks.1.hook_resid_post": "behind layer 1"}
FACTS = ("instruction", "top_target", "correct_turn", "direction", "x", "carrying", "instruction_visible")
"""Facts whose probes are shown; the others are in the file."""


def maps() -> pd.DataFrame:
    """Linear maps and transcoders in the place of each MLP, at all tokens.

    `dtinterp fit-transcoder --n-features 128 --n-steps 500 --n-windows 1024 --n-held-out-windows 1024`: FVU of the
    outputs on inputs that the fit never saw, loss recovered against the mean output (empty where that costs
    nothing), exact return. Intervals are bootstraps over 653 to 666 episodes.
    """
    return pd.DataFrame(
        {
            "model": model,
            "MLP": row["mlp"].split(".")[1],
            "in its place": row["map"],
            "FVU, unseen inputs": interval(row["fvu_unseen"], digits=3),
            "loss recovered": interval(row["effects"]["loss_recovered_from_mean"], digits=3),
            "KL": f"{row['effects']['spliced']['kl']['estimate']:.4f}",
            "greedy return": earned(row["acting"]["exact"]),
        }
        for model, numbers in numbers_of_cards().items()
        for row in sorted(numbers["mlps"], key=lambda row: (row["mlp"], "-" in row["map"], row["map"][0] == "s"))
    )


def probes() -> pd.DataFrame:
    """Accuracy of linear probes on distinct held-out rows that the probe never saw.

    `dtinterp probe --n-windows 128`; in brackets the better of saying the most frequent value and of a probe whose
    labels were dealt out anew.
    """
    return pd.DataFrame(
        {
            "model": model,
            "site": title,
            **{fact.replace("_", " "): _accuracy(numbers["probes"][site][fact]) for fact in FACTS},
        }
        for model, numbers in numbers_of_cards().items()
        for site, title in (SITES | BEHIND).items()
    )


def _accuracy(probe: dict) -> str:
    chance = max(probe[name]["estimate"] for name in ("majority", "shuffled"))
    return f"{probe['accuracy']['estimate']:.2f} ({chance:.2f})"
