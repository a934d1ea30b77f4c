"""The whole study: from a world, or from a trained model, to the report."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.agents.config import AgentConfig
from dtinterp.agents.storage import AGENT as AGENT_KIND
from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.commands.data.train_agent import train_agent
from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig, fit_dictionary
from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.explain_classes import Places
from dtinterp.commands.equivalence.reasons import find_reasons
from dtinterp.commands.experiment import try_on
from dtinterp.commands.features.compare_features import compare_features
from dtinterp.commands.features.describe import describe
from dtinterp.commands.features.label import label
from dtinterp.commands.models.train_model import train_model
from dtinterp.commands.once import Record, open_record
from dtinterp.commands.report import Sources, refuse_page, report, write_sources
from dtinterp.demonstrations.storage import TRAJECTORIES
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.equivalence.report import EquivalenceConfig
from dtinterp.features.describe import DescribeConfig
from dtinterp.features.labels.labelling import LabellingConfig
from dtinterp.features.labels.table import LabelConfig as SearchConfig
from dtinterp.foundation import __version__
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.locks import locked
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.shipped import AGENT, DEMONSTRATIONS, require_shipped, shipped
from dtinterp.interventions.compare_features import CompareConfig
from dtinterp.interventions.dictionary_comparison import DictionaryComparisonConfig
from dtinterp.interventions.instruction_flip.specification import read_specification
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.storage import MODEL as MODEL_KIND

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
DESCRIBED = FITS[0].title
"""The dictionary whose features the report shows, at each site."""


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

    def __post_init__(self) -> None:
        """Refuse what a stage would refuse when its turn comes."""
        require_sensible(self)
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
            labels=LabellingConfig(SearchConfig(seed=self.seed)),
            comparison=CompareConfig(DictionaryComparisonConfig(seed=self.seed)),
            equivalence=EquivalenceConfig(n_frames=self.n_frames, epsilon=self.epsilon, seed=self.seed),
        )

    @property
    def command(self) -> str:
        """The command line that makes the study again."""
        words = ["dtinterp", "study", "--model", self.model, "--out", str(self.out), "--n-frames", str(self.n_frames)]
        words += ["--epsilon", str(self.epsilon), "--seed", str(self.seed)]
        return shlex.join(words + ["--from-scratch"] * self.from_scratch)

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
    """The three folders that a study starts from."""

    agent: Path
    demonstrations: Path
    model: Path


def run_study(config: StudyConfig) -> Path:
    """Study a model from its windows to the report, and return the report's path.

    A study that was killed goes on when it is called again: stages that stand are not done again.
    """
    refuse_page(config.out, replace=config.replace)
    _require_paths(config)
    with locked(config.out):
        record = open_record(config.out / UNFINISHED, config.identity, replace=config.replace)
        sources = _studied(config, record)
        write_sources(config.out, sources)
        page = report(config.out, replace=config.replace)
        record.close()
    return page


def _studied(config: StudyConfig, record: Record) -> Sources:
    """Carry out the stages, and return where their results are."""
    out, stages, once = config.out, config.stages, record.once
    clock = Clock(Logbook(out / "log.jsonl"), record.seconds)
    base = _train(config, clock, record) if config.from_scratch else _shipped(config)
    subject: dict[str, Any] = {"model": base.model, "demonstrations": base.demonstrations}
    dictionaries, features, labels = [], [], []
    for site in SITES:
        for stage in stages.dictionaries_at(site):
            with clock.stage(f"dictionary {stage.fit.title} at {site}"):
                folder = out / "dictionaries" / site / stage.fit.title
                once(fit_dictionary)(stage, folder, **subject)
                dictionaries.append(folder)
        described = out / "dictionaries" / site / DESCRIBED
        with clock.stage(f"features at {site}"):
            folder = out / "features" / site
            once(describe)(stages.features, described, folder, **subject)
            features.append(folder)
        with clock.stage(f"labels at {site}"):
            folder = out / "labels" / site / DESCRIBED
            once(label)(stages.labels, described, folder, **subject)
            labels.append(folder)
    with clock.stage("comparison"):
        once(compare_features)(stages.comparison, tuple(dictionaries), out / "comparison", **subject)
    with clock.stage("instruction flip"):
        once(try_on)(EXPERIMENT, model=base.model, out=out / "instruction-flip")
    with clock.stage("equivalence"):
        once(certify)(stages.equivalence, out / "equivalence", **subject)
    with clock.stage("reasons"):
        described = out / "dictionaries" / OBSERVATION_EMBEDDING / DESCRIBED
        places = Places(out / "equivalence", described, base.model, base.demonstrations)
        reasons = find_reasons(places, out, seed=config.seed, once=once)
    return Sources(
        agent=base.agent,
        demonstrations=base.demonstrations,
        model=base.model,
        dictionaries=tuple(dictionaries),
        features=tuple(features),
        equivalence=out / "equivalence",
        intervention=out / "instruction-flip",
        command=config.command,
        seconds=clock.seconds,
        labels=tuple(labels),
        comparison=out / "comparison",
        agreement=reasons.agreement,
        pairs=reasons.pairs,
        explained=reasons.explained,
    )


class Clock:
    """Times the stages and writes them to the log."""

    def __init__(self, logbook: Logbook, seconds: dict[str, float]) -> None:
        """Go on from the seconds that each stage has taken before, where the study was killed."""
        self.logbook, self.seconds = logbook, seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block; a block that fails leaves no time."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 2)
        self.logbook.write(stage=name, seconds=self.seconds[name])


def _require_paths(config: StudyConfig) -> None:
    """Raise `UserError` where something that the study opens is missing or damaged, before it works."""
    require_shipped(EXPERIMENT, option="a checkout's folder as the current one")
    read_specification(EXPERIMENT)
    if not config.from_scratch:
        base = _shipped(config)
        for kind, path in ((AGENT_KIND, base.agent), (TRAJECTORIES, base.demonstrations), (MODEL_KIND, base.model)):
            require_shipped(path, option="--from-scratch")
            read_artefact(path, kind=kind.name)


def _shipped(config: StudyConfig) -> Foundations:
    return Foundations(AGENT, DEMONSTRATIONS, SHIPPED[config.model])


def _train(config: StudyConfig, clock: Clock, record: Record) -> Foundations:
    base = Foundations(config.out / "agent", config.out / "demonstrations", config.out / "model")
    stages = config.stages
    with clock.stage("agent"):
        record.once(train_agent)(stages.agent, base.agent)
    with clock.stage("demonstrations"):
        record.once(collect)(stages.collection, base.agent, base.demonstrations)
    with clock.stage("model"):
        record.once(train_model)(stages.training, base.demonstrations, base.model)
    return base
