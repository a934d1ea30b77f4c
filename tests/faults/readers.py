"""Every reader of bytes from outside, with a small valid input for it."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from app.catalogue import studies
from app.shelf import shelve
from dtinterp.activations.storage import load_harvest
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import AgentPolicy
from dtinterp.agents.storage import load_agent
from dtinterp.commands.report import read_sources
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import MAP, RowMap
from dtinterp.dictionary.evaluation.map_card import load_map_card, map_card
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder
from dtinterp.dictionary.rows.batches import Batch, Stream
from dtinterp.dictionary.rows.table import as_rows
from dtinterp.dictionary.storage import load_dictionary, load_score
from dtinterp.dictionary.training.batched_training import Run
from dtinterp.dictionary.training.descent import StackDescent
from dtinterp.equivalence.comparisons.model_comparison import MODEL_COMPARISON
from dtinterp.equivalence.explain.explanations import EXPLANATION, PAIR
from dtinterp.equivalence.over_training import HISTORY
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.screen import SCREENING
from dtinterp.features.labels.table import LABELS
from dtinterp.features.table import FEATURES
from dtinterp.features.truth.assessment import TRUTH
from dtinterp.foundation.artefacts.artefact import Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside, load, save
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.foundation.jobs.resume import Training, resume, suspend
from dtinterp.foundation.logbook import Logbook
from dtinterp.interventions.experiment.specification import read_experiment
from dtinterp.interventions.instruction_flip.report import INTERVENTION
from dtinterp.interventions.instruction_flip.specification import read_specification
from dtinterp.interventions.replacements.dictionary_comparison import FEATURE_COMPARISON
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import load_model, save_model
from dtinterp.model.training.sweep import read_sweep
from environments.making import make_worlds
from tests.faults.foreign import FOREIGN, make_published, read_autoencoder, read_checkpoint, read_dataset
from tests.faults.uses import used

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "checkpoints"
ENV_ID = "MiniGrid-SimpleCrossingS9N1-v0"
AGENT = SHIPPED / "agents" / "simple-crossing-s9n1"
STUDY = SHIPPED / "studies" / "memory-dt-small-0"
EMBEDDED = "hook_obs_embed"
TO = ("PATH", "--out", "OUT")


@dataclass(frozen=True)
class Reader:
    """What reads a file or folder from outside."""

    name: str
    make: Callable[[Path], object]
    """writes a valid input to a path that is not there"""
    read: Callable[[Path], object]
    ending: str = ""
    """of the input's name"""
    words: Sequence[str] = ()
    """the command line that reads it too; PATH stands for the input, OUT for a folder that is not there"""


def copy_of(source: Path) -> Callable[[Path], object]:
    """Return what puts a copy of a shipped artefact somewhere."""
    return lambda path: shutil.copytree(source, path)


