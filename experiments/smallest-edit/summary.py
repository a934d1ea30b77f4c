"""Searches below a folder as one result.json: how many sets of edits flip the turn, and the smallest of each sort.

python experiments/smallest-edit/summary.py results/smallest-edit      reads NAME-world, NAME-shown and NAME-frame
"""

import json
import sys
from pathlib import Path

from dtinterp.adversaries.report import ADVERSARIES, Adversary, AdversaryReport, SceneSearch
from dtinterp.foundation.artefacts.codec import read

OUTPUT = Path(__file__).with_name("result.json")
KINDS = ("world", "shown", "frame")


def main(folder: Path) -> None:
    """Write the table of all searches that are there."""
    found: dict[str, object] = {}
    for path in sorted(folder.iterdir()):
        model, _, kind = path.name.rpartition("-")
        if kind in KINDS:
            report, artefact = read(path, ADVERSARIES)
            found[path.name] = {
                "model": model,
                "edits": kind,
                "digest": artefact.manifest.digest,
                "windows": {each.scene: _window(each) for each in report.scenes},
                "transfer": _transfer(report),
            }
    OUTPUT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _window(search: SceneSearch) -> dict[str, object]:
    return {
        "logit_difference": search.original,
        "proof": search.proof,
        "sizes": [
            {
                "n_edits": each.n_edits,
                "candidates": each.n_candidates,
                "flipping": each.n_flipping,
                "keeping_what_is_best": each.n_keeping,
                "undecided": each.n_undecided,
                "likeliest": _adversary(each.likeliest),
                "likeliest_keeping": _adversary(each.likeliest_keeping),
            }
            for each in search.sizes
        ],
        "possible": [_adversary(each) for each in search.possible],
        "undone_by": {
            "; ".join(each.edits): {"path": each.path, "restored": each.path_restored, "features": each.all_features}
            for each in search.understanding.explanations
        },
    }


def _adversary(found: Adversary | None) -> dict[str, object] | None:
    if found is None:
        return None
    names = ("edits", "value", "log_likelihood", "cells_from_shown", "cells_from_same", "cells_from_other")
    return {name: getattr(found, name) for name in names}


def _transfer(report: AdversaryReport) -> dict[str, str]:
    """Return, by model and return, in how many of the windows adversaries that keep what is best flip it too."""
    counted: dict[str, list[bool]] = {}
    for search in report.scenes:
        keeping = {each.likeliest_keeping.edits for each in search.sizes if each.likeliest_keeping is not None}
        for each in search.understanding.transfers:
            if each.edits in keeping:
                counted.setdefault(f"{each.model} asked {each.target_return:g}", []).append(each.flips)
    return {name: f"{sum(flips)} of {len(flips)}" for name, flips in counted.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
