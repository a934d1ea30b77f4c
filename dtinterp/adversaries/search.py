"""The verb of this floor: search edits of what was seen that flip an objective, in the windows of a subject."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from dtinterp.adversaries.cell_model import CellModel, cell_model
from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.edits import edits_of
from dtinterp.adversaries.edits.observation_edit import ObservationEdit, table_of
from dtinterp.adversaries.naturalness import Budget, naturalness
from dtinterp.adversaries.objectives.actions import FlipAction, FlipLogits
from dtinterp.adversaries.objectives.features import FlipFeature
from dtinterp.adversaries.objectives.objective import Objective
from dtinterp.adversaries.problem import Found, Problem, Tally
from dtinterp.adversaries.report import Adversary, AdversaryReport, OfSize, RandomControl, SceneSearch
from dtinterp.adversaries.scene import Scene, scenes
from dtinterp.adversaries.strategies import STRATEGIES
from dtinterp.adversaries.strategies.random_sets import drawn
from dtinterp.adversaries.understanding import SearchAids, understood
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject
from environments.vocabulary import ACTIONS


def search(
    subject: Subject, config: AdversaryConfig = AdversaryConfig(), aids: SearchAids = SearchAids()
) -> AdversaryReport:
    """Search the smallest edits that flip an objective at the decision points of a memory world.

    The smallest are explained, and shown to other models. Raises `UserError` where the world's states cannot be
    enumerated, or a feature is asked for without its dictionary.
    """
    found, objective = [], objective_of(config, aids.dictionary)
    model = cell_model(subject.trajectories, longest=subject.trajectories.max_steps)
    windows = decision_scenes(subject, config)
    with progress("searching windows", len(windows)) as bar:
        for done, scene in enumerate(windows, start=1):
            problem = replace(problem_of(subject.model, scene, model, objective, config), features=aids.of_embedding)
            found.append(searched(problem, model, config, aids))
            bar.reach(done)
    return AdversaryReport(subject.trajectories.env_id, config, tuple(found))


def decision_scenes(subject: Subject, config: AdversaryConfig) -> tuple[Scene, ...]:
    """Return the windows at whose end going forward stops being best, from each start of the subject's world."""
    graph = subject.graph
    if graph is None:
        raise UserError(
            f"the states of {subject.trajectories.env_id} cannot be enumerated, so nothing says which edits it allows: "
            "give a model of a memory world."
        )
    points = DecisionPoints(asked=float(config.target_return), detours=config.detours)
    chosen = points.choose(subject, config.seed)
    return scenes(graph, chosen.windows, chosen.frames, chosen.names)


def objective_of(config: AdversaryConfig, dictionary: Dictionary | None) -> Objective:
    """Return what is to be flipped. Raises `UserError` where a feature has no dictionary, or not that many."""
    numbers = [ACTIONS.index(name) for name in config.actions]
    if config.flip == "logits":
        return FlipLogits(*numbers)
    if config.flip == "action":
        return FlipAction(*numbers)
    if dictionary is None:
        raise UserError("a feature is to be flipped, but no dictionary says which: give --dictionary.")
    if config.feature >= dictionary.width:
        raise UserError(
            f"feature is {config.feature}, {dictionary.name} has features 0 to {dictionary.width - 1}: "
            "give one of them."
        )
    return FlipFeature(dictionary, config.feature, config.frame, config.level)


def problem_of(
    model: DecisionTransformer, scene: Scene, cells: CellModel, objective: Objective, config: AdversaryConfig
) -> Problem:
    """Return the search problem of one window. Raises `UserError` for a frame that the window has not."""
    if isinstance(objective, FlipFeature) and objective.slot >= scene.n_real:
        raise UserError(
            f"frame is {objective.slot}, the window {scene.name!r} has frames 0 to {scene.n_real - 1}: "
            "give one of them."
        )
    table = edits_of(scene, config.edits)
    return Problem(EditedWindow(model, scene), table, naturalness(scene, table, cells), objective, config.budget)


