"""Our recurrent PPO beside sb3-contrib's, in one run on one machine: seconds until an agent remembers.

    python benchmarks/agents.py                      three seeds, seven minutes each at most, and results/agents.json
    python benchmarks/agents.py --seeds 0 --cap 60   a quick look

An agent is there when 95% of its latest 2,000 training episodes in MiniGrid-MemoryS7FixedStart-v0 succeeded. The
contenders share their settings where they mean the same (see `SETTINGS`): ours on the batched twin; sb3-contrib's
RecurrentPPO on gymnasium's SyncVectorEnv of MiniGrid; and the same on our TwinVectorEnv. Whoever is not there when the
cap is over is reported as such, and the ratio as a lower bound. The cap is on CPU time, so that a busy machine cuts
nobody short. Nothing is asserted. It needs sb3-contrib.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

from dtinterp.agents.config import AgentConfig
from dtinterp.agents.episode_statistics import N_LATEST
from dtinterp.agents.training import train_agent
from dtinterp.foundation.jobs.interruption import TrainingRecord
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.seeding import generator
from environments.graph.starts import exhaustive_layouts
from environments.making import make_worlds
from environments.twin.vector import TwinVectorEnv
from environments.vocabulary import ITEMS, one_hot

ENV_ID = "MiniGrid-MemoryS7FixedStart-v0"
MARK = 0.95
OURS, ON_MINIGRID, ON_TWIN = "dtinterp", "sb3-contrib on MiniGrid", "sb3-contrib on our vector environment"
AIMS = {ON_MINIGRID: 20, ON_TWIN: 5}
"""How many times faster than these ours is meant to be."""
SETTINGS = AgentConfig(env_id=ENV_ID, stop_at=MARK, steps=4_000_000, device="cpu")


@dataclass(frozen=True)
class Outcome:
    """What one contender made of one seed."""

    contender: str
    seed: int
    is_there: bool
    seconds: float
    """wall-clock"""
    cpu_seconds: float
    """of this process: a busy machine stretches the wall-clock only"""
    steps: int
    success: float
    """of the latest 2,000 episodes"""
    rollout_steps_per_second: float
    update_steps_per_second: float
    cap_cpu_seconds: float
    """after which a contender is stopped; ours never came near it"""


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cap", type=float, default=420.0, help="CPU seconds per contender and seed")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for all contenders")
    parser.add_argument("--contenders", nargs="+", choices=[OURS, *AIMS], default=[OURS, *AIMS])
    parser.add_argument("--output", type=Path, default=Path("results/agents.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    outcomes: list[Outcome] = []
    print("| contender | seed | 95% reached | seconds | CPU seconds | rollout steps/s | update steps/s |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for seed in arguments.seeds:
        for contender in arguments.contenders:
            ours = contender == OURS
            outcomes.append(_ours(seed, arguments.cap) if ours else _theirs(contender, seed, arguments.cap))
            print(_row(outcomes[-1]), flush=True)
            _write(arguments.output, outcomes, arguments)
    _print_ratios(outcomes)


class _Rates(Logbook):
    """Keeps the rows of a training, for the medians of its rates."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, int | float | str | None]] = []

    def write(self, **row: int | float | str | None) -> None:
        self.rows.append(row)

    def median(self, name: str) -> float:
        return statistics.median(float(row[name] or 0) for row in self.rows)


def _ours(seed: int, cap: float) -> Outcome:
    config = AgentConfig(**{**asdict(SETTINGS), "seed": seed})
    rates, began, cpu = _Rates(), time.perf_counter(), time.process_time()
    worlds = make_worlds(ENV_ID, config.n_worlds, generator=generator(seed, "agent/layouts"))
    learned = train_agent(worlds, config, TrainingRecord(rates))
    return Outcome(
        contender=OURS,
        seed=seed,
        is_there=learned.n_steps < config.n_updates * config.steps_per_update,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        steps=learned.n_steps,
        success=float(rates.rows[-1]["success"] or 0),
        rollout_steps_per_second=rates.median("rollout_steps_per_second"),
        update_steps_per_second=rates.median("update_steps_per_second"),
        cap_cpu_seconds=cap,
    )


def _theirs(contender: str, seed: int, cap: float) -> Outcome:
    began, cpu = time.perf_counter(), time.process_time()
    make: Callable[[int], VectorEnv] = _minigrid if contender == ON_MINIGRID else _twin
    watch = _Watch(cpu + cap)
    agent = RecurrentPPO(
        "MlpLstmPolicy",
        OneHotVecEnv(make(seed), seed),
        learning_rate=lambda left: SETTINGS.learning_rate * left,
        n_steps=SETTINGS.n_rollout,
        batch_size=SETTINGS.steps_per_update // SETTINGS.n_minibatches,
        n_epochs=SETTINGS.epochs,
        gamma=SETTINGS.discount,
        gae_lambda=SETTINGS.decay,
        clip_range=SETTINGS.clip,
        ent_coef=SETTINGS.entropy,
        vf_coef=SETTINGS.value_weight,
        max_grad_norm=SETTINGS.max_gradient,
        policy_kwargs={"net_arch": [], "lstm_hidden_size": SETTINGS.d_hidden, "ortho_init": True},
        seed=seed,
        device="cpu",
    )
    agent.learn(SETTINGS.steps, callback=watch)
    return Outcome(
        contender=contender,
        seed=seed,
        is_there=watch.is_there,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        steps=agent.num_timesteps,
        success=watch.success,
        rollout_steps_per_second=watch.rate(watch.rollout_seconds),
        update_steps_per_second=watch.rate(watch.update_seconds),
        cap_cpu_seconds=cap,
    )


