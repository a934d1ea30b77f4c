"""The command that fits dictionaries to sites of a model, and scores them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, check_site
from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.variations import Variations, varied
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.artefacts.reading import JSON
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.unfinished import unfinished_beside
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.replacements.scoring import Judging, score_fits
from dtinterp.subject.fitting import TrainingRows, Weighting, fit_dictionaries
from dtinterp.subject.subject import Subject, open_subject


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
    """several sites, fitted as one stack; empty: `site` alone"""
    untrained: bool = False
    """take a model of the same shape that never saw a window: the control"""
    n_windows: int | None = None
    """training windows whose rows are learnt; none: at the observation embedding every frame that training shows,
    elsewhere 4,096 windows"""
    weighting: Weighting | None = None
    """whether distinct rows count alike, or each as often as it is visited; none: alike at the observation embedding,
    elsewhere by visits"""
    rows: Path | None = None
    """folder that `dtinterp harvest` wrote from the model's training side at `site`: its rows are learnt instead"""
    n_held_out_windows: int = 1024
    """held-out windows on which it is scored"""
    judging: Judging = field(default_factory=Judging)
    """how the model is made to act on reconstructions, and pass marks"""
    seed: int = 0
    """seed of windows and weights"""

    def __post_init__(self) -> None:
        """Refuse rows of one site for several, and a site that is named twice."""
        if self.rows is not None and self.sites:
            raise UserError(f"{self.rows} holds rows of one site: give --site, and no --sites.")
        twice = sorted({site for site in self.sites if self.sites.count(site) > 1})
        if twice:
            raise UserError(f"--sites names {twice[0]} more than once: give each site once.")
        require_at_least(self, 1, "n_windows", "n_held_out_windows")
        require_sensible(self)

    @property
    def is_stack(self) -> bool:
        """Whether there may be more than one dictionary, each with a folder of its own."""
        return bool(self.sites) or self.vary != Variations()


@claims_out
def fit_dictionary(
    config: DictionaryConfig,
    out: Path = Path("results/dictionary"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> tuple[Artefact, ...]:
    """Fit autoencoders or baselines to sites of a model, and score them on held-out windows.

    One dictionary is written to OUT itself. With several widths, sparsities, seeds or sites, all are fitted as one
    computation and written to OUT/SITE/NAME. An interrupted fit goes on where it stopped when the same command is given
    again.

    Args:
        config: which rows, and how.
        out: folder to write, or to write into.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write anew what exists.
    """
    subject = open_subject(model, demonstrations, untrained=config.untrained)
    fits = varied(config.fit, config.vary)
    sites = config.sites or (config.site,)
    for site in sites:
        check_site(subject.model, site)
        for fit in fits:
            refuse_existing(_folder(out, site, fit, config), replace=replace)
    unfinished = unfinished_beside(out)
    fitted = _fitted(subject, sites, config)
    found = fit_dictionaries(fitted, fits, seed=config.seed, unfinished=unfinished)
    written: list[Artefact] = []
    for at_site, dictionaries in zip(fitted, found, strict=True):
        parents = (*subject.artefacts, *at_site.source)
        scored = score_fits(
            at_site, fits, dictionaries, config.judging, n_windows=config.n_held_out_windows, seed=config.seed
        )
        for fit, (dictionary, score) in zip(fits, scored, strict=True):
            folder = _folder(out, at_site.site, fit, config)
            artefact = save(
                folder,
                dictionary,
                parents=parents,
                seed=config.seed,
                replace=replace,
                beside=Beside(_learnt(at_site), asdict(score)),
            )
            written.append(artefact)
    unfinished.unlink(missing_ok=True)
    return tuple(written)


def _fitted(subject: Subject, sites: Sequence[str], config: DictionaryConfig) -> list[TrainingRows]:
    if config.rows is not None:
        return [TrainingRows.read(subject, site, config.rows, weighting=config.weighting) for site in sites]
    return TrainingRows.of_sites(
        subject, sites, n_windows=config.n_windows, weighting=config.weighting, seed=config.seed
    )


def _learnt(rows: TrainingRows) -> dict[str, JSON]:
    """Return what is noted of the rows that a dictionary was fitted to."""
    return {"n_distinct_rows": len(rows.rows.value), "weighting": rows.weighting}


def _folder(out: Path, site: str, fit: FitConfig, config: DictionaryConfig) -> Path:
    return out / site / fit.title if config.is_stack else out
