"""The section on what a model's classes share with the world and with other models', and what differences cost."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.equivalence.comparisons.compared_partitions import CERTIFIED, LOOKS, UNTRAINED
from dtinterp.equivalence.comparisons.model_comparison import MATTERS, ModelComparison
from dtinterp.equivalence.truth.key_ball_symmetry import Reflection
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section

N_CONTRASTS = 6
"""Confusions and distractions whose pictures are shown, each."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    compared, name = results.of(ModelComparison)[0], results.model.artefact.name
    report = compared.value
    return {
        "compared": compared,
        "relations": relation_table(report, name),
        "has_looks": any(row.relation == LOOKS for row in report.against if row.model == name),
        "looks": LOOKS,
        "untrained": UNTRAINED,
        "variations": variation_table(report),
        "matters": MATTERS,
        "kinships": _kinship_table(report),
        "contrasts": [portrait.contrasts for portrait in report.portraits if portrait.model == name],
        "n_contrasts": N_CONTRASTS,
        "mirrors": mirror_table(report),
    }


def relation_table(report: ModelComparison, name: str) -> pd.DataFrame:
    """Return one row per relation of a model, one column per partition of the world; cells are intervals."""
    rows = [row for row in report.against if row.model == name]
    found: dict[str, dict[str, object]] = {}
    for row in rows:
        cells = found.setdefault(row.relation, {"relation": row.relation, "classes": row.agreement.n_classes})
        cells[f"{row.world} ({row.agreement.n_reference_classes} classes)"] = row.agreement.ari
    return pd.DataFrame(list(found.values()))


def variation_table(report: ModelComparison) -> pd.DataFrame:
    """Return one row per model: its certified classes against the partition that matters."""
    return pd.DataFrame(
        {
            "model": row.model,
            "classes": row.agreement.n_classes,
            "ARI": row.agreement.ari,
            "ARI (random classes)": row.agreement.random,
            "p (Holm)": row.p_holm,
            "lost (bits)": row.variation.lost,
            "in excess (bits)": row.variation.excess,
        }
        for row in report.against
        if (row.relation, row.world) == (CERTIFIED, MATTERS)
    )


def _kinship_table(report: ModelComparison) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": kin.model,
            "other": kin.other,
            "observations (of both)": kin.n_frames,
            "ARI": kin.agreement.ari,
            "ARI (random classes)": kin.agreement.random,
            "p (Holm)": kin.p_holm,
        }
        for kin in report.kinships
    )


def mirror_table(report: ModelComparison) -> pd.DataFrame:
    """Return one row per model, and one per untrained twin: what it makes of mirror images."""
    rows = [
        {
            "model": name,
            **_depths(reflection),
            "decisions (bits)": reflection.mean,
            "two windows (bits)": reflection.other,
            "largest (bits)": reflection.maximum,
        }
        for portrait in report.portraits
        for name, reflection in ((portrait.model, portrait.reflection), ("… untrained", portrait.untrained))
    ]
    return pd.DataFrame(rows, dtype=object)  # or None would become a number


def _depths(reflection: Reflection) -> dict[str, float | None]:
    """Return how distinct mirror images are at three depths, which models of any number of blocks have."""
    after = [place for place, site in enumerate(reflection.sites) if site.endswith("hook_resid_post")]
    depths = {"embedding": 0, "after the first block": after[0], "after the last block": after[-1]}
    return {name: reflection.distinct[place] for name, place in depths.items()}


SECTION = Section(
    "agreement",
    "Held against the world, and against other models",
    order=70,
    shows=(ModelComparison,),
    gather=_gather,
)
