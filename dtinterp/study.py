"""The whole study: from a world, or from a trained model, to the report."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.agents.config import AgentConfig
from dtinterp.agents.storage import TrainedAgent
from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.commands.data.train_agent import train_agent
from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig, fit_dictionary
from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.explain_classes import Places
from dtinterp.commands.equivalence.reasons import find_reasons
from dtinterp.commands.features.compare_features import compare_features
from dtinterp.commands.features.describe import describe
from dtinterp.commands.features.label import label
from dtinterp.commands.flip import try_on
from dtinterp.commands.models.train_model import train_model
from dtinterp.commands.record import Record, open_record
from dtinterp.commands.report import PAGE, opened, refuse_page, sources_of, write_sources
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.features.describe import DescribeConfig
from dtinterp.features.labels.labelling import LabellingConfig
from dtinterp.features.labels.table import LabelConfig
from dtinterp.foundation import __version__
from dtinterp.foundation.artefacts.codec import read
from dtinterp.foundation.artefacts.locks import locked
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.kept import kept
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.shipped import AGENT, DEMONSTRATIONS, require_shipped, shipped
from dtinterp.interventions.instruction_flip.specification import read_specification
from dtinterp.interventions.replacements.compare_features import CompareConfig
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparisonConfig
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.storage import TrainedModel
from dtinterp.report.page import render
from dtinterp.report.results import Result, StudyResults

EXPERIMENT = shipped("experiments/instruction-flip/experiment.yaml")
TRAINING = {
    "small": TrainConfig(precision="bfloat16"),
    "large": TrainConfig(ModelConfig(d_model=256, n_layers=3, n_heads=8), learning_rate=1.5e-3, precision="bfloat16"),
}
SHIPPED = {
    "small": shipped("checkpoints/models/memory-dt-small-0"),
    "large": shipped("checkpoints/models/memory-dt"),
}
SITES = (OBSERVATION_EMBEDDING, "blocks.1.hook_resid_pre")
UNFINISHED = "unfinished.json"
"""In the folder of a study, what its stages have written so far; gone when it is finished."""
FITS = (
    FitConfig(TopK(8), width=128),
    FitConfig(TopK(8), width=512),
    FitConfig(L1(1.0), width=128),
    FitConfig(Pca(8)),
    FitConfig(Pca(32)),
)
"""Two widths of one sparsity, since a dictionary with more features than distinct inputs may just remember them."""


@dataclass(frozen=True)
class StudyConfig:
    """What is studied, and where the results go."""

    model: Literal["small", "large"] = "small"
    """memory-dt-small (128 wide, 2 layers) or memory-dt (256 wide, 3 layers)"""
    from_scratch: bool = False
    """train agent, demonstrations and model too, instead of opening the ones that ship"""
    out: Path = Path("results/study")
    """folder of everything that the study writes; report.html is the end of it"""
    replace: bool = False
    """write anew what the folder already holds; a training that was interrupted goes on"""
    n_frames: int = 96
    """observations compared, each with each other; the work grows with its square"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart"""
    seed: int = 0
    """of all stages"""
    equivalence: Path | None = None
    """folder of certified classes of this model, to hold against the world and explain; none: certify them, too"""

    def __post_init__(self) -> None:
        """Refuse what a stage would refuse when its turn comes."""
        require_sensible(self)
        if self.equivalence is not None and self.from_scratch:
            raise UserError("classes are of a model that exists: give --equivalence, or --from-scratch, not both.")
        assert self.stages  # building them checks them

    @cached_property
    def stages(self) -> "StageConfigs":
        """The settings of all stages. Raises `UserError` for impossible ones."""
        return StageConfigs(
            agent=AgentConfig(seed=self.seed),
            collection=CollectConfig(seed=self.seed),
            training=replace(TRAINING[self.model], seed=self.seed),
            dictionaries=tuple(DictionaryConfig(site, fit, seed=self.seed) for site in SITES for fit in FITS),
            features=DescribeConfig(seed=self.seed),
            labels=LabellingConfig(LabelConfig(seed=self.seed)),
            comparison=CompareConfig(DictionaryComparisonConfig(seed=self.seed)),
            equivalence=EquivalenceConfig(n_frames=self.n_frames, epsilon=self.epsilon, seed=self.seed),
        )

    @property
    def command(self) -> str:
        """The command line that makes the study again."""
        words = ["dtinterp", "study", "--model", self.model, "--out", str(self.out), "--n-frames", str(self.n_frames)]
        words += ["--epsilon", str(self.epsilon), "--seed", str(self.seed)]
        given = [] if self.equivalence is None else ["--equivalence", str(self.equivalence)]
        return shlex.join(words + given + ["--from-scratch"] * self.from_scratch)

    @property
    def identity(self) -> str:
        """What tells this study from another one, whatever stands at its output already."""
        return f"{__version__} {replace(self, replace=False)}"


