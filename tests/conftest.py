"""What every test shares: one thread, quick tests before slow ones, and a small study for whatever shows results."""

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers share two cores, and child processes inherit it

import torch

from tests.signatures import check_signatures

torch.set_num_threads(1)  # sums are taken in the same order on every machine
check_signatures()

EXPERIMENT = """
world: MiniGrid-MemoryS7FixedStartStatic-v0
target_return: 0.892
site: blocks.0.hook_resid_pre
direction: first_component
cells: [[4, 2], [4, 3], [0, 5], [2, 6]]
unit: activation
coefficients: [-1, 0, 1]
strength: 1
decoys: [[[0, 5]]]
n_draws: 3
closed_loop: {samplers: [temperature=1], n_episodes: 4, n_draws: 1}
seed: 0
"""


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Hear Ctrl-C as Python does, also where the tests were started by something that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests after quick ones, and the browser last."""
    items.sort(key=_lateness)


def _lateness(item: pytest.Item) -> int:
    if item.get_closest_marker("browser"):
        return 2
    return 1 if item.get_closest_marker("slow") else 0


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as checkpoints/ is, with a small real artefact of every kind; the model is untrained.

    Nothing is written into it: all workers share it.
    """

    from dtinterp.dictionary.config import FitConfig
    from dtinterp.foundation.jobs.kept import kept

    def write(root: Path) -> None:
        folder = root / "checkpoints"
        _write_subject(folder)
        subject = {"model": folder / "models" / "novice", "demonstrations": folder / "demonstrations" / "walks"}
        with kept(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "dtinterp.subject.fitting.FitConfig", partial(FitConfig, n_steps=20)
            )  # of the labels' control
            _write_findings(folder, subject)

    return made_once(tmp_path_factory, "small", write) / "checkpoints"


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker that wants it makes, and that all of them read."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, finished = root / f"all-{name}", root / f"all-{name}.finished"
    with (root / f"all-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            finished.touch()
    return folder


def _write_subject(folder: Path) -> None:
    from dtinterp.agents.config import AgentConfig
    from dtinterp.agents.items import FrameItems
    from dtinterp.agents.network import AgentPolicy, RecurrentActorCritic
    from dtinterp.agents.storage import save_agent
    from dtinterp.demonstrations.collect import Share, collect
    from dtinterp.demonstrations.evaluate import evaluate
    from dtinterp.demonstrations.samplers import Greedy, Temperature
    from dtinterp.demonstrations.storage import save_trajectories
    from dtinterp.interventions.returns.calibration import Play, calibration_of
    from dtinterp.model.config import ModelConfig, TrainConfig
    from dtinterp.model.network.transformer import DecisionTransformer
    from dtinterp.model.storage import save_model
    from environments.making import make_worlds

    rng = torch.Generator().manual_seed(0)
    env_id = "MiniGrid-MemoryS7FixedStartStatic-v0"
    worlds = make_worlds(env_id, 8, generator=rng)
    network = RecurrentActorCritic(n_items=980, n_actions=7, d_hidden=8, generator=rng)
    policy = AgentPolicy(network, FrameItems(worlds))
    judged = {"temperature=1": asdict(evaluate(policy, worlds, Temperature(1.0), generator=rng))}
    agent = save_agent(folder / "agents" / "wanderer", network, AgentConfig(env_id=env_id, d_hidden=8), metrics=judged)
    walks = collect(policy, worlds, [Share(Temperature(1.0), 2400), Share(Temperature(5.0), 2400)], rng)
    parent = save_trajectories(folder / "demonstrations" / "walks", walks, parent=agent, seed=0)
    config = TrainConfig(model=ModelConfig(d_model=16, n_layers=1, n_heads=2, d_mlp=16), held_out=0.3)
    model = DecisionTransformer(config.model, rng).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=rng)
    points = calibration_of(model, Play(env_id, Greedy(), n_episodes=8), (0.0, 0.892))
    metrics = {"calibration": {"greedy": [asdict(point) for point in points]}}
    save_model(folder / "models" / "novice", model, config, parent=parent, metrics=metrics)


