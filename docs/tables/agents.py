"""Agents that ship: how they were trained and how often they succeed."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.storage import TRAINING, TrainedAgent, load_agent
from dtinterp.commands.data.train_agent import ON_TRAINING_LAYOUTS
from tables.shelf import CHECKPOINTS, ROOT

AGENTS = CHECKPOINTS / "agents"
SUCCESSES = {
    "greedy": "greedy",
    "sampled": "temperature=1",
    "sampled, on training layouts": ON_TRAINING_LAYOUTS,
}


def zoo() -> pd.DataFrame:
    """Success of the agents that ship, with Wilson's 95% interval over 2,000 fresh episodes.

    Minutes are of one core of a machine that several shared. Options are those of `dtinterp train-agent` that
    differ from the defaults.
    """
    return pd.DataFrame([_row(path) for path in sorted(AGENTS.iterdir()) if path.is_dir()])


def _row(path: Path) -> dict[str, str]:
    agent = load_agent(path)
    metrics: Mapping[str, Any] = agent.artefact.manifest.metrics
    spent = metrics.get(TRAINING)
    return {
        "agent": path.name,
        "options": f"`{_options(agent)}`",
        **{head: _success(metrics.get(name)) for head, name in SUCCESSES.items()},
        "steps": f"{spent['steps']:,}" if spent else "–",
        "minutes": f"{spent['seconds'] / 60:.1f}" if spent else "–",
    }


def _options(agent: TrainedAgent) -> str:
    """Return the options that differ from the defaults, the world, and the agent that the training began with."""
    default = AgentConfig()
    asked = {field.name: getattr(agent.config, field.name) for field in fields(AgentConfig)}
    chosen = {name: value for name, value in asked.items() if name == "env_id" or value != getattr(default, name)}
    begun = [f"--start-from {AGENTS.relative_to(ROOT)}/{Path(name).name}" for name in agent.artefact.manifest.parents]
    return " ".join([*(f"--{name.replace('_', '-')} {value}" for name, value in chosen.items()), *begun])


def _success(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    success = found["success"]
    return f"{success['estimate']:.1%} [{100 * success['low']:.1f}, {100 * success['high']:.1f}]"
