"""The feature table: what is known of each feature of one dictionary."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from environments.families.registry import FACT_VALUES


@dataclass(frozen=True)
class TopFrames:
    """The distinct frames on which each feature is most active, each with a row that shows it.

    Where a feature is active on fewer frames, frame, row and step are -1 and the value is 0.
    """

    frame: Int64[Tensor, "feature top"]
    """row of the frame table, most active first"""
    value: Float32[Tensor, "feature top"]
    """the largest activation on that frame, in any context"""
    row: Int64[Tensor, "feature top"]
    """the first row with that activation"""
    step: Int64[Tensor, "feature top"]
    """that row's flat step in the trajectories, which leads to its facts"""


@dataclass(frozen=True)
class ItemMaps:
    """How each feature goes with each item of the view; `on_view` lays them out for drawing."""

    seen: Float32[Tensor, "feature item"]
    """`sum_r z_r i_r / sum_r z_r - mean_r i_r`, with z_r the positive part of the activation in row r and i_r whether
    its frame shows the item: how much more often it is in view where the feature is active than in all rows, weighted
    by activation; from -1 to 1, 0 for a dead feature"""
    written: Float32[Tensor, "feature item"] | None
    """`d . (w_item - sum_j p_j w_j)`: how far the item, in place of its cell's average, moves the observation embedding
    along the unit decoder direction d, in units of the embedding. w are rows of W_obs; j runs over the items of the
    same cell and channel, of which a frame shows exactly one, and p_j is the share of rows that show it. Hence the
    gauge does not matter: one vector added to all w of a cell and channel changes nothing here. None without W_obs"""


@dataclass(frozen=True)
class FactValue:
    """A fact having a value: what a feature may stand for."""

    fact: str
    value: int

    @property
    def label(self) -> str:
        """Words for it, such as `instruction = key`. Raises `UserError` for a number that the fact does not have."""
        names = FACT_VALUES.get(self.fact)
        if names is None:
            return f"{self.fact} = {self.value}"
        if not 0 <= self.value < len(names):
            raise UserError(
                f"the fact {self.fact!r} is {self.value} somewhere in the demonstrations, expected 0 to "
                f"{len(names) - 1} ({', '.join(names)}): collect them again with this version."
            )
        return f"{self.fact} = {names[self.value]}"

    @property
    def plain_words(self) -> str:
        """The same without underscores, such as `correct turn = left`."""
        return self.label.replace("_", " ")


@dataclass(frozen=True)
class Alignment:
    """How well each feature's activity tells each fact value, over rows.

    The best of many fact values is flattered by the choice: hold it against `control`, and judge it on other rows.
    """

    fact_values: tuple[FactValue, ...]
    """those that hold in some rows and not in all"""
    correlation: Float32[Tensor, "feature fact_value"]
    """point-biserial (Pearson's with a 0/1 variable) of the activation; 0 where the activation never changes"""
    auroc: Float32[Tensor, "feature fact_value"]
    """chance that the activation is larger in a row where it holds than in one where it doesn't, ties counting half
    (Mann & Whitney 1947); 0.5 is no relation"""
    n_both: Int64[Tensor, "feature fact_value"]
    """rows where the feature is active and the fact value holds"""
    n_active: Int64[Tensor, " feature"]
    """rows where the feature is active"""
    n_true: Int64[Tensor, " fact_value"]
    """rows where the fact value holds"""
    n_rows: int
    control: Float32[Tensor, " feature"]
    """largest absolute correlation with any fact value when each row gets the facts of the row half the table away"""

    def __post_init__(self) -> None:
        """Refuse columns for other fact values."""
        require_equally_many(**{"fact values": len(self.fact_values), "columns": self.correlation.shape[1]})

    @property
    def precision(self) -> Float32[Tensor, "feature fact_value"]:
        """Share of the rows with the feature active where the fact value holds; NaN for a dead feature."""
        return (self.n_both / self.n_active[:, None]).float()

    @property
    def recall(self) -> Float32[Tensor, "feature fact_value"]:
        """Share of the rows where the fact value holds that have the feature active."""
        return (self.n_both / self.n_true).float()

    @property
    def base_rate(self) -> Float32[Tensor, " fact_value"]:
        """Share of all rows where the fact value holds: the precision of a feature that knows nothing."""
        return (self.n_true / self.n_rows).float()

    @property
    def best(self) -> Int64[Tensor, " feature"]:
        """Place in `fact_values` of the one with the largest absolute correlation."""
        return self.correlation.abs().argmax(dim=1)


@dataclass(frozen=True)
class FeatureTable:
    """What is known of each feature of one dictionary at one site."""

    density: Float32[Tensor, " feature"]
    """share of rows in which it is active"""
    mean_value: Float32[Tensor, " feature"]
    """mean activation over the rows in which it is active; 0 for a dead feature"""
    top: TopFrames
    maps: ItemMaps
    alignment: Alignment
    site: str
    name: str
    """the dictionary's"""

    def __post_init__(self) -> None:
        """Refuse parts about other features."""
        parts = {"densities": self.density, "top frames": self.top.frame, "maps": self.maps.seen}
        require_equally_many(
            **{name: len(part) for name, part in parts.items()}, correlations=len(self.alignment.correlation)
        )

    @property
    def n_features(self) -> int:
        """How many features it describes."""
        return len(self.density)

    def telling(self, n: int) -> Int64[Tensor, " chosen"]:
        """Return the `n` features whose best correlation with a fact exceeds their own control most, no dead ones."""
        excess = self.alignment.correlation.abs().amax(dim=1) - self.alignment.control
        order = excess.argsort(descending=True, stable=True)
        return order[self.density[order] > 0][:n]


FEATURES = ArtefactKind(
    "features",
    FeatureTable,
    places={"alignment": "config"},
    tensors={"": "table.", "top": "top.", "maps": "maps.", "alignment": "alignment."},
    beside=lambda table: Beside(metrics={"n_features": table.n_features, "n_dead": int((table.density == 0).sum())}),
)
