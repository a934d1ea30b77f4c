"""A model on disk becomes a dictionary of one of its sites, with its report card, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import RowEdit, harvest, logits_at_rows
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import distinct_rows
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.score import DictionaryScore, score
from dtinterp.dictionary.storage import save_dictionary
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator, numpy_generator


@dataclass(frozen=True)
class DictionaryConfig:
    """Which rows a dictionary learns, and how."""

    site: str = OBSERVATION_EMBEDDING
    """where in the model: hook_obs_embed, or blocks.L.hook_resid_pre or _post at observation tokens"""
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
    """Fit a sparse autoencoder or a PCA to a site of a model, and score it on held-out windows.

    Args:
        config: which rows, and how.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    dictionary = fit_to(subject, config)
    return save_dictionary(
        out,
        dictionary,
        score=score_on_held_out(subject, dictionary, config),
        parents=subject.artefacts,
        seed=config.seed,
        replace=replace,
    )


def fit_to(subject: Subject, config: DictionaryConfig) -> Dictionary:
    """Fit to the distinct rows of the training windows, each weighted by its count."""
    windows = subject.train_windows(config.n_windows, seed=config.seed)
    rows = distinct_rows(harvest(subject.model, windows, subject.items, config.site).value)
    with progress(f"fitting {config.fit.title} at {config.site}", config.fit.n_steps) as bar:

        def show(state: FitProgress) -> None:
            bar.reach(state.step, f"FVU {state.fvu:.3f} L0 {state.l0:.1f}")

        return fit(
            rows.value,
            config.fit,
            generator=generator(config.seed, f"dictionary/{config.site}"),
            site=config.site,
            weights=rows.count,
            watch=Watch(show),
        )


def score_on_held_out(subject: Subject, dictionary: Dictionary, config: DictionaryConfig) -> DictionaryScore:
    """Score on rows of episodes that neither model nor dictionary saw; resampled by episode."""
    windows = subject.held_out_windows(config.n_held_out_windows, seed=config.seed)
    rows = harvest(subject.model, windows, subject.items, config.site)

    def logits_with(edit: RowEdit | None) -> Float32[Tensor, "row action"]:
        return logits_at_rows(subject.model, windows, subject.items, site=config.site, edit=edit)

    return score(
        dictionary,
        rows.value,
        target_action=windows.action[windows.mask],
        logits_with=logits_with,
        generator=numpy_generator(config.seed, "dictionary/bootstrap"),
        cluster=subject.trajectories.episode[rows.step],
    )
