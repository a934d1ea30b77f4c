"""Variations of one configuration that a stack fits, and how alike its seeds are."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

from dtinterp.dictionary.config import FitConfig, check_stack
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.matching import Consistency, consistency
from dtinterp.dictionary.kinds import Kind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_each_at_least, require_sensible


@dataclass(frozen=True)
class Variations:
    """What the dictionaries of a stack differ in: every combination is fitted. Empty settings are not varied."""

    n_features: tuple[int, ...] = ()
    """widths"""
    k: tuple[int, ...] = ()
    """features that a row may use, of TopK, BatchTopK, Matryoshka, Items and Random"""
    coefficient: tuple[float, ...] = ()
    """prices, of L1, JumpReLU and Gated"""
    seeds: tuple[int, ...] = ()
    """first weights; two or more also tell how consistent dictionaries are from seed to seed"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_each_at_least(self, 1, "n_features", "k")
        require_each_at_least(self, 0, "coefficient", "seeds")
        require_sensible(self)


def varied(config: FitConfig, variations: Variations) -> list[FitConfig]:
    """Return a configuration for each combination, widths first, seeds last.

    Raises `UserError` for settings that the kind does not have, and for combinations that are impossible or twice the
    same.
    """
    kinds = [
        _with_setting(config.kind, {"k": k, "coefficient": coefficient})
        for k, coefficient in product(variations.k or (None,), variations.coefficient or (None,))
    ]
    found = [
        replace(config, width=width, kind=kind, member=member)
        for width, kind, member in product(
            variations.n_features or (config.width,), kinds, variations.seeds or (config.member,)
        )
    ]
    check_stack(found)
    return found


def consistencies(configs: Sequence[FitConfig], dictionaries: Sequence[Dictionary]) -> list[Consistency | None]:
    """Return how alike each dictionary is to those that differ from it in the seed alone; None where there is none."""
    families = [replace(config, member=0) for config in configs]
    by_family: dict[int, Consistency] = {}
    for first, family in enumerate(families):
        members = [dictionaries[place].W_dec for place, other in enumerate(families) if other == family]
        if families.index(family) == first and len(members) > 1:
            by_family[first] = consistency(members)
    return [by_family.get(families.index(family)) for family in families]


def _with_setting(kind: Kind, settings: dict[str, int | float | None]) -> Kind:
    given = {name: value for name, value in settings.items() if value is not None}
    unknown = sorted(given.keys() - {field.name for field in fields(kind)})
    if unknown:
        raise UserError(f"{type(kind).__name__} has no {unknown[0]}: vary what it has, or choose another kind.")
    return replace(kind, **given)
