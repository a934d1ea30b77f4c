"""Rates and sizes that benchmarks measured."""

from collections.abc import Mapping
from statistics import fmean

import pandas as pd

from tables.shelf import measured

TRAININGS = {
    "dtinterp": "`train_model`",
    "dtinterp, whole windows": "ours on whole windows",
    "nn.TransformerEncoder": "`nn.TransformerEncoder`",
    "TransformerLens": "TransformerLens 3.9's `HookedTransformer`",
}


def worlds() -> pd.DataFrame:
    """Steps a second, every step with its observation, and bytes of a world between steps.

    Random actions in 256 layouts, episodes starting over by themselves, on one of two idle cores of a shared machine;
    MiniGrid was measured before and after the twin, in the same run.
    """
    found = measured("worlds")["rates"]
    minigrid: dict[str, list[float]] = {}
    for each in found:
        if each["contender"] == "MiniGrid":
            minigrid.setdefault(each["env_id"], []).append(each["steps_per_second"])
    return pd.DataFrame(
        {
            "world": _world(each),
            "contender": each["contender"],
            "batch": f"{each['batch']:,}",
            "steps/s (median)": f"{each['steps_per_second']:,.0f}",
            "slowest to fastest": f"{each['slowest']:,.0f} to {each['fastest']:,.0f}",
            "times MiniGrid": f"{each['steps_per_second'] / fmean(minigrid[each['env_id']]):.2f}",
            "bytes per world": "" if each["contender"] == "MiniGrid" else f"{each['bytes_per_world']:.0f}",
        }
        for each in found
    )


def state_graphs() -> pd.DataFrame:
    """Seconds to enumerate a state graph from all starts."""
    return pd.DataFrame(
        {
            "world": _world(each),
            "states": f"{each['states']:,}",
            "frames": f"{each['frames']:,}",
            "seconds by the twin": f"{each['twin_seconds']:.2f}",
            "seconds by MiniGrid": f"{each['minigrid_seconds']:.2f}",
            "aim": f"{each['aim_seconds']}",
        }
        for each in measured("worlds")["graphs"]
    )


def storage() -> pd.DataFrame:
    """Bytes a step of the demonstrations that ship, manifest included, and of the same kept otherwise.

    The others are really written, on 4,000 episodes (47,574 steps) at even distances through them.
    """
    found = measured("demonstrations")
    return pd.DataFrame(
        {
            "kept as": each["contender"],
            "bytes a step": f"{each['bytes_per_step']:,.{0 if each['bytes_per_step'] > 100 else 2}f}",
            "times ours": f"{each['times_ours']:.0f}",
            "aim": str(found["aims"].get(each["contender"], "")),
        }
        for each in found["storage"]
    )


def opening() -> pd.DataFrame:
    """Seconds to open 479,730 steps, medians of nine in a process that had opened the files before; the aim is 1 s."""
    return pd.DataFrame(
        {"what": each["what"], "median": f"{each['median']:.3f} s"} for each in measured("demonstrations")["seconds"]
    )


def agents() -> pd.DataFrame:
    """Training until 95% of the latest 2,000 episodes succeed, with the same settings, one thread each."""
    return pd.DataFrame(
        {
            "contender": each["contender"],
            "seed": str(each["seed"]),
            "95% reached": f"{each['steps']:,} steps" if each["is_there"] else f"not reached ({each['success']:.1%})",
            "CPU seconds": f"{each['cpu_seconds']:.1f}",
            "rollout steps/s": f"{each['rollout_steps_per_second']:,.0f}",
            "update steps/s": f"{each['update_steps_per_second']:,.0f}",
        }
        for each in measured("agents")["outcomes"]
    )


def training() -> pd.DataFrame:
    """Tokens a second of training steps of memory-dt's shape: 256 windows of 29 tokens, on two idle cores; medians."""
    found = {name: measured("model")[name]["tokens_per_second"] for name in ("float32", "bfloat16")}
    return pd.DataFrame(
        {"trained by": title, **{head: cell for name, rates in found.items() for head, cell in _rate(name, rates, key)}}
        for key, title in TRAININGS.items()
    )


def dictionaries() -> pd.DataFrame:
    """Rows times dictionaries fitted a second: TopK, 256 → 1,024, k = 32, 4,096 rows a step, float32, two cores."""
    found = measured("dictionaries")
    other = found["saelens"]
    ours = [
        {
            "fitted by": each["contender"].partition(" (")[0],
            "rows × dictionaries / s": f"{each['rows_per_second']:,.0f}",
            "slowest to fastest": f"{each['slowest']:,.0f} to {each['fastest']:,.0f}",
        }
        for each in found["rates"]
    ]
    theirs = {
        "fitted by": f"sae-lens {other['version']}, alone",
        "rows × dictionaries / s": f"{other['rows_per_second']:,.0f}",
    }
    return pd.DataFrame([*ours, theirs])


def _rate(name: str, rates: Mapping[str, float], key: str) -> list[tuple[str, str]]:
    return [
        (f"{name} tokens/s", f"{rates[key]:,.0f}"),
        (f"{name}, ours is faster by", f"{rates['dtinterp'] / rates[key]:.2f}"),
    ]


def _world(each: Mapping) -> str:
    return each["env_id"].removeprefix("MiniGrid-").removesuffix("-v0")
