"""The verbs of `import dtinterp as dt`: a study in a handful of lines, the same as the command line makes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.windows import Windows, blank_windows
from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import parse_sampler
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.score import DictionaryScore
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.computed import ComputedKind
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import load_any
from dtinterp.foundation.artefacts.codec import save as save_value
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.specifications import understood
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits import AnyEdit, edit_of
from dtinterp.interventions.experiment.opening import open_experiment
from dtinterp.interventions.experiment.result import ExperimentResult
from dtinterp.interventions.experiment.running import run_opened
from dtinterp.interventions.experiment.specification import Experiment, read_experiment
from dtinterp.interventions.intervene import Intervention, made
from dtinterp.interventions.intervene import intervene as intervened
from dtinterp.interventions.replacements.scoring import score_dictionary
from dtinterp.interventions.returns.paired_rollouts import PatchedPolicy
from dtinterp.model.network.frames import coded
from dtinterp.model.policy import WindowPolicy
from dtinterp.subject.fitting import Weighting, fit_dictionary
from dtinterp.subject.subject import Subject
from dtinterp.subject.subject import open_subject as opened
from environments.making import make_worlds

DEFAULT_KIND = TopK(8)


def open_subject(model: str | Path, demonstrations: str | Path | None = None) -> Subject:
    """Open a trained model together with the demonstrations that it was trained on.

    Without `demonstrations` those are found that the model's manifest records. Raises `UserError` where something is
    missing, damaged, or of another model.

    >>> subject = dt.open_subject("checkpoints/models/memory-dt-small-0")
    >>> subject.trajectories.env_id
    'MiniGrid-MemoryS7FixedStart-v0'
    """
    return opened(Path(model), None if demonstrations is None else Path(demonstrations))


def rollout(  # noqa: PLR0913 -- all but the subject have defaults
    subject: Subject,
    *,
    target_return: float = 0.892,
    n_episodes: int = 100,
    sampler: str = "greedy",
    edits: Sequence[AnyEdit] = (),
    dictionaries: Sequence[Dictionary] = (),
    seed: int = 0,
) -> Evaluation:
    """Let the model act in its world, asked for a return, intact or with edits made at every step.

    Success, return and length have intervals over episodes. `sampler` is `greedy`, `temperature=1` and so on; the edits
    are those of `dt.edit`, whose features are of these dictionaries. Raises `UserError` for an unknown sampler, a model
    of several worlds, or an edit that cannot be made.

    >>> dt.rollout(subject, n_episodes=20).success.estimate
    1.0
    """
    (env_id, *others) = subject.trajectories.env_ids
    if others:
        raise UserError(f"{subject.trained.artefact.path} acts in {1 + len(others)} worlds: open it on one of them.")
    worlds = make_worlds(env_id, n_episodes, generator=generator(seed, "rollout/starts"))
    policy = WindowPolicy(subject.model, coded(worlds, subject.model.cfg.n_items), target_return=target_return)
    patched = PatchedPolicy(
        policy, _made(subject, blank_windows(n_episodes, policy.model.cfg.n_slots), edits, dictionaries)
    )
    return evaluate(patched, worlds, parse_sampler(sampler), generator=generator(seed, "rollout/actions"))


def fit(
    subject: Subject,
    *,
    site: str = OBSERVATION_EMBEDDING,
    kind: LearnedKind | ComputedKind = DEFAULT_KIND,
    width: int = 128,
    weighting: Weighting | None = None,
    seed: int = 0,
) -> Dictionary:
    """Fit a sparse autoencoder, or a baseline such as `dt.Pca(8)`, to rows of a site that training shows.

    `site` is the name of a hook, such as `blocks.1.hook_resid_pre`; `kind` is any of `dtinterp.dictionary.kinds`;
    `width` is the number of features. At the observation embedding the rows are those of all training frames, elsewhere
    of 4,096 windows. Distinct rows count `"alike"`, or by their `"visits"`; by default alike at the embedding alone.
    Raises `UserError` for what is no kind, or where the model has no such site.

    >>> pca = dt.fit(subject, site="blocks.1.hook_resid_pre", kind=dt.Pca(8))
    >>> pca.W_dec.shape
    torch.Size([8, 128])
    """
    if not isinstance(kind, LearnedKind | ComputedKind):
        raise UserError(f"the kind is {kind!r}, expected a value such as dt.TopK(8) or dt.Pca(8): give one.")
    return fit_dictionary(subject, site, FitConfig(kind, width=width), weighting=weighting, seed=seed)


def score(subject: Subject, dictionary: Dictionary, *, n_windows: int = 1024, seed: int = 0) -> DictionaryScore:
    """Judge a dictionary on held-out windows: L0, FVU, and what the model's predictions and return lose by it.

    `seed` is the one that the dictionary was fitted with, so that what the fit saw is known.

    >>> round(dt.score(subject, pca, n_windows=64).l0.estimate)
    8
    """
    return score_dictionary(subject, dictionary, n_windows=n_windows, seed=seed)


def edit(**words: object) -> AnyEdit:
    """Return an edit, said in the words of an experiment file.

    What is done comes first, to which part of a row: `set`, `add`, `scale`, `clamp`, `ablate`, `swap`, `oblique`,
    `rewrite` or `project` a feature, direction, subspace, item, whole token or entry of a pattern; then `at` which
    place and `to` (or `by`) how much. Raises `UserError` for the first word that is wrong.

    >>> edit = dt.edit(set={"feature": 3}, at={"site": "blocks.1.hook_resid_pre", "slot": "last"}, to=2.0)
    >>> edit.said["set"]
    {'feature': 3}
    """
    return edit_of(words)


def intervene(
    subject: Subject, windows: Windows, edits: Sequence[AnyEdit], *, dictionaries: Sequence[Dictionary] = ()
) -> Float32[Tensor, "batch slot action"]:
    """Return the action logits in these windows of the subject, with the edits made one after the other.

    Features are of `dictionaries`, which edits name where there are several. Raises `UserError` where an edit names
    something that there is not, or has several doses.

    >>> windows = subject.held_out_windows(4, seed=0)
    >>> logits = dt.intervene(subject, windows, [edit], dictionaries=[pca])
    >>> logits.shape
    torch.Size([4, 10, 7])
    """
    return intervened(subject.model, windows, subject.items, _made(subject, windows, edits, dictionaries))


def run_experiment(file: str | Path | None = None, /, **words: object) -> ExperimentResult:
    """Run an experiment that a file describes, or its words: question, subject, windows, edits, measure and so on.

    The result's `verdict` and `in_words` say what was found, beside every control. Edits may be those of `dt.edit`.
    Raises `UserError` for the first thing that is wrong or not there.

    >>> result = dt.run_experiment(
    ...     question="Does feature 3 of the newest frame turn the agent?",
    ...     subject={"dictionaries": {"topk": "checkpoints/studies/{model}/dictionaries/hook_obs_embed/topk-128-k8"}},
    ...     windows="decision_points",
    ...     edits=[dt.edit(set={"feature": 3}, at="hook_obs_embed", to=[0, 1])],
    ...     controls={"matched_features": 2, "random_directions": 2},
    ... )
    >>> result.arms[0].changes.shape  # two measures, two doses, four windows
    torch.Size([2, 2, 4])
    """
    if file is None:
        return run_opened(open_experiment(understood(words, Experiment, whence="the experiment")))
    if words:
        raise UserError(f"the words {', '.join(words)} stand beside a file: say them in the file, or give words alone.")
    return run_opened(open_experiment(read_experiment(Path(file))))


def load(folder: str | Path) -> Any:
    """Read what any command wrote: a model, trajectories, a dictionary, a report. Its manifest says of which kind.

    Raises `UserError` where the folder holds no artefact, or a damaged one.

    >>> dt.load("checkpoints/studies/memory-dt/equivalence").partition.n_classes
    55
    """
    return load_any(Path(folder))[0]


def save(value: object, folder: str | Path, *, subject: Subject, seed: int = 0, replace: bool = False) -> Artefact:
    """Write a dictionary or a report as commands do: whole or not at all, with the subject's artefacts as its parents.

    Raises `UserError` where the folder exists and `replace` is not given.

    >>> dt.save(table, folder / "features", subject=subject).manifest.kind
    'features'
    """
    return save_value(Path(folder), value, parents=subject.artefacts, seed=seed, replace=replace)


def _made(
    subject: Subject, windows: Windows, edits: Sequence[AnyEdit], dictionaries: Sequence[Dictionary]
) -> list[Intervention]:
    """Return the edits of these windows. Raises `UserError` where one has several doses."""
    names = [f"window {number}" for number in range(len(windows))]
    known = Bindings(subject, windows, subject.items, names, {each.name: each for each in dictionaries})
    bound = [each.bound(known) for each in edits]
    for each in bound:
        if each.n_doses > 1:
            raise UserError(f"an edit has {each.n_doses} doses, expected one: sweeps are for dt.run_experiment.")
    return [made(each, slice(0, 1), len(windows)) for each in bound]
