"""A model on disk becomes a dictionary of one of its sites, with its report card, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.scoring import HeldOutRows, score_on_held_out
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import DistinctRows, distinct_rows
from dtinterp.dictionary.fit import fit, of_directions
from dtinterp.dictionary.kinds import Items
from dtinterp.dictionary.storage import save_dictionary
from dtinterp.features.recovery import item_directions, item_rate
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.acting import ActingConfig


@dataclass(frozen=True)
class DictionaryConfig:
    """Which rows a dictionary learns, and how."""

    site: str = OBSERVATION_EMBEDDING
    """where in the model: hook_obs_embed, or blocks.L.hook_resid_pre , _mid or _post at observation tokens"""
    fit: FitConfig = field(default_factory=FitConfig)
    """kind, width and training"""
    n_windows: int = 4096
    """training windows whose rows are learnt"""
    n_held_out_windows: int = 1024
    """held-out windows on which it is scored"""
    acting: ActingConfig = field(default_factory=ActingConfig)
    """how the model is made to act on reconstructions"""
    seed: int = 0
    """seed of windows and weights"""


def fit_dictionary(
    config: DictionaryConfig,
    out: Path = Path("results/dictionary"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> Artefact:
    """Fit an autoencoder or a baseline to a site of a model, and score it on held-out windows.

    An interrupted fit goes on where it stopped when the same command is given again.

    Args:
        config: which rows, and how.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    fitted = rows_to_fit(subject, config)
    unfinished = out.with_name(f"{out.name}.unfinished.safetensors")
    dictionary = fit_to(subject, fitted, config, unfinished=unfinished)
    held_out = HeldOutRows.of(subject, config.site, n_windows=config.n_held_out_windows, seed=config.seed)
    artefact = save_dictionary(
        out,
        dictionary,
        score=score_on_held_out(held_out, dictionary, config.acting, fitted=fitted, seed=config.seed),
        parents=subject.artefacts,
        seed=config.seed,
        replace=replace,
    )
    unfinished.unlink(missing_ok=True)
    return artefact


def rows_to_fit(subject: Subject, config: DictionaryConfig) -> DistinctRows:
    """Return the distinct rows of the training windows with their counts."""
    windows = subject.train_windows(config.n_windows, seed=config.seed)
    return distinct_rows(harvest(subject.model, windows, subject.items, config.site).value)


def fit_to(
    subject: Subject, rows: DistinctRows, config: DictionaryConfig, *, unfinished: Path | None = None
) -> Dictionary:
    """Fit to distinct rows, each weighted by its count; items are given as the model embeds them."""
    if isinstance(config.fit.kind, Items):
        directions = item_directions(subject.model.W_obs.detach(), _item_rate(subject, config))
        return of_directions(directions, rows.value, config.fit, site=config.site, weights=rows.count)
    with progress(f"fitting {config.fit.title} at {config.site}", config.fit.n_steps) as bar:

        def show(state: FitProgress) -> None:
            bar.reach(
                state.step,
                _note(state),
            )

        return fit(
            rows.value,
            config.fit,
            generator=generator(config.seed, f"dictionary/{config.site}"),
            site=config.site,
            weights=rows.count,
            watch=Watch(show, unfinished),
        )


def _note(state: FitProgress) -> str:
    dead, rate = f"{state.silent_share:.0%} dead", f"{state.rows_per_second:,.0f} rows/s"
    return f"loss {state.loss:.3f} FVU {state.fvu:.3f} L0 {state.l0:.1f} {dead} {rate}"


def _item_rate(subject: Subject, config: DictionaryConfig) -> Float32[Tensor, " item"]:
    """Return the share of training rows that show each item."""
    windows = subject.train_windows(config.n_windows, seed=config.seed)
    return item_rate(subject.items, windows.frame_id[windows.mask])
