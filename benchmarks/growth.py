"""How the cost of sorting observations grows with their number, in worlds of any kind."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from dtinterp.agents.policy import Decision, Observation
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.screen import ScreenConfig, Screening, screen_inputs
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import load_model, untrained_twin
from environments.making import make_worlds
from environments.vocabulary import one_hot


@dataclass(frozen=True)
class Ground:
    """Where a random player walks."""

    env_id: str
    n_steps: int
    n_layouts: int = 1024


LARGE = "MiniGrid-PutNear-8x8-N3-v0"
DOOR_KEY = "MiniGrid-DoorKey-8x8-v0"
RANDOM_MEMORY = ("MiniGrid-MemoryS13Random-v0", "MiniGrid-MemoryS17Random-v0")


class Indifferent:
    """A player that likes all actions alike and remembers nothing."""

    def start(self, n_worlds: int) -> None:
        """Remember nothing of so many worlds."""
        del n_worlds

    def act(self, observation: Observation, memory: None) -> Decision[None]:
        """Like all actions alike."""
        return Decision(torch.zeros(len(observation.frame_id), 7), memory)


def elsewhere(grounds: list[Ground], sizes: list[int]) -> list[dict[str, object]]:
    """Return the growth in worlds that the model of several worlds knows, or nearly."""
    trained = load_model(Path("checkpoints/models/memory-door-dt"))
    untrained = untrained_twin(trained.assumed, draw=trained.assumed.seed)
    return [growth(trained.model, untrained, ground, sizes) for ground in grounds]


def growth(
    model: DecisionTransformer, untrained: DecisionTransformer, ground: Ground, sizes: list[int]
) -> dict[str, object]:
    """Return what sorting so many observations costs, or all where there are fewer, and the exponent of a power law.

    There is no exponent where a single size is left.
    """
    trajectories = wanderings(ground, known_times=model.cfg.max_time)
    items = one_hot(trajectories.frames)
    bench = CertifyInputs(model, untrained, trajectories, torch.arange(trajectories.n_steps), items)
    rows = []
    for size in sorted({min(size, len(trajectories.frames)) for size in sizes}):
        found: list[Screening] = []
        config = ScreenConfig(n_frames=size)

        def run(config: ScreenConfig = config, found: list[Screening] = found) -> None:
            found.append(screen_inputs(bench, config))

        rows.append({"seconds": timed(run), **told(found[0]), "peak MB so far": peak()})
        print(rows[-1], flush=True)
    seen = {"world": ground.env_id, "steps": ground.n_steps, "distinct": len(trajectories.frames), "rows": rows}
    if len(rows) == 1:
        return seen
    exponent = np.polyfit(np.log([row["frames"] for row in rows]), np.log([row["seconds"] for row in rows]), 1)[0]
    return {**seen, "exponent": exponent}


def wanderings(ground: Ground, *, known_times: int) -> Trajectories:
    """Return what a random player is shown at the times that a model knows, as of a world whose states are unknown."""
    worlds = make_worlds(ground.env_id, 64, generator=generator(0, "worlds"), n_layouts=ground.n_layouts)
    whole = collect(Indifferent(), worlds, [Share(Temperature(1.0), ground.n_steps)], generator(0, "collect"))
    early = whole.time < known_times
    columns = {name: getattr(whole, name)[early] for name in ("frame_id", "action", "reward", "fact_id")}
    shown, frame_id = columns.pop("frame_id").unique(return_inverse=True)
    columns |= {"frame_id": frame_id.int(), "length": whole.length.clamp(max=known_times)}
    return replace(whole, env_id=f"walks in {ground.env_id}", frames=whole.frames[shown.long()], **columns)


def told(found: Screening) -> dict[str, object]:
    """Return what a screening found."""
    return {
        "frames": len(found.chosen.frame_id),
        "classes": found.partition.n_classes,
        "pairs": found.n_pairs,
        "looked at": found.n_looked_at,
        "close": found.n_close,
        "rounds": [asdict(each) for each in found.rounds],
        "failures": None if found.failures is None else asdict(found.failures),
    }


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], object]) -> float:
    """Return the processor seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began