@dataclass(frozen=True)
class StageConfigs:
    """The settings of each stage, checked before the first of them works."""

    agent: AgentConfig
    collection: CollectConfig
    training: TrainConfig
    dictionaries: tuple[DictionaryConfig, ...]
    features: DescribeConfig
    labels: LabellingConfig
    comparison: CompareConfig
    equivalence: EquivalenceConfig

    def dictionaries_at(self, site: str) -> Iterator[DictionaryConfig]:
        """Yield the settings of the dictionaries of a site."""
        return (each for each in self.dictionaries if each.site == site)


@dataclass(frozen=True)
class Foundations:
    """What a study starts from."""

    agent: Result[TrainedAgent]
    demonstrations: Result[Trajectories]
    model: Result[TrainedModel]

    @property
    def shape(self) -> Result[ModelConfig]:
        """The model's shape, which is what a report is told of it."""
        return Result(self.model.value.config.model, self.model.artefact)


def study(config: StudyConfig) -> Mapping[str, str]:
    """Study a model from its windows to the report, and return the report's path.

    A study that was killed goes on when it is called again: stages that stand are not done again.
    """
    return {"path": str(config.out / PAGE), "command": run_study(config).command}


def run_study(config: StudyConfig) -> StudyResults:
    """Study a model, write each stage and the report below `config.out`, and return what was found.

    A study that was killed goes on when it is called again: stages that stand are not done again.
    """
    out, stages = config.out, config.stages
    refuse_page(out, replace=config.replace)
    shipped_start = _opened_at_once(config)
    with locked(out), kept():
        keep = open_record(out / UNFINISHED, config.identity, replace=config.replace)
        stage = keep.stage
        start = shipped_start or _trained(config, keep)
        subject: dict[str, Any] = {"model": start.model.path, "demonstrations": start.demonstrations.path}
        dictionaries, features, labels = [], [], []
        for site in SITES:
            fitted = [
                stage(f"dictionary {each.fit.title} at {site}", fit_dictionary)(
                    each, out / "dictionaries" / site / each.fit.title, **subject
                )
                for each in stages.dictionaries_at(site)
            ]
            described = stage(f"features at {site}", describe)(
                stages.features, fitted[0].path, out / "features" / site, **subject
            )
            labelled = stage(f"labels at {site}", label)(
                stages.labels, fitted[0].path, out / "labels" / site / fitted[0].artefact.name, **subject
            )
            dictionaries, features, labels = [*dictionaries, *fitted], [*features, described], [*labels, labelled]
        compared = tuple(each.path for each in dictionaries)
        comparison = stage("comparison", compare_features)(stages.comparison, compared, out / "comparison", **subject)
        flip = stage("instruction flip", try_on)(EXPERIMENT, model=start.model.path, out=out / "instruction-flip")
        if config.equivalence is None:
            equivalence = stage("equivalence", certify)(stages.equivalence, out / "equivalence", **subject)
        else:
            equivalence = _given(config.equivalence, start.model)
        places = Places(equivalence.path, dictionaries[0].path, **subject)
        reasons = find_reasons(equivalence.value, places, out, seed=config.seed, keep=keep)
        begun = [start.agent, start.demonstrations, start.shape]
        rest = [comparison, reasons.agreement, *filter(None, [reasons.explained]), flip]
        opened = [*begun, *dictionaries, *features, *labels, equivalence, *reasons.pairs, *rest]
        found = StudyResults(config.command, opened, keep.recorded.seconds)
        write_sources(out, sources_of(found))
        render(found, out / PAGE)
        keep.close()
    return found


def _opened_at_once(config: StudyConfig) -> Foundations | None:
    """Open what the study starts from, before it works; None where it makes that itself.

    Raises `UserError` where something that a stage opens is missing or damaged.
    """
    require_shipped(EXPERIMENT, option="a checkout's folder as the current one")
    read_specification(EXPERIMENT)
    if config.from_scratch:
        return None
    paths = (AGENT, DEMONSTRATIONS, SHIPPED[config.model])
    for path in paths:
        require_shipped(path, option="--from-scratch")
    found = Foundations(*map(opened, paths))
    if config.equivalence is not None:
        _given(config.equivalence, found.model)
    return found


def _given(classes: Path, model: Result[TrainedModel]) -> Result[EquivalenceReport]:
    """Open classes that were certified before; raises `UserError` where they are another model's."""
    return Result(*read(classes, EQUIVALENCE, parent=model.artefact))


def _trained(config: StudyConfig, keep: Record) -> Foundations:
    out, stages = config.out, config.stages
    agent = keep.stage("agent", train_agent)(stages.agent, out / "agent")
    demonstrations = keep.stage("demonstrations", collect)(stages.collection, agent.path, out / "demonstrations")
    model = keep.stage("model", train_model)(stages.training, demonstrations.path, out / "model")
    return Foundations(agent, demonstrations, model)
