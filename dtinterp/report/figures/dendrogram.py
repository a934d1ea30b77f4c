"""The tree of the classes over all epsilon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float64, Int64
from scipy.cluster import hierarchy
from torch import Tensor

from dtinterp.equivalence.partition import Partition
from dtinterp.report.style import CONTROL, INK, MUTED, WRONG, class_colours, styled
from dtinterp.report.words import plural

TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)
FOOT = 0.05
"""Share of the height that is left free below the leaves and above the last join: plotly's axes swallow clicks."""
ABOVE, BROKEN = "above ε", "broken by a counterexample"
"""What a join is that does not stand inside one class."""


@dataclass(frozen=True)
class ClassTree:
    """Which observations join at which divergence, and their classes at one epsilon."""

    merges: Float64[np.ndarray, "merge 4"]
    """as scipy writes a linkage; heights in bits"""
    frame_id: Int64[Tensor, " frame"]
    partition: Partition
    """of the frames, at `epsilon`"""
    epsilon: float
    """bits"""
    certified: float
    """the epsilon whose classes were tried in fresh contexts, in bits"""


def dendrogram_figure(tree: ClassTree, *, chosen: int | None = None) -> go.Figure:
    """Draw the tree, joins and leaves of one class in its colour.

    The axis of divergences is stretched near 0 (by the square root), where most joins are; the tree's epsilon is a
    line, the certified one another where it differs, and the observation in row `chosen` is ringed. A join below
    epsilon whose observations are not of one class is one that a counterexample broke.
    """
    top = np.sqrt(max(float(tree.merges[:, 2].max()), tree.epsilon, tree.certified))
    leaves = hierarchy.leaves_list(tree.merges).tolist()
    colours = class_colours(tree.partition)
    figure = go.Figure()
    for kind, joins in _by_kind(joins_of(tree.merges, leaves), tree).items():
        _add_joins(figure, kind, joins, _colour(kind, colours))
    _add_leaves(figure, tree, leaves, chosen)
    _add_line(figure, tree.epsilon, f"ε = {tree.epsilon:g}: {plural(tree.partition.n_classes, 'class', 'classes')}")
    if tree.epsilon != tree.certified:
        _add_line(figure, tree.certified, f"certified: {tree.certified:g}", colour=MUTED)
    figure.update_yaxes(
        title_text="largest divergence inside, bits",
        tickvals=np.sqrt(TICKS).tolist(),
        ticktext=[f"{tick:g}" for tick in TICKS],
        range=[-FOOT * top, (1 + FOOT) * top],
    )
    figure.update_xaxes(showticklabels=False, ticks="", showgrid=False, range=[-1, len(leaves)])
    return styled(figure, height=340, margin={"l": 64, "r": 20, "t": 24, "b": 44})


@dataclass(frozen=True)
class Join:
    """Two branches that become one."""

    across: tuple[float, float]
    """where the branches stand, in leaves"""
    along: tuple[float, float, float]
    """bits at which the left branch begins, the two meet, and the right one begins"""
    leaves: tuple[int, ...]
    """all leaves below"""

    @property
    def middle(self) -> float:
        """Where the branch goes on."""
        return sum(self.across) / 2


def joins_of(tree: Float64[np.ndarray, "merge 4"], order: Sequence[int]) -> list[Join]:
    """Return every join of a tree as scipy writes it, with the leaves comparison in `order`."""
    place = {leaf: float(rank) for rank, leaf in enumerate(order)}
    joins: list[Join] = []
    for left, right, height, _ in tree.tolist():
        across, begin, leaves = [], [], []
        for branch in (int(left), int(right)):
            below = joins[branch - len(order)] if branch >= len(order) else None
            across.append(below.middle if below else place[branch])
            begin.append(below.along[1] if below else 0.0)
            leaves += below.leaves if below else (branch,)
        joins.append(Join((across[0], across[1]), (begin[0], height, begin[1]), tuple(leaves)))
    return joins


def _by_kind(joins: Sequence[Join], tree: ClassTree) -> Mapping[str | int, Sequence[Join]]:
    """Return the joins by the class that they stand in, or by what they are instead."""
    found: dict[str | int, list[Join]] = {ABOVE: []}
    for join in joins:
        labels = set(tree.partition.label[list(join.leaves)].tolist())
        inside = labels.pop() if len(labels) == 1 else BROKEN
        found.setdefault(ABOVE if join.along[1] > tree.epsilon else inside, []).append(join)
    return found


def _add_joins(figure: go.Figure, kind: str | int, joins: Sequence[Join], colour: str) -> None:
    across = [(join.across[0], join.across[0], join.across[1], join.across[1], None) for join in joins]
    along = [(*np.sqrt([join.along[0], join.along[1], join.along[1], join.along[2]]), None) for join in joins]
    figure.add_scatter(
        x=[value for corners in across for value in corners],
        y=[value for corners in along for value in corners],
        mode="lines",
        name=str(kind),
        showlegend=kind == BROKEN,
        line={"color": colour, "width": 1 if kind == ABOVE else 1.6, "dash": "dot" if kind == BROKEN else "solid"},
        hoverinfo="skip",
    )


def _colour(kind: str | int, colours: Sequence[str]) -> str:
    if isinstance(kind, int):
        return colours[kind]
    return WRONG if kind == BROKEN else CONTROL


def _add_leaves(figure: go.Figure, tree: ClassTree, leaves: Sequence[int], chosen: int | None) -> None:
    colours = class_colours(tree.partition)
    labels, frames = tree.partition.label.tolist(), tree.frame_id.tolist()
    figure.add_scatter(
        x=list(range(len(leaves))),
        y=[0] * len(leaves),
        mode="markers",
        marker={
            "size": [13 if leaf == chosen else 7 for leaf in leaves],
            "color": [colours[labels[leaf]] for leaf in leaves],
            "line": {"color": INK, "width": [2.5 if leaf == chosen else 0 for leaf in leaves]},
        },
        customdata=[frames[leaf] for leaf in leaves],
        text=[f"class {labels[leaf]}" for leaf in leaves],
        hovertemplate="frame %{customdata}, %{text}<extra></extra>",
        showlegend=False,
        cliponaxis=False,
    )


def _add_line(figure: go.Figure, epsilon: float, text: str, *, colour: str = WRONG) -> None:
    figure.add_hline(
        y=float(np.sqrt(epsilon)),
        line={"color": colour, "dash": "dash", "width": 1.5},
        annotation_text=text,
        annotation_font_color=colour,
        annotation_bgcolor="rgba(255,255,255,0.8)",
    )
