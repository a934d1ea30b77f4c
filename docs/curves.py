"""Logs and calibrations that ship become the figures of agents.md and model.md.

python docs/curves.py
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
AGENTS, MODELS, STUDIES = (ROOT / "checkpoints" / name for name in ("agents", "models", "studies"))
FIGURES = ROOT / "docs" / "figures"
COLOURS = ("#0b6e8e", "#c4541b", "#5b7f2b", "#7a4fa3", "#a8852a", "#b03a5b", "#2f6f5e", "#555f6b", "#3d5ea8", "#8a4b2a")
WIDTH, HEIGHT, LEFT, TOP, LEGEND = 560, 260, 44, 14, 190
SMOOTHED = 8
"""Rollouts averaged into a point."""
Curve = list[tuple[float, float]]


@dataclass(frozen=True)
class Axes:
    """What lies below a figure: how far it goes, where its numbers stand, and what they count."""

    longest: float
    ticks: Sequence[float]
    unit: float
    title: str
    share: bool = True
    """whether heights are shares, in percent"""


def agents() -> str:
    """Return the success of the agents in training."""
    curves = {log.stem: _smoothed(_rows(log)) for log in sorted(AGENTS.glob("*.jsonl"))}
    longest = max(curve[-1][0] for curve in curves.values())
    axes = Axes(longest, range(0, int(longest) + 1, 250_000), 1e6, "million environment steps")
    return picture(axes, curves)


def models() -> str:
    """Return what the models do in training: success when asked for the best return, sampled at temperature 1."""
    field = "success_at_0.892"
    logs = {log.stem: _rows(log) for log in sorted(MODELS.glob("*.jsonl"))}
    curves = {name: [(row["step"], row[field]) for row in rows] for name, rows in logs.items() if field in rows[0]}
    longest = max(curve[-1][0] for curve in curves.values())
    return picture(Axes(longest, range(0, int(longest) + 1, 2000), 1e3, "thousand steps of training"), curves)


def calibrations() -> str:
    """Return the return achieved over the one asked for, asked as the demonstrations of temperature 5 achieved it.

    Models of several worlds are left out.
    """
    curves: dict[str, Curve] = {"as asked": [(0.0, 0.0), (1.0, 1.0)]}
    for file in sorted(STUDIES.glob("*/calibration/manifest.json")):
        calibrations = json.loads(file.read_bytes())["metrics"]["calibrations"]
        if len({found["demand"]["env_id"] for found in calibrations}) > 1:
            continue
        for found in calibrations:
            if found["demand"]["sampler"] == "temperature=5":
                curves[f"{file.parts[-3]}, {found['acting'].replace('temperature=1', 'sampled')}"] = [
                    (point["target_return"], point["evaluation"]["mean_return"]["estimate"])
                    for point in found["points"]
                ]
    return picture(Axes(1.0, (0, 0.25, 0.5, 0.75, 1.0), 1, "return asked for", share=False), curves)


def picture(axes: Axes, curves: Mapping[str, Curve]) -> str:
    """Return a figure."""
    parts = [_grid(axes)]
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{_x(step, axes.longest):.1f},{_y(height):.1f}" for step, height in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(_text(LEFT + WIDTH + 14, TOP + 16 * (place + 1), name, fill=colour))
    size = f'viewBox="0 0 {LEFT + WIDTH + LEGEND} {TOP + HEIGHT + 44}" width="{LEFT + WIDTH + LEGEND}"'
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{ground}\n' + "\n".join(parts) + "\n</svg>\n"


def _rows(log: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _smoothed(rows: list[dict[str, float]]) -> Curve:
    groups = [rows[start : start + SMOOTHED] for start in range(0, len(rows), SMOOTHED)]
    return [(_steps(group[-1]), sum(row["success"] for row in group) / len(group)) for group in groups]


def _steps(row: dict[str, float]) -> float:
    """Return the environment steps so far; the first agent's log calls them otherwise."""
    return row["step"] if "step" in row else row["steps"]


def _grid(axes: Axes) -> str:
    lines = []
    for height in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(height)
        lines.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde1e6"/>')
        lines.append(_text(LEFT - 6, y + 4, f"{height:.0%}" if axes.share else f"{height:g}", anchor="end"))
    for tick in axes.ticks:
        lines.append(_text(_x(tick, axes.longest), TOP + HEIGHT + 18, f"{tick / axes.unit:g}", anchor="middle"))
    lines.append(_text(LEFT + WIDTH / 2, TOP + HEIGHT + 38, axes.title, anchor="middle"))
    return "\n".join(lines)


def _text(x: float, y: float, words: str, *, fill: str = "#3a424c", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{words}</text>'


def _x(step: float, longest: float) -> float:
    return LEFT + WIDTH * step / longest


def _y(success: float) -> float:
    return TOP + HEIGHT * (1 - success)


if __name__ == "__main__":
    for draw in (agents, models, calibrations):
        (FIGURES / f"{draw.__name__}.svg").write_text(draw(), encoding="utf-8")
