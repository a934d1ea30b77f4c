"""The agents that ship become a table in docs/agents.md, made from their manifests.

python docs/zoo.py
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.storage import TRAINING, TrainedAgent, load_agent
from dtinterp.commands.data.train_agent import ON_TRAINING_LAYOUTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "agents.md"
AGENTS = ROOT / "checkpoints" / "agents"
BEGIN, END = "<!-- the zoo, written by docs/zoo.py -->\n", "<!-- end of the zoo -->\n"
COLUMNS = ("agent", "options", "greedy", "sampled", "sampled, on training layouts", "steps", "minutes")
HEAD = f"| {' | '.join(COLUMNS)} |\n|---|---|---:|---:|---:|---:|---:|\n"


def page() -> str:
    """Return docs/agents.md with the table of the agents that ship."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = "".join(_row(path) for path in sorted(AGENTS.iterdir()) if path.is_dir())
    return f"{before}{BEGIN}{HEAD}{rows}{END}{after}"


def _row(path: Path) -> str:
    agent = load_agent(path)
    metrics: Mapping[str, Any] = agent.artefact.manifest.metrics
    spent = metrics.get(TRAINING)
    cost = f"{spent['steps']:,} | {spent['seconds'] / 60:.1f}" if spent else "– | –"
    shares = (_share(metrics, name) for name in ("greedy", "temperature=1", ON_TRAINING_LAYOUTS))
    return f"| {path.name} | `{_options(agent)}` | {' | '.join(shares)} | {cost} |\n"


def _options(agent: TrainedAgent) -> str:
    """Return the options that differ from the defaults, the world, and the agent that the training began with."""
    default = AgentConfig()
    asked = {field.name: getattr(agent.config, field.name) for field in fields(AgentConfig)}
    chosen = {name: value for name, value in asked.items() if name == "env_id" or value != getattr(default, name)}
    begun = [f"--start-from {AGENTS.relative_to(ROOT)}/{Path(name).name}" for name in agent.artefact.manifest.parents]
    return " ".join([*(f"--{name.replace('_', '-')} {value}" for name, value in chosen.items()), *begun])


def _share(metrics: Mapping[str, Any], name: str) -> str:
    if name not in metrics:
        return "–"
    success = metrics[name]["success"]
    return f"{success['estimate']:.1%} [{100 * success['low']:.1f}, {100 * success['high']:.1f}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
