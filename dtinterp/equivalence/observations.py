"""The verbs of this floor on a subject: certify, screen, check_plays, follow_classes, explain_pair, explain_classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Int64
from torch import Tensor
from tyro.conf import Positional

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.goal_directed import tours
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.equivalence.certify import certify_inputs
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.comparisons.compared_partitions import Certified
from dtinterp.equivalence.comparisons.model_comparison import ModelComparisonConfig
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.class_features import class_features, dimensions
from dtinterp.equivalence.explain.distances import DEEPER, DISTANCES
from dtinterp.equivalence.explain.distances.distance import compared_frames
from dtinterp.equivalence.explain.explanations import ExplainedClasses, ExplainedPair
from dtinterp.equivalence.explain.prediction import predict
from dtinterp.equivalence.explain.similarity import learn_similarity
from dtinterp.equivalence.explain.smallest_set import PairConfig, pair_in_contexts, smallest_set
from dtinterp.equivalence.over_training import History, HistoryConfig, HistoryInputs, follow
from dtinterp.equivalence.partition import representatives
from dtinterp.equivalence.plays.joint import CheckedClasses, CheckPlaysConfig, JointReplacement, replace_jointly
from dtinterp.equivalence.populations.population import at_histories, moved_to, populated, tried_on
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.screen import ScreenConfig, Screening, screen_inputs
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.ranges import require_at_least, require_each_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.validation import validation_windows
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import StateGraph


def certify(
    subject: Subject,
    config: EquivalenceConfig = EquivalenceConfig(),
    *,
    cache: JobCache = NO_CACHE,
    agent: RecurrentActorCritic | None = None,
    finer_than: EquivalenceReport | None = None,
) -> EquivalenceReport:
    """Certify which observations the model treats alike, an untrained model beside it as control.

    An agent may play on the classes, too. Classes join nothing that `finer_than` keeps apart. Raises `UserError` where
    the config asks for plays of a world whose states cannot be enumerated.

    >>> few = dt.EquivalenceConfig(n_frames=8, n_contexts=2, n_plays=32, n_tested=9, n_joint=9, n_wandered=0)
    >>> dt.certify(subject, few).partition.n_classes
    5
    """
    inputs = replace(certify_inputs_of(subject, cache), agent=agent)
    inputs, moves = populated(inputs, config, graph_for(subject, config.contexts))
    return replace(certify_inputs(inputs, config, finer_than=finer_than), moves=moves)


def screen(subject: Subject, config: ScreenConfig = ScreenConfig(), *, cache: JobCache = NO_CACHE) -> Screening:
    """Sort up to ten thousand observations into classes, in held-out steps or on tours of the world."""
    inputs = certify_inputs_of(subject, cache)
    if config.contexts != "held-out":
        graph, rng = graph_for(subject, config.contexts), numpy_generator(config.seed, "screen/tours")
        inputs = moved_to(inputs, tours(graph, n_tours=config.n_tours, generator=rng))
    return screen_inputs(inputs, config)


def check_plays(
    subject: Subject,
    report: EquivalenceReport,
    config: CheckPlaysConfig = CheckPlaysConfig(),
    *,
    rivals: Sequence[EquivalenceReport] = (),
    cache: JobCache = NO_CACHE,
) -> JointReplacement:
    """Try certified classes in all plays of the world, every observation of a window replaced at once.

    Beside them `rivals`, the model's classes in other histories or asked other returns. Raises `UserError` where the
    states of the world cannot be enumerated, and `WorldError` where plays are too many.
    """
    graph = subject.graph
    if graph is None:
        raise UserError(
            f"the states of {subject.trajectories.env_id} cannot be enumerated, and so its plays cannot: "
            "give a model of a memory world."
        )
    table = FrameTable.of_graph(graph)
    checked, *others = (
        CheckedClasses(each.partition, each.relation, table.rows_of(each.frames), each.config.epsilon)
        for each in (report, *rivals)
    )
    named = {
        f"of {each.config.population}, {each.config.asks}": other for each, other in zip(rivals, others, strict=True)
    }
    if len(named) < len(rivals):
        raise UserError("two rivals are of the same histories, asked for the same return: give one of them.")
    return replace_jointly(subject.model, graph, checked, config, rivals=named, cache=cache)


def follow_classes(
    subject: Subject,
    models: Mapping[int, DecisionTransformer],
    config: HistoryConfig = HistoryConfig(),
    *,
    cache: JobCache = NO_CACHE,
) -> History:
    """Follow the classes through a training: its models by their steps, before the first an untrained one."""
    windows = validation_windows(subject.trajectories, subject.split, subject.training)
    inputs = HistoryInputs(subject.trajectories, subject.split.held_out, subject.items, windows)
    return follow({0: subject.untrained, **models}, inputs, config, cache=cache)


def certified(
    subject: Subject, report: EquivalenceReport, config: ModelComparisonConfig, dictionary: Dictionary | None = None
) -> Certified:
    """Return a model with its classes as `compare_models` holds it against others."""
    tried = tried_on(report.config, report.moves, subject.trajectories)
    return Certified(
        name=subject.trained.artefact.name,
        model=subject.model,
        untrained=subject.untrained,
        report=report,
        items=subject.items,
        windows=_tried_windows(subject, report, tried, config),
        frames=tried.frames,
        dictionary=dictionary,
    )


def _tried_windows(
    subject: Subject, report: EquivalenceReport, tried: Trajectories, config: ModelComparisonConfig
) -> Windows:
    """Return windows of the histories that classes are of, asked as the classes are."""
    if report.config.kind == "held-out":
        return _asked(subject.held_out_windows(config.n_windows, seed=config.seed), report.config.asked_return)
    steps = torch.randint(tried.n_steps, (config.n_windows,), generator=generator(config.seed, "compare/windows"))
    return window(tried, steps, subject.model.cfg.n_slots)


def _asked(windows: Windows, target_return: float | None) -> Windows:
    """Return windows that ask for one return in every slot; as they are for None."""
    return windows if target_return is None else replace(windows, rtg=windows.mask * torch.tensor(target_return))


@dataclass(frozen=True)
class ExplainPairConfig:
    """Which two observations, and how they are explained."""

    pair: Positional[tuple[int, int]]
    """the two observations, as rows of the demonstrations' frame table"""
    search: PairConfig = field(default_factory=PairConfig)
    """contexts, epsilon and how far to search"""

    def __post_init__(self) -> None:
        """Refuse one observation given twice, and what is no row."""
        require_sensible(self)
        require_each_at_least(self, 0, "pair")
        if self.pair[0] == self.pair[1]:
            raise UserError(f"frame {self.pair[0]} is given twice, expected two: nothing keeps it from itself.")


