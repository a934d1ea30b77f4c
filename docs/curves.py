"""The logs of the agents that ship become docs/figures/agents.svg: success over environment steps.

python docs/curves.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
AGENTS = ROOT / "checkpoints" / "agents"
PICTURE = ROOT / "docs" / "figures" / "agents.svg"
COLOURS = ("#0b6e8e", "#c4541b", "#5b7f2b", "#7a4fa3", "#a8852a", "#b03a5b", "#2f6f5e", "#555f6b", "#3d5ea8", "#8a4b2a")
WIDTH, HEIGHT, LEFT, TOP, LEGEND = 560, 260, 44, 14, 190
SMOOTHED = 8
"""Rollouts averaged into a point."""
Curve = list[tuple[float, float]]


def picture() -> str:
    """Return the figure."""
    curves = {log.stem: _curve(log) for log in sorted(AGENTS.glob("*.jsonl"))}
    longest = max(curve[-1][0] for curve in curves.values())
    parts = [_grid(longest)]
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{_x(step, longest):.1f},{_y(success):.1f}" for step, success in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(_text(LEFT + WIDTH + 14, TOP + 16 * (place + 1), name, fill=colour))
    size = f'viewBox="0 0 {LEFT + WIDTH + LEGEND} {TOP + HEIGHT + 44}" width="{LEFT + WIDTH + LEGEND}"'
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{ground}\n' + "\n".join(parts) + "\n</svg>\n"


def _curve(log: Path) -> Curve:
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    groups = [rows[start : start + SMOOTHED] for start in range(0, len(rows), SMOOTHED)]
    return [(_steps(group[-1]), sum(row["success"] for row in group) / len(group)) for group in groups]


def _steps(row: dict[str, float]) -> float:
    """Return the environment steps so far; the first agent's log calls them otherwise."""
    return row["step"] if "step" in row else row["steps"]


def _grid(longest: float) -> str:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        lines.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde1e6"/>')
        lines.append(_text(LEFT - 6, y + 4, f"{share:.0%}", anchor="end"))
    for step in range(0, int(longest) + 1, 250_000):
        lines.append(_text(_x(step, longest), TOP + HEIGHT + 18, f"{step / 1e6:g}", anchor="middle"))
    lines.append(_text(LEFT + WIDTH / 2, TOP + HEIGHT + 38, "million environment steps", anchor="middle"))
    return "\n".join(lines)


def _text(x: float, y: float, words: str, *, fill: str = "#3a424c", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}">{words}</text>'


def _x(step: float, longest: float) -> float:
    return LEFT + WIDTH * step / longest


def _y(success: float) -> float:
    return TOP + HEIGHT * (1 - success)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
