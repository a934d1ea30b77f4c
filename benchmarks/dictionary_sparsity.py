"""Error on frames that no fit ever showed against active components, for autoencoders and every baseline.

    python benchmarks/dictionary_sparsity.py                         the models that ship, and an untrained one
    python benchmarks/dictionary_sparsity.py --models memory-dt      one of them
    python benchmarks/dictionary_sparsity.py --measures recipes      topk-128-k8 alone, by the rows that it is fitted to

Each dictionary is fitted to the observation embeddings of all frames that training shows, alike, and judged on two sets
of frames that training never shows, each frame once: those of held-out episodes, and all of the world. The numbers go
to benchmarks/results/dictionary_sparsity.json, of which docs/results.py makes a table and docs/figures.py a figure;
models that are not asked for keep theirs. Nothing is asserted.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import get_args

from card_numbers import in_lines
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.card import row_card
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.frozen_decoder import FrozenDecoder
from dtinterp.dictionary.kinds.baselines.frozen_encoder import FrozenEncoder
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.baselines.random import Random
from dtinterp.dictionary.kinds.baselines.semi_nmf import SemiNmf
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.shipped import shipped
from dtinterp.subject.fitting import TrainingRows, Weighting, fit_dictionaries
from dtinterp.subject.subject import Subject, open_subject
from dtinterp.subject.unseen_frames import unseen_frames

ACTIVE = (1, 2, 4, 8, 16, 32)
"""Components that a row uses."""
LEARNT: Mapping[type[TopK], Sequence[int]] = {TopK: (4, 8, 16, 32), FrozenDecoder: (8, 32), FrozenEncoder: (8, 32)}
"""The same of what takes long."""
WIDTH, SHIPPED = 128, 8
"""Features of an autoencoder, and those that a row uses in the ones that ship."""
MODELS = ("memory-dt", "memory-dt untrained", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2")
UNTRAINED = " untrained"
WINDOWS = 4096
"""Training windows of the recipe that was the default."""
OUTPUT = Path(__file__).parent / "results" / "dictionary_sparsity.json"


def main() -> None:
    """Measure, and write the numbers model by model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    known = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else "{}"
    found: dict[str, dict] = json.loads(known)
    for name in arguments.models:
        began = time.process_time()
        folder = shipped("checkpoints/models") / name.removesuffix(UNTRAINED)
        subject = open_subject(folder, untrained=name.endswith(UNTRAINED))
        for measure in arguments.measures:
            found[name] = {**found.get(name, {}), **MEASURES[measure](subject)}
        arguments.output.write_text(in_lines(found), encoding="utf-8")
        print(f"{name}: {time.process_time() - began:.0f} s of processor time", flush=True)


def sparsity(subject: Subject) -> dict[str, object]:
    """Return the errors of everything that is fitted to all training frames alike."""
    fitted = TrainingRows.of(subject, OBSERVATION_EMBEDDING, seed=0)
    tables = _unseen(subject)
    counts = {"fitted": len(fitted.rows.value), **{name: len(table) for name, table in tables.items()}}
    return {"frames": counts, "dictionaries": list(_judged(fitted, tables))}


def recipes(subject: Subject) -> dict[str, object]:
    """Return the errors of one autoencoder, by the rows that it is fitted to and how much each counts."""
    tables, found = _unseen(subject), []
    for n_windows, weighting in product((WINDOWS, None), reversed(get_args(Weighting))):
        fitted = TrainingRows.of(subject, OBSERVATION_EMBEDDING, n_windows=n_windows, weighting=weighting, seed=0)
        ((dictionary,),) = fit_dictionaries([fitted], [FitConfig(TopK(SHIPPED), width=WIDTH)], seed=0)
        told = {"windows": n_windows, "frames": len(fitted.rows.value), "weighting": weighting}
        found.append({**told, **{name: _numbers(dictionary, table) for name, table in tables.items()}})
    return {"recipes": found}


MEASURES: Mapping[str, Callable[[Subject], dict[str, object]]] = {"sparsity": sparsity, "recipes": recipes}


def _unseen(subject: Subject) -> dict[str, Float32[Tensor, "row d_model"]]:
    """Return the embeddings of frames that training never shows: of held-out episodes, and of the world."""
    frames = unseen_frames(subject, TrainingRows.of(subject, OBSERVATION_EMBEDDING, seed=0))
    return {"demonstrated": frames.demonstrated, "world": frames.known}


def _judged(fitted: TrainingRows, tables: Mapping[str, Float32[Tensor, "row d_model"]]) -> Iterator[dict[str, object]]:
    for fits in (learnt(), [FitConfig(Items(k)) for k in ACTIVE]):
        (dictionaries,) = fit_dictionaries([fitted], fits, seed=0)
        for fit, dictionary in zip(fits, dictionaries, strict=True):
            told = {"dictionary": fit.title, "kind": type(fit.kind).__name__}
            yield {**told, **{name: _numbers(dictionary, table) for name, table in tables.items()}}


def learnt() -> Sequence[FitConfig]:
    """Return all that is fitted to rows, by kind and by active components."""
    autoencoders = [FitConfig(kind(k), width=WIDTH) for kind, ks in LEARNT.items() for k in ks]
    baselines = [FitConfig(kind(k)) for kind in (Pca, SemiNmf) for k in ACTIVE]
    random = [FitConfig(Random(k), width=WIDTH) for k in ACTIVE]
    return [*autoencoders, *baselines, *random, FitConfig(KMeans(WIDTH))]


def _numbers(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> dict[str, object]:
    card = row_card(dictionary, rows, generator=numpy_generator(0, "dictionary/sparsity"))
    return {"l0": card.l0.estimate, "fvu": asdict(card.fvu)}


if __name__ == "__main__":
    main()
