"""The partitions of a certified model's frames that are compared: by its own relations, and by the world's.

Relations that have no natural threshold are cut into as many classes as the certified ones, so that none wins by being
finer. Codes have one, and are held at it as well: equal sets of active features, and codes within τ of each other.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.equivalence.explain.distances.active_features import same_active_features
from dtinterp.equivalence.explain.distances.codes import same_code
from dtinterp.equivalence.explain.distances.distance import compared_frames
from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding
from dtinterp.equivalence.explain.distances.heads import near_as_heads_read
from dtinterp.equivalence.explain.distances.image import near_in_the_image
from dtinterp.equivalence.partition import Partition, classes, classes_of_count, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.truth.demonstrated import demonstrated
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.beliefs import same_beliefs, same_window_beliefs
from environments.graph.state_graph import StateGraph

CERTIFIED = "interchangeable"
LOOKS, UNTRAINED = "looks alone", "untrained model"
"""Controls: what frames look like, and a model of the same shape that never learnt."""


@dataclass(frozen=True)
class Certified:
    """One model, with its certified classes."""

    name: str
    model: DecisionTransformer
    untrained: DecisionTransformer
    report: EquivalenceReport
    items: Float32[Tensor, "table item"]
    """the coded frame table of the trajectories"""
    windows: Windows
    """of the histories that the classes are of, to be mirrored"""
    frames: UInt8[Tensor, "seen view view 3"]
    """what these windows show"""
    dictionary: Dictionary | None = None
    """of the observation embedding"""


def model_partitions(certified: Certified, *, tau: float) -> tuple[Partition, ...]:
    """Return the certified classes, every other relation of the model cut into as many, codes at `tau`, and controls.

    The controls come last, as many classes again.
    """
    report = certified.report
    frames = compared_frames(certified.model, certified.items, report.chosen.frame_id, certified.dictionary)
    relations = [near_in_the_embedding(frames), near_as_heads_read(frames)]
    if report.scrutiny is not None:
        relations.insert(0, replace(report.relation, maximum=report.scrutiny.at_once, name="same decision at once"))
    by_code: list[tuple[Relation, float]] = []
    if certified.dictionary is not None:
        by_code.append((same_code(frames), tau))
        by_code.append((same_active_features(frames), 0.0))
    controls = [replace(near_in_the_image(frames), name=LOOKS), replace(report.untrained, name=UNTRAINED)]
    return (
        replace(report.partition, name=CERTIFIED),
        *(_cut(each, report.partition.n_classes) for each in (*relations, *(each for each, _ in by_code))),
        *(_within(each, threshold) for each, threshold in by_code),
        *(_cut(each, report.partition.n_classes) for each in controls),
    )


def world_relations(
    certified: Certified, graph: StateGraph, trajectories: Trajectories, epsilon: float
) -> tuple[Partition, ...]:
    """Return the world's partitions of the certified frames: those of the report, beliefs, and demonstrated actions.

    Beliefs are those of whole histories, and of windows as long as the model's. `epsilon` is in bits.
    """
    report, place = certified.report, FrameTable.of_graph(graph).rows_of(certified.report.frames)
    beliefs = {
        "same belief": same_beliefs(graph),
        "same belief given the window": same_window_beliefs(graph, certified.model.cfg.n_slots),
    }
    taught = classes(demonstrated(trajectories, report.chosen.frame_id), epsilon)
    return (
        *report.worlds,
        *(partition_of(torch.from_numpy(label).long()[place], name) for name, label in beliefs.items()),
        replace(taught, name="same demonstrated actions"),
    )


def _cut(relation: Relation, n_classes: int) -> Partition:
    return replace(classes_of_count(relation, n_classes), name=relation.name)


def _within(relation: Relation, threshold: float) -> Partition:
    name = f"{relation.name}, within {threshold:g}" if threshold else f"{relation.name}, exactly"
    return replace(classes(relation, threshold), name=name)
