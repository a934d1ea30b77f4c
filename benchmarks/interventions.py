"""A sweep of an edit over 41 values in 1,000 windows, beside the bare forward pass and a loop of TransformerLens hooks.

python benchmarks/interventions.py      benchmarks/results/interventions.json, in a minute
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits import edit_of
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.sweeps import sweep
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject, open_subject

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "interventions.json"
MODEL = ROOT / "checkpoints" / "models" / "memory-dt-small-0"
DICTIONARY = ROOT / "checkpoints" / "studies" / "memory-dt-small-0" / "dictionaries" / "hook_obs_embed" / "topk-128-k8"
N_WINDOWS, N_VALUES, BATCH, N_RUNS = 1000, 41, 500, 3
EDITS = {
    "feature, newest frame": {"set": {"feature": 97}, "at": {"site": "hook_obs_embed", "slot": "last"}},
    "feature, every frame": {"set": {"feature": 97}, "at": {"site": "hook_obs_embed", "slot": "all"}},
    "direction, block 1, newest frame": {"set": {"direction": "drawn"}, "at": {"site": "blocks.1.hook_resid_pre"}},
    "neuron, every frame": {
        "scale": {"token": "whole"},
        "at": {"site": "blocks.1.mlp.hook_post", "neuron": 3, "slot": "all"},
    },
}


def seconds(work: Callable[[], object]) -> float:
    """Return the median CPU time of a few runs."""
    taken = []
    for _ in range(N_RUNS):
        began = time.process_time()  # of one thread: whatever else the machine does
        work()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


@torch.no_grad()
def bare(model: DecisionTransformer, windows: Windows, items: Tensor) -> None:
    """Run every window once for every value, unedited."""
    for _ in range(N_VALUES):
        for start in range(0, len(windows), BATCH):
            model(windows[start : start + BATCH], items)


@torch.no_grad()
def looped(model: DecisionTransformer, windows: Windows, items: Tensor, edit: Dosed) -> Tensor:
    """Run the same edit as hooks are written by hand: a value at a time, all windows in batches."""
    tokens, site = model.cfg.observation_tokens, edit.at.site
    logits = []
    for dose in range(N_VALUES):
        parts = []
        for start in range(0, len(windows), BATCH):
            batch = windows[start : start + BATCH]
            chosen = edit.at.slots(batch)

            def patch(x: Tensor, hook: HookPoint, chosen: Tensor = chosen, dose: int = dose) -> Tensor:  # noqa: ARG001
                vectors = x if site == "hook_obs_embed" else x[:, tokens]
                rows = vectors[chosen]
                vectors[chosen] = edit.edit(slice(dose, dose + 1), 1).of_rows(torch.zeros(len(rows)).long()).apply(rows)
                return x

            parts.append(model.run_with_hooks(batch, items, fwd_hooks=[(site, patch)])[:, -1])
        logits.append(torch.cat(parts))
    return torch.stack(logits)


def compared(subject: Subject, windows: Windows, edit: Dosed) -> dict[str, float]:
    """Return windows a second, swept and looped, and how far the two are apart."""
    model, items = subject.model, subject.items
    apart = (sweep(model, windows, items, [edit]) - looped(model, windows, items, edit)).abs().max()
    swept, by_hand = (
        seconds(lambda: sweep(model, windows, items, [edit])),
        seconds(lambda: looped(model, windows, items, edit)),
    )
    n = N_WINDOWS * N_VALUES
    return {"swept_per_second": n / swept, "looped_per_second": n / by_hand, "largest_difference": float(apart)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    subject = open_subject(MODEL)
    windows = subject.held_out_windows(N_WINDOWS, seed=0)
    direction = torch.nn.functional.normalize(torch.randn(1, 128, generator=torch.Generator().manual_seed(0)))
    names = Bindings(
        subject,
        windows,
        subject.items,
        [str(number) for number in range(N_WINDOWS)],
        {"topk": load_dictionary(DICTIONARY)},
        {"drawn": (direction, "blocks.1.hook_resid_pre")},
    )
    rate = N_WINDOWS * N_VALUES / seconds(lambda: bare(subject.model, windows, subject.items))
    rows = []
    for name, words in EDITS.items():
        amount = {"by" if "scale" in words else "to": {"from": 0, "to": 5, "steps": N_VALUES}}
        found = compared(subject, windows, edit_of({**words, **amount}).bound(names))
        rows.append({"edit": name, **found, "of_bare": found["swept_per_second"] / rate})
        print(
            f"{name:36} {found['swept_per_second']:9,.0f} windows/s, {rows[-1]['of_bare']:.2f} of the bare rate, "
            f"{found['swept_per_second'] / found['looped_per_second']:.1f}× the loop",
            flush=True,
        )
    found = {"command": "python benchmarks/interventions.py", "bare_per_second": rate, "rows": rows}
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
