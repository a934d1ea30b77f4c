"""A model on disk becomes a dictionary of one of its sites, with its report card, on disk."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import RowEdit, harvest, logits_at_rows
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.card import held_out_cards
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import DistinctRows, distinct_rows
from dtinterp.dictionary.fit import fit, of_directions
from dtinterp.dictionary.kinds import Items
from dtinterp.dictionary.score import DictionaryScore, score
from dtinterp.dictionary.storage import save_dictionary
from dtinterp.features.recovery import item_directions, item_rate
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator, numpy_generator


@dataclass(frozen=True)
class DictionaryConfig:
    """Which rows a dictionary learns, and how."""

    site: str = OBSERVATION_EMBEDDING
    """where in the model, at observation tokens: hook_obs_embed, blocks.L.hook_resid_pre or _post, or any other hook"""
    fit: FitConfig = field(default_factory=FitConfig)
    """kind, width and training"""
    n_windows: int = 4096
    """training windows whose rows are learnt"""
    n_held_out_windows: int = 1024
    """held-out windows on which it is scored"""
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
    artefact = save_dictionary(
        out,
        dictionary,
        score=score_on_held_out(subject, dictionary, config, fitted=fitted),
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


def score_on_held_out(
    subject: Subject, dictionary: Dictionary, config: DictionaryConfig, *, fitted: DistinctRows
) -> DictionaryScore:
    """Score on rows of episodes that neither model nor dictionary saw; resampled by episode."""
    windows = subject.held_out_windows(config.n_held_out_windows, seed=config.seed)
    rows = harvest(subject.model, windows, subject.items, config.site)

    def logits_with(edit: RowEdit | None) -> Float32[Tensor, "row action"]:
        return logits_at_rows(subject.model, windows, subject.items, site=config.site, edit=edit)

    cluster = subject.trajectories.episode[rows.step]
    judged = score(
        dictionary,
        rows.value,
        target_action=windows.action[windows.mask],
        logits_with=logits_with,
        generator=numpy_generator(config.seed, "dictionary/bootstrap"),
        cluster=cluster,
    )
    cards = held_out_cards(
        dictionary,
        rows.value,
        fitted=fitted.value,
        generator=numpy_generator(config.seed, "dictionary/cards"),
        cluster=cluster,
    )
    return dataclasses.replace(judged, held_out=cards)
