"""A model on disk becomes dictionaries of its sites, with their report cards, on disk."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, check_site
from dtinterp.commands.held_out_rows import Fitted, HeldOutRows
from dtinterp.commands.scoring import Judging, score_on_held_out
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fit import of_directions
from dtinterp.dictionary.kinds import Items
from dtinterp.dictionary.score import DictionaryScore
from dtinterp.dictionary.stack import fit_stack
from dtinterp.dictionary.storage import save_dictionary
from dtinterp.dictionary.variations import Variations, consistencies, varied
from dtinterp.features.recovery import item_directions, item_rate
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator


@dataclass(frozen=True)
class DictionaryConfig:
    """Which rows a dictionary learns, and how; with variations or several sites, a stack of dictionaries."""

    site: str = OBSERVATION_EMBEDDING
    """where in the model, at observation tokens: hook_obs_embed, blocks.L.hook_resid_pre, _mid or _post, or any other
    hook"""
    fit: FitConfig = field(default_factory=FitConfig)
    """kind, width and training"""
    vary: Variations = field(default_factory=Variations)
    """what a stack varies"""
    sites: tuple[str, ...] = ()
    """several sites, each with a stack of its own; empty: `site` alone"""
    untrained: bool = False
    """take a model of the same shape that never saw a window: the control"""
    n_windows: int = 4096
    """training windows whose rows are learnt"""
    n_held_out_windows: int = 1024
    """held-out windows on which it is scored"""
    judging: Judging = field(default_factory=Judging)
    """how the model is made to act on reconstructions, and pass marks"""
    seed: int = 0
    """seed of windows and weights"""

    @property
    def is_stack(self) -> bool:
        """Whether there may be more than one dictionary, each with a folder of its own."""
        return bool(self.sites) or self.vary != Variations()


def fit_dictionary(
    config: DictionaryConfig,
    out: Path = Path("results/dictionary"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> tuple[Artefact, ...]:
    """Fit autoencoders or baselines to sites of a model, and score them on held-out windows.

    One dictionary is written to OUT itself. With several widths, sparsities, seeds or sites, all of a site are fitted
    as one computation and written to OUT/SITE/NAME. An interrupted fit goes on where it stopped when the same command
    is given again.

    Args:
        config: which rows, and how.
        out: folder to write, or to write into.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        replace: write anew what exists.
    """
    subject = load_subject(model, demonstrations, untrained=config.untrained)
    fits = varied(config.fit, config.vary)
    sites = config.sites or (config.site,)
    folders = {site: [_folder(out, site, fit, config) for fit in fits] for site in sites}
    for site in sites:
        check_site(subject.model, site)
        for folder in folders[site]:
            refuse_existing(folder, replace=replace)
    written: list[Artefact] = []
    for site in sites:
        unfinished = out.with_name(f"{out.name}{f'.{site}' if config.is_stack else ''}.unfinished.safetensors")
        scored = fit_site(subject, site, fits=fits, config=config, unfinished=unfinished)
        for folder, (dictionary, score) in zip(folders[site], scored, strict=True):
            parents, seed = subject.artefacts, config.seed
            artefact = save_dictionary(folder, dictionary, score=score, parents=parents, seed=seed, replace=replace)
            written.append(artefact)
        unfinished.unlink(missing_ok=True)
    return tuple(written)


def fit_site(
    subject: Subject, site: str, *, fits: Sequence[FitConfig], config: DictionaryConfig, unfinished: Path
) -> Iterator[tuple[Dictionary, DictionaryScore]]:
    """Fit all dictionaries of one site to its distinct rows, each weighted by its count, and yield them scored."""
    fitted = Fitted.of(subject, site, n_windows=config.n_windows, seed=config.seed)
    dictionaries = _fitted(subject, fitted, site=site, fits=fits, config=config, unfinished=unfinished)
    held_out = HeldOutRows.of(subject, site, n_windows=config.n_held_out_windows, seed=config.seed)
    for dictionary, alike in zip(dictionaries, consistencies(fits, dictionaries), strict=True):
        score = score_on_held_out(held_out, dictionary, config.judging, fitted=fitted, seed=config.seed)
        name = f"untrained {dictionary.name}" if subject.is_untrained else dictionary.name
        yield dataclasses.replace(dictionary, name=name), dataclasses.replace(score, consistency=alike)


def _fitted(
    subject: Subject,
    fitted: Fitted,
    *,
    site: str,
    fits: Sequence[FitConfig],
    config: DictionaryConfig,
    unfinished: Path,
) -> list[Dictionary]:
    """Fit; items are given as the model embeds them."""
    rows = fitted.rows
    if isinstance(fits[0].kind, Items):
        directions = item_directions(subject.model.W_obs.detach(), _item_rate(subject, config))
        return [of_directions(directions, rows.value, fit, site=site, weights=rows.count) for fit in fits]
    title = fits[0].title if len(fits) == 1 else f"{len(fits)} dictionaries"
    with progress(f"fitting {title} at {site}", fits[0].n_steps) as bar:

        def show(state: FitProgress) -> None:
            bar.reach(state.step, _note(state))

        return fit_stack(
            rows.value,
            fits,
            generator=generator(config.seed, f"dictionary/{site}"),
            site=site,
            weights=rows.count,
            watch=Watch(show, unfinished),
        )


def _folder(out: Path, site: str, fit: FitConfig, config: DictionaryConfig) -> Path:
    return out / site / fit.title if config.is_stack else out


def _note(state: FitProgress) -> str:
    dead, rate = f"{state.silent_share:.0%} dead", f"{state.rows_per_second:,.0f} rows/s"
    return f"loss {state.loss:.3f} FVU {state.fvu:.3f} L0 {state.l0:.1f} {dead} {rate}"


def _item_rate(subject: Subject, config: DictionaryConfig) -> Float32[Tensor, " item"]:
    """Return the share of training rows that show each item."""
    windows = subject.train_windows(config.n_windows, seed=config.seed)
    return item_rate(subject.items, windows.frame_id[windows.mask])
