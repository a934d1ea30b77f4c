"""One stream of rows becomes many dictionaries at once.

Members of a stack see the same batches and share no weights, so each is what it would be alone: its first weights come
from its own number, and batches from one generator that no member touches. On one thread of the processors that were
tried its bits are the same too; a library is free to add up a product of more matrices in another order, so what is
promised is equality to rounding.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.autoencoder import Batch
from dtinterp.dictionary.baselines import Weights, baseline
from dtinterp.dictionary.config import UNWATCHED, FitConfig, FitProgress, Watch, check_stack
from dtinterp.dictionary.descent import Descent, bundles, draw
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Autoencoder, Ica, Kind, KMeans, Pca, SemiNmf
from dtinterp.dictionary.losses import Loss
from dtinterp.dictionary.resume import Run, resume, suspend
from dtinterp.dictionary.rows import RowSource, normalise, rows_at
from dtinterp.foundation import seeding
from dtinterp.foundation.errors import UserError

N_REPORTS = 100
"""How often a fit reports its progress."""


def fit_stack(
    rows: RowSource,
    configs: Sequence[FitConfig],
    *,
    generator: torch.Generator,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
    watch: Watch = UNWATCHED,
) -> list[Dictionary]:
    """Return the dictionaries that `configs` ask for, in their order, all fitted to `rows`.

    Autoencoders share one stream of batches and must agree on its settings. `generator` lives on the CPU; `weights`
    (>= 0, any sum) says how often each row counts: distinct rows with their counts give the same expected gradient as
    the repeated rows. A harvest knows its site, others have the one given. Raises `UserError` on settings that do not
    go together, a harvest of another site, rows with NaN, rows that are all alike, or more components than rows or
    d_model.
    """
    check_stack(configs)
    table, own_site = rows_at(rows, site)
    batch, scale = normalise(table, weights)
    for config in configs:
        _check_variety(table[batch.weight > 0], config.kind)
    base = int(torch.randint(2**62, (), generator=generator))
    learnt = [config for config in configs if isinstance(config.kind, Autoencoder)]
    found = iter(descend(batch, learnt, base=base, generator=generator, watch=watch) if learnt else [])
    parts = [
        baseline(batch, config.kind, width=config.width, generator=_own(base, config))
        if not isinstance(config.kind, Autoencoder)
        else next(found)
        for config in configs
    ]
    return [
        Dictionary(**part, kind=config.kind, scale=scale, site=own_site, name=config.title)
        for part, config in zip(parts, configs, strict=True)
    ]


def descend(
    batch: Batch, configs: Sequence[FitConfig], *, base: int, generator: torch.Generator, watch: Watch
) -> list[Weights]:
    """Return the weights of each autoencoder after as many steps of Adam as the configs say, on draws from `batch`."""
    n_rows = min(len(batch.rows), configs[0].batch_rows)
    groups = list(bundles(configs, n_rows, batch.rows.device.type))
    descents = [
        Descent.begin(batch, [configs[place] for place in group], [_own(base, configs[place]) for place in group])
        for group in groups
    ]
    run = Run(descents, generator, _identity(batch, configs, base))
    done = 0 if watch.unfinished is None else resume(watch.unfinished, run)
    _take_steps(batch, run, configs[0], done=done, watch=watch)
    made = [weights for descent in descents for weights in descent.weights()]
    places = [place for group in groups for place in group]
    return [weights for _, weights in sorted(zip(places, made, strict=True), key=lambda pair: pair[0])]


def _take_steps(batch: Batch, run: Run, config: FitConfig, *, done: int, watch: Watch) -> None:
    cumulative, variance = batch.weight.double().cumsum(0), float(batch.spread)
    every = max(1, config.n_steps // N_REPORTS)
    began, since = time.perf_counter(), done
    for step in range(done + 1, config.n_steps + 1):
        drawn = draw(batch, cumulative, config.batch_rows, run.generator)
        losses = [descent.step(drawn, step) for descent in run.descents]
        if step % every and step != config.n_steps:
            continue
        if watch.on_progress is not None:
            n_rows = (step - since) * len(drawn.rows) * sum(len(descent.configs) for descent in run.descents)
            rate = n_rows / max(1e-9, time.perf_counter() - began)
            watch.on_progress(_progress(run, losses, step, variance=variance, rate=rate))
        if watch.unfinished is not None:
            suspend(watch.unfinished, run, step)
        began, since = time.perf_counter(), step


def _progress(run: Run, losses: Sequence[Loss], step: int, *, variance: float, rate: float) -> FitProgress:
    config = run.descents[0].configs[0]
    is_silent = torch.cat([(descent.silence >= config.silent_steps).float().mean(dim=1) for descent in run.descents])
    return FitProgress(
        step=step,
        n_steps=config.n_steps,
        fvu=float(torch.cat([loss.error for loss in losses]).mean()) / variance,
        l0=float(torch.cat([loss.n_active for loss in losses]).mean()),
        silent_share=float(is_silent.mean()),
        loss=float(torch.cat([loss.total.detach() for loss in losses]).mean()),
        rows_per_second=rate,
    )


def _own(base: int, config: FitConfig) -> torch.Generator:
    """Return the generator of a member's first weights: the same whoever stands beside it."""
    return seeding.generator(base, f"member/{config.member}")


def _identity(batch: Batch, configs: Sequence[FitConfig], base: int) -> dict[str, str]:
    digest = hashlib.sha256()
    for tensor in (batch.rows, batch.weight):
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    settings = [{"type": type(config.kind).__name__, **asdict(config)} for config in configs]
    return {"configuration": json.dumps(settings), "rows": digest.hexdigest(), "seed": str(base)}


def _check_variety(rows: Float32[Tensor, "row d_model"], kind: Kind) -> None:
    if (rows == rows[0]).all():
        raise UserError(
            f"All {len(rows)} rows are the same vector, expected at least 2 distinct ones: harvest more varied windows."
        )
    match kind:
        case Pca(n_components=number) | Ica(n_components=number) if number > min(rows.shape):
            most, setting = min(rows.shape), "n_components"
        case SemiNmf(n_components=number) if number > len(rows):
            most, setting = len(rows), "n_components"
        case KMeans(n_clusters=number) if number > len(rows):
            most, setting = len(rows), "n_clusters"
        case _:
            return
    raise UserError(
        f"{type(kind).__name__} has {setting}={number}, expected at most {most} for {len(rows)} rows of length "
        f"{rows.shape[1]}: give fewer or more rows."
    )