def _write_findings(folder: Path, subject: dict[str, Path]) -> None:
    import yaml

    from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig, fit_dictionary
    from dtinterp.commands.equivalence.certify import certify
    from dtinterp.commands.features.compare_features import compare_features
    from dtinterp.commands.features.describe import describe
    from dtinterp.commands.features.label import label
    from dtinterp.dictionary.config import FitConfig
    from dtinterp.dictionary.kinds.autoencoders.topk import TopK
    from dtinterp.dictionary.kinds.baselines.pca import Pca
    from dtinterp.equivalence.config import EquivalenceConfig
    from dtinterp.features.describe import DescribeConfig
    from dtinterp.features.labels.labelling import LabellingConfig
    from dtinterp.features.labels.table import LabelConfig as SearchConfig
    from dtinterp.foundation.artefacts.codec import save
    from dtinterp.interventions.instruction_flip.experiment import run_experiment
    from dtinterp.interventions.instruction_flip.specification import Specification
    from dtinterp.interventions.replacements.compare_features import CompareConfig
    from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparisonConfig
    from dtinterp.interventions.replacements.scoring import Judging
    from dtinterp.interventions.returns.model_returns import ActingConfig
    from dtinterp.model.storage import load_model

    model, demonstrations = subject["model"], subject["demonstrations"]
    for fit in (FitConfig(TopK(4), width=512, n_steps=20), FitConfig(Pca(4))):
        config = DictionaryConfig(
            fit=fit, n_windows=64, n_held_out_windows=32, judging=Judging(ActingConfig(n_episodes=2))
        )
        fit_dictionary(config, folder / "dictionaries" / fit.title, model=model, demonstrations=demonstrations)
    sparse = folder / "dictionaries" / "topk-512-k4"
    describe(
        DescribeConfig(n_windows=32),
        sparse,
        folder / "features" / sparse.name,
        model=model,
        demonstrations=demonstrations,
    )
    search = SearchConfig(min_firings=1)
    label(
        LabellingConfig(search, n_windows=64, n_fit_windows=32),
        sparse,
        folder / "labels" / sparse.name,
        model=model,
        demonstrations=demonstrations,
    )
    both = tuple(sorted((folder / "dictionaries").iterdir()))
    compare_features(
        CompareConfig(DictionaryComparisonConfig(n_draws=2), n_windows=48, n_fit_windows=64),
        both,
        folder / "comparisons" / "novice",
        model=model,
        demonstrations=demonstrations,
    )
    config = EquivalenceConfig(
        n_frames=12,
        n_contexts=2,
        n_draws=20,
        epsilon=0.01,
        contexts="held-out",  # a model that nobody trained tells almost nothing apart in its own play
        n_joint_rounds=0,
        n_wandered=4,
        n_merges=1,
    )
    certify(config, folder / "equivalence" / "novice", model=model, demonstrations=demonstrations)
    _write_reasons(folder, model, demonstrations)
    trained = load_model(model)
    report = run_experiment(Specification.model_validate(yaml.safe_load(EXPERIMENT)), trained.model)
    save(folder / "interventions" / "flip", report, seed=0, parents=[trained.artefact])


def _write_reasons(folder: Path, model: Path, demonstrations: Path) -> None:
    """Write what the classes are worth, and why: against the world, by features, and for the first two observations."""
    from dtinterp.commands.equivalence import explain_classes as by_features
    from dtinterp.commands.equivalence import explain_pair as by_pair
    from dtinterp.commands.equivalence.compare import Compared, compare
    from dtinterp.equivalence.comparisons.model_comparison import ModelComparisonConfig
    from dtinterp.equivalence.explain.smallest_set import PairConfig
    from dtinterp.equivalence.observations import ExplainClassesConfig, ExplainPairConfig
    from dtinterp.equivalence.report import EQUIVALENCE
    from dtinterp.foundation.artefacts.codec import load

    classes, dictionary = folder / "equivalence" / "novice", folder / "dictionaries" / "topk-512-k4"
    compared = Compared((classes,), (model,), (), demonstrations)
    quick = ModelComparisonConfig(n_draws=20, n_shown=3, n_windows=20)
    compare(quick, compared, folder / "agreements" / "novice")
    places = by_features.Places(classes, dictionary, model, demonstrations)
    by_features.explain_classes(
        ExplainClassesConfig(n_draws=10, n_splits=2), places, folder / "explanations" / "novice"
    )
    first, second = load(classes, EQUIVALENCE).chosen.frame_id[:2].tolist()
    search = PairConfig(n_contexts=2, n_draws=20, n_sets=100, epsilon=0.001)
    by_pair.explain_pair(
        ExplainPairConfig((first, second), search),
        by_pair.PairPlaces(dictionary, model, demonstrations, classes),
        folder / "pairs" / "novice",
    )