def using(load: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what reads and then uses what was read."""
    return lambda path: used(load(path))


def of(kind: ArtefactKind[Any]) -> Callable[[Path], object]:
    """Return what reads an artefact of a kind."""
    return lambda path: load(path, kind)


def demonstrations() -> Trajectories:
    """A few episodes of a shipped agent."""
    rng = torch.Generator().manual_seed(0)
    worlds = make_worlds(ENV_ID, 4, generator=rng)
    policy = AgentPolicy(load_agent(AGENT).network, FrameItems(worlds))
    return collect(policy, worlds, [Share(Temperature(1.0), 200), Share(Temperature(5.0), 200)], rng)


def make_demonstrations(path: Path) -> None:
    save_trajectories(path, demonstrations(), parent=read_artefact(AGENT, kind="agent"), seed=0)


def make_model(path: Path) -> None:
    config = TrainConfig(model=ModelConfig(d_model=8, n_layers=1, n_heads=2, d_mlp=8))
    model = DecisionTransformer(config.model, torch.Generator().manual_seed(0))
    save_model(path, model, config, parent=read_artefact(AGENT, kind="agent"), metrics={})


def make_harvest(path: Path) -> None:
    tensors = {"value": torch.randn(40, 6), "step": torch.arange(40), "slot": torch.zeros(40, dtype=torch.int64)}
    content = Content("activations", {"site": EMBEDDED, "n_windows": 4}, tensors, {"n_rows": 40})
    write_artefact(path, content, parents=(), seed=0)


def make_map(path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 4, generator=rng)
    row_map = RowMap(
        W_enc=torch.randn(4, 6, generator=rng),
        b_enc=torch.zeros(6),
        W_dec=torch.randn(6, 4, generator=rng),
        b_dec=torch.zeros(4),
        b_in=torch.zeros(4),
        scale_in=torch.tensor(1.0),
        scale_out=torch.tensor(1.0),
        kind=SkipTranscoder(2),
        site="blocks.0.mlp",
        name="skip",
        W_skip=torch.zeros(4, 4),
    )
    cluster = torch.arange(60) // 4
    card = map_card(
        row_map, inputs, inputs.relu(), fitted=inputs[:30], cluster=cluster, generator=np.random.default_rng(0)
    )
    save(path, row_map, seed=0, beside=Beside(metrics=asdict(card)))


def training() -> Training:
    """A training of a tiny model after two steps."""
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
    return Training(model, optimizer, {"seed": 0})


def resumed_training(path: Path) -> object:
    """Go on with a training as far as its next step."""
    run = training()
    step = resume(path, run)
    run.model(torch.ones(4, 3)).square().sum().backward()
    run.optimizer.step()
    return step


def stack() -> Run:
    rows = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    descent = StackDescent.begin({"b_dec": rows[:1]}, [FitConfig(TopK(2), width=8)], [torch.Generator().manual_seed(1)])
    table = Batch(rows, torch.full((20,), 1 / 20))
    descent.step(table, 1)
    stream = Stream(table, torch.Generator().manual_seed(2))
    return Run({"0": descent, "generator/0": stream}, {"rows": "these"})


def make_ledger(path: Path) -> None:
    open_job_cache(path, {"seed": 0}).done("counting", {"one": 1, "two": 2}, _counted)


def _counted(job: int) -> dict[str, torch.Tensor]:
    return {"count": torch.full((3,), job)}


def make_log(path: Path) -> None:
    log = Logbook(path)
    for step in range(5):
        log.write(step=step, loss=0.5)


def make_dataset(path: Path) -> None:
    from dtinterp.demonstrations.minari.exporting import to_minari

    made = to_minari(demonstrations(), path.parent / "root", "small-v0")
    shutil.move(made / "data", path)


def artefact_readers() -> list[Reader]:
    """Return a reader for each kind of artefact."""
    dictionary = STUDY / "dictionaries" / EMBEDDED / "l1-128-c1"
    certified = SHIPPED / "studies" / "memory-dt-small-1"
    shipped = {
        "agent": (AGENT, load_agent, ("collect", "--agent", *TO)),
        "dictionary": (dictionary, load_dictionary, ("describe", "--dictionary", *TO)),
        "report card": (dictionary, load_score, ()),
        "features": (STUDY / "features" / "blocks.1.hook_resid_pre", of(FEATURES), ()),
        "labels": (STUDY / "labels" / EMBEDDED / "pca-8", of(LABELS), ()),
        "truth": (STUDY / "truth" / EMBEDDED / "pca-8", of(TRUTH), ()),
        "comparison": (STUDY / "comparison", partial(load, kind=FEATURE_COMPARISON), ()),
        "agreement": (STUDY / "agreement", partial(load, kind=MODEL_COMPARISON), ()),
        "equivalence": (
            certified / "reachable",
            partial(load, kind=EQUIVALENCE),
            ("compare", "--equivalence", *TO),
        ),
        "screening": (STUDY / "screening", partial(load, kind=SCREENING), ()),
        "history": (SHIPPED / "comparisons" / "training", partial(load, kind=HISTORY), ()),
        "pair": (min((STUDY / "pairs").iterdir()), partial(load, kind=PAIR), ()),
        "explanation": (STUDY / "explanation", partial(load, kind=EXPLANATION), ()),
        "intervention": (STUDY / "instruction-flip", partial(load, kind=INTERVENTION), ()),
    }
    made = {
        "model": (make_model, load_model, ("validate", "--model", *TO)),
        "demonstrations": (
            make_demonstrations,
            load_trajectories,
            ("train-model", "--demonstrations", *TO),
        ),
        "harvest": (make_harvest, load_harvest, ("fit-dictionary", "--rows", *TO)),
        "map": (make_map, of(MAP), ()),
        "map card": (make_map, load_map_card, ()),
    }
    return [
        *(Reader(name, copy_of(source), using(load), words=words) for name, (source, load, words) in shipped.items()),
        *(Reader(name, make, using(load), words=words) for name, (make, load, words) in made.items()),
        Reader("shelf", copy_of(AGENT), lambda path: studies(shelve((path.parent,)))),
    ]


def file_readers() -> list[Reader]:
    """Return the other readers."""
    sources = dict.fromkeys(("agent", "demonstrations", "model", "equivalence", "intervention"), "checkpoints/any")
    study = {**sources, "dictionaries": ["a"], "features": [], "command": "dtinterp study", "seconds": {"certify": 1.5}}
    rows = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    return [
        Reader("json", lambda path: path.write_text(json.dumps(study), encoding="utf-8"), read_json, ".json"),
        Reader("study.json", lambda path: _written(path / "study.json", json.dumps(study)), read_sources),
        Reader(
            "experiment.yaml",
            lambda path: shutil.copy(ROOT / "experiments" / "instruction-flip" / "experiment.yaml", path),
            read_specification,
            ".yaml",
            ("experiment", "run", *TO),
        ),
        Reader(
            "experiment of any kind",
            lambda path: shutil.copy(ROOT / "experiments" / "set-a-feature" / "experiment.yaml", path),
            read_experiment,
            ".yaml",
            ("experiment", "run", *TO),
        ),
        Reader(
            "sweep.yaml",
            lambda path: shutil.copy(ROOT / "experiments" / "model-sizes" / "sweep.yaml", path),
            read_sweep,
            ".yaml",
            ("sweep", *TO),
        ),
        Reader("training", lambda path: suspend(path, training(), 2), resumed_training, ".safetensors"),
        Reader(
            "stack",
            lambda path: suspend(path, stack(), 1),
            lambda path: resume(path, stack()),
            ".safetensors",
        ),
        Reader("ledger", make_ledger, make_ledger),
        Reader("log", make_log, lambda path: Logbook(path).rewind(2), ".jsonl"),
        Reader("rows.npy", lambda path: np.save(path, rows.numpy()), as_rows, ".npy"),
        Reader("rows.safetensors", lambda path: save_file({"rows": rows}, path), as_rows, ".safetensors"),
        Reader("rows of a harvest", make_harvest, as_rows),
        *(Reader(name, FOREIGN[name], using(read_autoencoder), words=("import-dictionary", *TO)) for name in FOREIGN),
        Reader("published .pt", make_published, read_checkpoint, ".pt", ("import-model", *TO)),
        Reader("Minari folder", make_dataset, read_dataset, words=("import-demonstrations", *TO)),
    ]


def _written(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")


def readers() -> list[Reader]:
    """Return all of them."""
    return [*artefact_readers(), *file_readers()]