def _minigrid(seed: int) -> VectorEnv:
    del seed  # given at the first reset
    makers = [lambda: gymnasium.make(ENV_ID, disable_env_checker=True)] * SETTINGS.n_worlds
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)


def _twin(seed: int) -> VectorEnv:
    return TwinVectorEnv(exhaustive_layouts(ENV_ID), SETTINGS.n_worlds, seed=seed)


class _Watch(BaseCallback):
    """Ends a training of sb3-contrib at the mark or the cap, and times its two halves."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline
        self._latest: deque[bool] = deque(maxlen=N_LATEST)
        self._turned = float("nan")
        self.rollout_seconds: list[float] = []
        self.update_seconds: list[float] = []

    @property
    def success(self) -> float:
        return sum(self._latest) / max(len(self._latest), 1)

    @property
    def is_there(self) -> bool:
        return len(self._latest) == N_LATEST and self.success >= MARK

    def rate(self, seconds: list[float]) -> float:
        return SETTINGS.steps_per_update / statistics.median(seconds) if seconds else float("nan")

    def _on_rollout_start(self) -> None:
        if self.num_timesteps:
            self.update_seconds.append(time.perf_counter() - self._turned)
        self._turned = time.perf_counter()

    def _on_rollout_end(self) -> None:
        self.rollout_seconds.append(time.perf_counter() - self._turned)
        self._turned = time.perf_counter()

    def _on_step(self) -> bool:
        ended, reward = self.locals["dones"], self.locals["rewards"]
        self._latest.extend((reward[ended] > 0).tolist())
        return not self.is_there and time.process_time() < self._deadline


class OneHotVecEnv(VecEnv):
    """A vector environment that starts over in the same step, as stable-baselines3 wants one, with one-hot frames."""

    def __init__(self, env: VectorEnv, seed: int) -> None:
        self._env, self._seed = env, seed
        self.render_mode = None
        actions = env.single_action_space
        super().__init__(env.num_envs, gymnasium.spaces.Box(0, 1, (len(ITEMS),), np.float32), actions)

    def reset(self) -> np.ndarray:
        """Begin an episode in every world."""
        return _one_hot(self._env.reset(seed=self._seed)[0]["image"])

    def step_async(self, actions: np.ndarray) -> None:
        """Note the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, object]]]:
        """Take them."""
        observation, reward, terminated, truncated, info = self._env.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, object]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(ended):
            last = _one_hot(info["final_obs"][world]["image"])
            is_cut = bool(truncated[world] and not terminated[world])
            infos[world] = {"terminal_observation": last, "TimeLimit.truncated": is_cut}
        return _one_hot(observation["image"]), reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[object]:
        """Return the adapter's own attribute for every world."""
        return [getattr(self, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Refuse."""
        raise NotImplementedError(f"{attr_name} of {indices} cannot be {value}")

    def env_method(self, method_name: str, *args: object, indices: VecEnvIndices = None, **kwargs: object) -> list:
        """Refuse."""
        raise NotImplementedError(f"{method_name} of {indices} with {args} and {kwargs}")

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Return that nothing is wrapped."""
        return [isinstance(self._env, wrapper_class) for _ in self._get_indices(indices)]


def _one_hot(image: np.ndarray) -> np.ndarray:
    return one_hot(torch.from_numpy(np.ascontiguousarray(image))).numpy()


def _row(outcome: Outcome) -> str:
    there = f"{outcome.steps:,} steps" if outcome.is_there else f"not reached ({outcome.success:.1%})"
    return (
        f"| {outcome.contender} | {outcome.seed} | {there} | {outcome.seconds:.1f} | {outcome.cpu_seconds:.1f} | "
        f"{outcome.rollout_steps_per_second:,.0f} | {outcome.update_steps_per_second:,.0f} |"
    )


def _print_ratios(outcomes: list[Outcome]) -> None:
    ours = [outcome.cpu_seconds for outcome in outcomes if outcome.contender == OURS and outcome.is_there]
    for contender, aim in AIMS.items():
        theirs = [outcome for outcome in outcomes if outcome.contender == contender]
        if ours and theirs:
            bound = "" if all(outcome.is_there for outcome in theirs) else "at least "
            ratio = statistics.median(outcome.cpu_seconds for outcome in theirs) / statistics.median(ours)
            print(
                f"\nours is {bound}{ratio:,.1f} times as fast as {contender}, by the medians of CPU time (aim: {aim})"
            )


def _write(path: Path, outcomes: list[Outcome], arguments: argparse.Namespace) -> None:
    content = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "threads": arguments.threads,
        "settings": asdict(SETTINGS),
        "versions": {name: version(name) for name in ("torch", "minigrid", "stable-baselines3", "sb3-contrib")},
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