def searched(
    problem: Problem, cells: CellModel, config: AdversaryConfig, aids: SearchAids = SearchAids()
) -> SceneSearch:
    """Search one window, and hold what is found against random sets and against what the world could show."""
    scene = problem.window.scene
    tally = Tally(problem, config.max_candidates)
    rng = generator(config.seed, f"adversaries/{config.strategy}/{scene.name}")
    proof = STRATEGIES[config.strategy](problem, tally, rng)
    sizes = tuple(_of_size(problem, tally, size) for size in sorted(tally.best))
    return SceneSearch(
        scene=scene.name,
        objective=problem.objective.title,
        original=problem.original,
        n_edits_known=len(problem.table),
        sizes=sizes,
        proof=proof,
        control=_control(problem, tally, config) if config.n_controls else None,
        possible=_possible(problem, cells),
        curve=tuple(tally.curve),
        frames=scene.frames,
        understanding=understood(problem, _smallest(tally), aids, returns=config.returns, seed=config.seed),
    )


def _smallest(tally: Tally) -> list[Found]:
    """Return the likeliest adversary of the fewest edits, and the likeliest that leaves what is best nearest."""
    kept = [*(tally.likeliest[size] for size in sorted(tally.likeliest))][:1]
    kept += [*(tally.likeliest_keeping[size] for size in sorted(tally.likeliest_keeping))][:1]
    return list({each.edits: each for each in kept}.values())


def adversary(problem: Problem, found: Found) -> Adversary:
    """Return a set of edits with how natural it is."""
    sets, costs = torch.tensor([found.edits]), problem.naturalness
    return Adversary(
        edits=problem.table.words(found.edits),
        value=found.value,
        log_likelihood=float(costs.nats(sets)),
        is_of_world=all(problem.table.edits[edit].is_of_world for edit in found.edits),
        cells_from_shown=int(costs.cells_from_shown(sets)),
        cells_from_same=int(costs.cells_from_same(sets)),
        cells_from_other=int(costs.cells_from_other(sets)),
        frames=problem.adversarial(found.edits),
    )


def _of_size(problem: Problem, tally: Tally, size: int) -> OfSize:
    def told(kept: Mapping[int, Found]) -> Adversary | None:
        return adversary(problem, kept[size]) if size in kept else None

    return OfSize(
        n_edits=size,
        n_candidates=tally.n_evaluated[size],
        n_flipping=tally.n_flipping[size],
        n_keeping=tally.n_keeping[size],
        n_undecided=tally.n_undecided[size],
        lowest=adversary(problem, tally.best[size]),
        likeliest=told(tally.likeliest),
        likeliest_keeping=told(tally.likeliest_keeping),
    )


def _control(problem: Problem, tally: Tally, config: AdversaryConfig) -> RandomControl | None:
    """Draw distinct random sets of the smallest size that flips; None where nothing flips."""
    size = tally.smallest()
    if size is None:
        return None
    rng = generator(config.seed, f"adversaries/control/{problem.window.scene.name}")
    sets = drawn(problem, size, config.n_controls, rng).sort(1).values.unique(dim=0)
    flips = problem.values(sets) < 0
    likely = problem.naturalness.nats(sets) >= problem.naturalness.nats(torch.tensor([tally.likeliest[size].edits]))
    return RandomControl(size, _share(flips), _share(flips[likely]) if likely.any() else None)


def _share(flips: Bool[Tensor, " draw"]) -> Interval:
    return wilson(int(flips.sum()), len(flips))


def _possible(problem: Problem, cells: CellModel) -> tuple[Adversary, ...]:
    """Return every other window that the world could show under the same actions."""
    scene = problem.window.scene
    others = []
    for frames in scene.possible[1:]:
        differs = (frames != scene.frames).any(-1).flatten(1)  # real cell
        words = f"what the world shows from another start: {int(differs.sum())} cells differ"
        others.append(ObservationEdit(words, frames, int(differs.any(1).int().argmax()), is_of_world=True))
    table = table_of(scene.frames, others)
    whole = replace(problem, table=table, naturalness=naturalness(scene, table, cells), budget=Budget(1))
    values = whole.values(torch.arange(len(table))[:, None]).tolist() if len(table) else []
    return tuple(adversary(whole, Found((number,), value)) for number, value in enumerate(values))
