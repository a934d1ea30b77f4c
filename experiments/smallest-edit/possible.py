"""What the world could show instead, at every decision point reached with detours: does the turn follow what is best?

python experiments/smallest-edit/possible.py      possible.json, from the four models that ship
"""

import json
from pathlib import Path

import torch

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.scene import Scene
from dtinterp.adversaries.search import decision_scenes
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import open_subject

MODELS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2")
MODELS_AT = Path("checkpoints/models")
DETOURS = 4
LEFT, RIGHT = 0, 1


@torch.no_grad()
def turns(model: DecisionTransformer, scene: Scene) -> torch.Tensor:
    """Return, for each possible window, whether the model prefers left."""
    window = EditedWindow(model, scene)
    shape = scene.possible.shape[:2]
    coded = encoded(scene.possible.flatten(0, 1), model.cfg.n_items).unflatten(0, shape)
    added = ((coded - window.items) @ model.W_obs).float()
    logits = window.logits(added, torch.zeros(len(added), dtype=torch.int64))
    return logits[:, LEFT] > logits[:, RIGHT]


def main() -> None:
    """Count the windows, their alternatives, and how the turn goes with each."""
    found: dict[str, dict[str, int]] = {}
    for name in MODELS:
        subject = open_subject(MODELS_AT / name)
        counted = {"windows": 0, "others": 0, "flip_rightly": 0, "flip_wrongly": 0, "stay_wrongly": 0}
        for scene in decision_scenes(subject, AdversaryConfig(detours=DETOURS)):
            left = turns(subject.model, scene)
            flips, should = left[1:] != left[0], (scene.best[1:, LEFT] != scene.best[0, LEFT])
            counted["windows"] += 1
            counted["others"] += len(flips)
            counted["flip_rightly"] += int((flips & should).sum())
            counted["flip_wrongly"] += int((flips & ~should).sum())
            counted["stay_wrongly"] += int((~flips & should).sum())
        found[name] = counted
        print(name, counted, flush=True)  # noqa: T201
    Path(__file__).with_name("possible.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
