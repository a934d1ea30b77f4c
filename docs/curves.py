"""Figures of training logs and calibrations that ship."""

import json
from collections.abc import Mapping
from statistics import fmean

import plotly.graph_objects as go
from tables.dictionaries import SPOKEN
from tables.models import ACTING, calibrations
from tables.shelf import CHECKPOINTS, LARGEST, OURS, measured

from dtinterp.report.style import CATEGORICAL, DASHES, styled

SMOOTHED = 8
"""Rollouts averaged into a point."""
SAMPLER = "temperature=5"
Curve = list[tuple[float, float]]


def agents() -> go.Figure:
    """Return the success of the agents in training."""
    curves: dict[str, Curve] = {}
    for name, rows in _logs("agents").items():
        groups = [rows[start : start + SMOOTHED] for start in range(0, len(rows), SMOOTHED)]
        curves[name] = [(_steps(group[-1]), fmean(row["success"] for row in group)) for group in groups]
    return _figure(curves, "environment steps", "success").update_yaxes(tickformat=".0%")


def models() -> go.Figure:
    """Return what the models do in training: success when asked for the best return, sampled at temperature 1."""
    field = "success_at_0.892"
    logs = {name: rows for name, rows in _logs("models").items() if field in rows[0]}
    curves = {name: [(row["step"], row[field]) for row in rows] for name, rows in logs.items()}
    return _figure(curves, "steps of training", "success asked for 0.892").update_yaxes(tickformat=".0%")


def achieved() -> go.Figure:
    """Return the return achieved over the one asked for, asked as the demonstrations of temperature 5 achieved it."""
    curves: dict[str, Curve] = {"as asked": [(0.0, 0.0), (1.0, 1.0)]}
    for model in OURS:
        for each in calibrations(model):
            if each.demand.sampler == SAMPLER:
                points = [(point.target_return, point.evaluation.mean_return.estimate) for point in each.points]
                curves[f"{model}, {ACTING[each.acting]}"] = points
    return _figure(curves, "return asked for", "return achieved")


def dictionary_sparsity() -> go.Figure:
    """Return the error on unseen frames of the world against active components, in memory-dt."""
    curves: dict[str, Curve] = {}
    for each in measured("dictionary_sparsity")[LARGEST]["dictionaries"]:
        point = (each["world"]["l0"], each["world"]["fvu"]["estimate"])
        curves.setdefault(SPOKEN[each["kind"]], []).append(point)
    figure = _figure(curves, "active components", "FVU on frames that training never shows")
    return figure.update_traces(mode="lines+markers").update_xaxes(type="log").update_yaxes(type="log")


def _logs(folder: str) -> dict[str, list[dict[str, float]]]:
    logs = sorted((CHECKPOINTS / folder).glob("*.jsonl"))
    return {log.stem: [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] for log in logs}


def _steps(row: dict[str, float]) -> float:
    """Return the environment steps so far; the first agent's log calls them otherwise."""
    return row["step"] if "step" in row else row["steps"]


def _figure(curves: Mapping[str, Curve], horizontal: str, vertical: str) -> go.Figure:
    figure = go.Figure()
    for place, (name, curve) in enumerate(curves.items()):
        steps, heights = zip(*curve, strict=True)
        line = {"color": CATEGORICAL[place % len(CATEGORICAL)], "dash": DASHES[place // len(CATEGORICAL) % len(DASHES)]}
        figure.add_scatter(x=steps, y=heights, name=name, mode="lines", line=line)
    figure.update_xaxes(title_text=horizontal)
    figure.update_yaxes(title_text=vertical)
    return styled(figure, height=420)