def explain_pair(
    subject: Subject, dictionary: Dictionary, config: ExplainPairConfig, classes: EquivalenceReport | None = None
) -> ExplainedPair:
    """Find the fewest features whose exchange makes two observations interchangeable, in contexts of both.

    These are of the histories that `classes` are of, or else of held-out demonstrations. Raises `UserError` for frames
    that are not in the demonstrations' table, or that no history shows.
    """
    pair, search = _in_table(config.pair, len(subject.items)), config.search
    inputs, histories = certify_inputs_of(subject), EquivalenceConfig(contexts="held-out")
    if classes is not None:
        histories = classes.config
        inputs = at_histories(inputs, histories, classes.moves)
    ready = pair_in_contexts(
        inputs.model, inputs.trajectories, inputs.steps, items=inputs.items, pair=pair, config=search
    )
    found = smallest_set(ready, dictionary, search, generator(search.seed, "pair/controls"))
    return ExplainedPair(config.pair, search, found, dictionary.name, f"{histories.population}, {histories.asks}")


@dataclass(frozen=True)
class ExplainClassesConfig:
    """How features are held against certified classes."""

    n_draws: int = 200
    """resamples of the frames for intervals, and relabellings of them for p-values"""
    n_splits: int = 20
    """random halves of the frames that similarities are learned on"""
    n_windows: int = 16
    """held-out windows in whose last slot each observation is put, to read a site deeper than the embedding"""
    target_return: float | None = None
    """return that these windows ask for; none: what the classes were asked for"""
    seed: int = 0
    """seed of all of them"""

    def __post_init__(self) -> None:
        """Refuse nothing drawn."""
        require_at_least(self, 1, "n_draws", "n_splits", "n_windows")
        require_sensible(self)

    def windows(self, subject: Subject, classes: EquivalenceConfig) -> Windows:
        """Return the windows that observations of a deeper site are read in."""
        asked = classes.asked_return if self.target_return is None else self.target_return
        return _asked(subject.held_out_windows(self.n_windows, seed=self.seed), asked)


def explain_classes(
    subject: Subject,
    report: EquivalenceReport,
    dictionary: Dictionary,
    config: ExplainClassesConfig = ExplainClassesConfig(),
) -> ExplainedClasses:
    """Say what members of each class share, and how well features tell which observations are interchangeable.

    The dictionary may be of any site: deeper than the embedding, codes are those of each observation in the last slot
    of the same windows. Raises `UserError` for a site where nothing depends on what is observed.
    """
    relation = report.relation
    windows = config.windows(subject, report.config) if dictionary.site != OBSERVATION_EMBEDDING else None
    frames = compared_frames(subject.model, subject.items, report.chosen.frame_id, dictionary, windows)
    distances = [distance(frames) for distance in (*DISTANCES, *(DEEPER if frames.is_deeper else ()))]
    rng = numpy_generator(config.seed, "explanation/controls")
    epsilon, codes = report.config.epsilon, frames.codes()
    return ExplainedClasses(
        predictions=predict(relation, distances, epsilon=epsilon, n_draws=config.n_draws, generator=rng),
        learned=learn_similarity(
            (relation.maximum <= epsilon).numpy(),
            codes.double().numpy(),
            frames.rows().double().numpy(),
            beside={each.name: each.maximum.double().numpy() for each in distances},
            n_splits=config.n_splits,
            generator=rng,
        ),
        dimensions=dimensions(frames.embedding, representatives(report.partition, relation).tolist()),
        classes=class_features(report.partition, codes),
        dictionary=dictionary.name,
        site=dictionary.site,
    )


def certify_inputs_of(subject: Subject, cache: JobCache = NO_CACHE) -> CertifyInputs:
    """Return a subject's model and held-out steps, an untrained model beside it as control."""
    held_out = subject.split.held_out
    return CertifyInputs(subject.model, subject.untrained, subject.trajectories, held_out, subject.items, cache)


def graph_for(subject: Subject, contexts: str) -> StateGraph:
    """Return the subject's world; raises `UserError` where it cannot be enumerated, as `contexts` demands."""
    if subject.graph is None:
        env_id = subject.trajectories.env_id
        raise UserError(f"contexts is {contexts}, but the states of {env_id} cannot be enumerated: give held-out.")
    return subject.graph


def _in_table(pair: Sequence[int], n_frames: int) -> Int64[Tensor, " 2"]:
    for frame in pair:
        if not 0 <= frame < n_frames:
            raise UserError(f"frame {frame} is not in the table of {n_frames} frames: choose from 0 to {n_frames - 1}.")
    return torch.tensor(pair)
