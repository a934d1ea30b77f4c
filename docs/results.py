"""The tables of docs/results/: a page for each subject, made of what ships.

python docs/results.py [PAGE ...]
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from tables import agents, certificates, comparisons, dictionaries, explanations, features, models, screenings
from tables.cells import markdown

FOLDER = Path(__file__).parent / "results"
Table = Callable[[], pd.DataFrame]

PAGES: Mapping[str, Sequence[Table]] = {
    "agents": [agents.zoo],
    "models": [
        models.greedy_calibrations,
        models.drawn_calibrations,
        models.calibrations_in_several_worlds,
        models.errors_in_several_worlds,
        models.held_out,
        models.sizes,
        models.sizes_at_a_slower_rate,
    ],
    "dictionaries": [
        dictionaries.kinds_at_the_embedding,
        dictionaries.kinds_at_layer_1,
        dictionaries.accepted,
        dictionaries.effects_at_the_embedding,
        dictionaries.effects_at_layer_1,
        dictionaries.report_cards,
        dictionaries.items_matched,
        dictionaries.items_recovered,
        dictionaries.truths_told,
        dictionaries.maps,
        dictionaries.probes,
    ],
    "features": [
        features.labels,
        features.labels_beside_untrained,
        features.truth,
        features.token_errors,
        features.deciding_parts,
        features.linear_maps,
    ],
    "equivalence": [
        certificates.certificates,
        certificates.four_starts,
        certificates.all_plays_of_three_steps,
        certificates.feasible_swaps,
        certificates.return_on_classes,
        certificates.drawn_actions,
        comparisons.against_bisimulation,
        comparisons.between_models,
        comparisons.distractions,
        comparisons.key_ball_mirror,
        comparisons.beliefs,
        comparisons.published_model,
        explanations.pairs,
        explanations.predicting_interchangeability,
        explanations.learning_interchangeability,
        screenings.all_observations,
        screenings.growth,
    ],
}
PREAMBLE = """# Results: {}

Written by `python docs/results.py` from artefacts and measurements that ship. The commands that make those are in
[checkpoints/README.md](../../checkpoints/README.md).
"""


def page(name: str) -> str:
    """Return a page: each of its tables under its function's name and docstring."""
    return PREAMBLE.format(name) + "".join(map(_section, PAGES[name]))


def _section(table: Table) -> str:
    title = table.__name__.replace("_", " ").capitalize()
    return f"\n## {title}\n\n{inspect.getdoc(table)}\n\n{markdown(table())}"


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")
