"""Rows of benchmarks/results/dictionary_cards.json become families, whose members differ in their seed, and cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tables import interval

from dtinterp.foundation.statistics import Interval

SITES = {"hook_obs_embed": "embedding", "blocks.1.hook_resid_pre": "layer 1"}
Numbers = Mapping[str, dict]
"""What was measured of each model."""


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
        """How many pass the gate, such as `2 of 3`; of one alone, its verdict."""
        verdicts = [card["verdict"].partition(":")[0] for card in self.cards]
        if len(verdicts) == 1 or set(verdicts) == {"not judged"}:
            return verdicts[0]
        return f"{verdicts.count('passes')} of {len(verdicts)}"


def families(found: Numbers) -> Iterator[Family]:
    """Yield the families of each model in turn."""
    for model, numbers in found.items():
        cards: dict[tuple[str, str], list[dict]] = {}
        for card in numbers["dictionaries"]:
            cards.setdefault((card["site"], card["dictionary"].partition("-m")[0]), []).append(card)
        yield from (Family(model, site, name, tuple(each)) for (site, name), each in cards.items())


def written_interval(found: dict | None, *, digits: int = 3) -> str:
    """Write `0.950 [0.940, 0.960]`; nothing where there is no interval."""
    return "" if found is None else interval(Interval(**found), digits=digits)


def beside_chance(found: dict | None) -> str:
    """Write `0.53 (0.14)`: a matched cosine, and in brackets that of random directions."""
    return "" if found is None else f"{found['matched']['estimate']:.2f} ({found['chance']['estimate']:.2f})"


def earned(exact: dict) -> str:
    """Write `0.874 of 0.892`: the exact return, and that of the model intact."""
    return " of ".join(f"{exact[arm]['expected_return']:.3f}" for arm in ("spliced", "clean"))


short_interval = partial(written_interval, digits=2)
