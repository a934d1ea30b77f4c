"""Rows become a dictionary, by learning it or by writing them in given directions."""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.baselines import directed
from dtinterp.dictionary.config import UNWATCHED, FitConfig, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Items
from dtinterp.dictionary.rows.table import RowSource, normalise, rows_at
from dtinterp.dictionary.stack import fit_stack
from dtinterp.foundation.errors import UserError


def fit(
    rows: RowSource,
    config: FitConfig,
    *,
    generator: torch.Generator,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
    watch: Watch = UNWATCHED,
) -> Dictionary:
    """Return the dictionary that `config` asks for: a stack of one, see `fit_stack`."""
    return fit_stack(rows, (config,), generator=generator, site=site, weights=weights, watch=watch)[0]


def of_directions(
    directions: Float32[Tensor, "feature d_model"],
    rows: RowSource,
    config: FitConfig,
    *,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
) -> Dictionary:
    """Return the dictionary of given directions, such as the item basis, which writes `rows` about their mean.

    `config.kind` is `Items`. Raises `UserError` where directions and rows differ in length, on a harvest of another
    site, and where rows or weights are impossible.
    """
    table, own_site = rows_at(rows, site)
    if not isinstance(config.kind, Items):
        raise UserError(f"The kind is {type(config.kind).__name__}, expected Items: `fit` finds the others.")
    if directions.shape[1] != table.shape[1]:
        raise UserError(
            f"The directions have length {directions.shape[1]}, the rows {table.shape[1]}: give both from one site."
        )
    batch, scale = normalise(table, weights)
    parts = directed(batch, directions.detach())
    return Dictionary(**parts, kind=config.kind, scale=scale, site=own_site, name=config.title, of_untrained=False)
