"""Tables of reports on equivalence, one row a pair, a class or a comparison, for notebooks."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from dtinterp.equivalence.comparisons.model_comparison import ModelComparison
from dtinterp.equivalence.comparisons.partition_comparison import PartitionComparison
from dtinterp.equivalence.over_training import History
from dtinterp.equivalence.plays.joint import JointReplacement
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.artefacts.writing import whole_file


def pairs_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per ordered pair of different frames: what the second did in the place of the first."""
    swaps, scrutiny = report.swaps, report.scrutiny
    first, second = np.nonzero(~np.eye(len(swaps.frame_id), dtype=bool))
    frame, label = swaps.frame_id.numpy(), report.partition.label.numpy()
    columns = {
        "frame": frame[first],
        "stand_in": frame[second],
        "n_contexts": swaps.n_contexts.numpy()[first],
        "mean_bits": swaps.mean.numpy()[first, second],
        "maximum_bits": swaps.maximum.numpy()[first, second],
        "n_flips": swaps.n_flips.numpy()[first, second],
        "worst_step": swaps.worst_step.numpy()[first, second],
        "worst_slot": swaps.worst_slot.numpy()[first, second],
        "worst_decision": swaps.worst_decision.numpy()[first, second],
        "same_class": label[first] == label[second],
        **{f"same: {world.name}": (world.label[first] == world.label[second]).numpy() for world in report.worlds},
    }
    if scrutiny is not None:
        columns["at_once_bits"] = scrutiny.at_once.numpy()[first, second]
        if scrutiny.reachable is not None:
            columns["n_reachable_contexts"] = scrutiny.reachable.n_contexts.numpy()[first, second]
            columns["reachable_maximum_bits"] = scrutiny.reachable.maximum.numpy()[first, second]
    return pd.DataFrame(columns)


def joint_table(found: JointReplacement) -> pd.DataFrame:
    """Return one row per arm and draw of a check in all plays; a draw has a shift, a return, or both."""
    rows = []
    for arm in found.arms:
        for draw in range(max(len(arm.shifts), len(arm.returns))):
            shift = asdict(arm.shifts[draw]) if draw < len(arm.shifts) else {}
            earned = arm.returns[draw] if draw < len(arm.returns) else None
            named = {"partition": arm.partition, "shown": arm.shown, "n_classes": arm.n_classes, "draw": draw}
            rows.append({**named, **shift, "return": earned})
    return pd.DataFrame(rows)


def classes_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per class: its certificate, all that was tried inside it, and its bound where it has one."""
    found = pd.DataFrame(asdict(certificate) for certificate in report.certificates).drop(columns="worst")
    found["tried_swaps"] = [each.n_swaps for each in report.totals]
    found["tried_maximum_bits"] = [each.maximum for each in report.totals]
    found["maximum_met_in"] = [each.stage for each in report.totals]
    if report.scrutiny is None or not report.scrutiny.bounds:
        return found
    bounds = pd.DataFrame(
        {
            "label": bound.label,
            "fresh_contexts": bound.n_contexts,
            "fresh_swaps": bound.n_swaps,
            "failures": bound.n_failures,
            "failing_share_at_most": None if bound.share is None else bound.share.high,
            "fresh_maximum_bits": bound.maximum,
            "is_exact": bound.is_exact,
        }
        for bound in report.scrutiny.bounds
    )
    return found.merge(bounds, on="label", how="left")


def frames_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per frame: its visits, its class, and its class in each of the world's partitions."""
    return pd.DataFrame(
        {
            "frame": report.chosen.frame_id.numpy(),
            "n_visits": report.chosen.n_visits.numpy(),
            "class": report.partition.label.numpy(),
            **{world.name: world.label.numpy() for world in report.worlds},
        }
    )


def against_table(report: ModelComparison) -> pd.DataFrame:
    """Return one row per model, relation of the model, and partition of the world."""
    return pd.DataFrame(
        {
            "model": row.model,
            "relation": row.relation,
            "world": row.world,
            "n_classes": row.agreement.n_classes,
            "n_world_classes": row.agreement.n_reference_classes,
            "ari": row.agreement.ari.estimate,
            "ari_low": row.agreement.ari.low,
            "ari_high": row.agreement.ari.high,
            "ari_random_high": row.agreement.random.high,
            "ami": row.agreement.ami,
            "variation_of_information_bits": row.variation.distance,
            "lost_bits": row.variation.lost,
            "excess_bits": row.variation.excess,
            "refines": row.variation.refines,
            "is_refined": row.variation.is_refined,
            "p": row.agreement.p_value,
            "p_holm": row.p_holm,
        }
        for row in report.against
    )


def judged_table(found: PartitionComparison) -> pd.DataFrame:
    """Return one row for each certificate whose joined pairs another one judges."""
    return pd.DataFrame(
        {
            "joining": judged.joining,
            "judging": judged.judging,
            "n_frames": row.n_frames,
            "ari": row.agreement.ari.estimate,
            "ari_low": row.agreement.ari.low,
            "ari_high": row.agreement.ari.high,
            "ari_random_high": row.agreement.random.high,
            "variation_of_information_bits": row.variation.distance,
            "n_joined": judged.n_joined,
            "n_told_apart": judged.n_told_apart,
            "n_undecided": judged.n_undecided,
            "worst_bits": max((pair.where_apart for pair in judged.worst), default=None),
        }
        for row in found.differences
        for judged in row.judged
    )


def moments_table(history: History) -> pd.DataFrame:
    """Return one row per moment of a training."""
    return pd.DataFrame(
        {
            "step": moment.step,
            "loss": moment.validation.loss,
            "accuracy": moment.validation.accuracy,
            "return": moment.intact.expected_return,
            "return_on_classes": moment.on_classes.expected_return,
            "n_classes": moment.n_classes,
            "n_together": moment.n_together,
            "n_merged": moment.n_merged,
            "n_split": moment.n_split,
            "ari_halves": None if moment.halves is None else moment.halves.estimate,
            "ari_last": moment.like_last,
            **{f"ari_{world}": ari for world, ari in moment.like_world.items()},
        }
        for moment in history.moments
    )


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write each table to `folder` as NAME.parquet; those that stand there are replaced."""
    for name, table in tables.items():
        with whole_file(folder / f"{name}.parquet") as draft:
            table.to_parquet(draft, index=False)
