"""A policy's machine as a page: its states in a drawing, and every observation that leads from one to another below."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from markupsafe import Markup, escape

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from dtinterp.equivalence.machines.report import MachineReport
from dtinterp.report.drawings.curves import Curve, Point, curve, picture_spots
from dtinterp.report.drawings.machine_layout import StatePlaces, places
from dtinterp.report.pictures import frame_picture, in_words, symbols
from dtinterp.report.style import CATEGORICAL, INK, MUTED, PAPER, RULE, SANS
from dtinterp.report.words import count, plural
from environments.vocabulary import ACTIONS

COLUMN, ROW, RADIUS = 250.0, 104.0, 17.0
"""Pixels between columns and rows, and of a state."""
PICTURE = 38.0
"""Pixels of a frame's picture on an arrow."""
MARGIN, ENTRY = 80.0, 90.0
"""Pixels around the states, and left of the first ones for what is seen at a start."""
MOST_PICTURES = 3
"""Pictures on one arrow; how many more there are stands beside them."""
SIGNS = {"left": "↺", "right": "↻", "forward": "↑"}
STYLE = f"""
body {{ font: 14px {SANS}; color: {INK}; background: {PAPER}; margin: 24px; max-width: 1800px; }}
h1 {{ font-size: 20px; margin: 0 0 4px; }} p {{ color: {MUTED}; margin: 4px 0 14px; max-width: 70em; }}
.symbols {{ width: 0; height: 0; position: absolute; }}
table {{ border-collapse: collapse; }} td, th {{ border-top: 1px solid {RULE}; padding: 4px 8px; text-align: left; }}
td {{ vertical-align: top; }} td svg {{ width: 26px; height: 26px; margin: 0 2px 2px 0; }}
.to {{ display: inline-block; margin: 0 14px 2px 0; white-space: normal; }} .to b {{ margin-right: 4px; }}
.own {{ outline: 2px solid {CATEGORICAL[0]}; }}
"""


@dataclass(frozen=True)
class _Arrow:
    """All inputs that lead from one state to another after one action."""

    origin: int
    action: int
    target: int
    frames: tuple[int, ...]
    """those of the policy's own play first"""
    n_own: int
    """how many of them are"""

    @property
    def n_pictures(self) -> int:
        """The number of pictures in the drawing."""
        return min(self.n_own, MOST_PICTURES)


def machine_drawing(report: MachineReport) -> str:
    """Return the page: the states and arrows, then each state with all that leads away from it."""
    machine, is_own = report.machine, report.is_own.numpy()
    arrows = list(_arrows(machine, is_own))
    shown = sorted({frame for arrow in arrows for frame in arrow.frames} | set(_starts(machine)))
    frames = report.frames.numpy()
    view = frames.shape[1]
    pictures = symbols({f"f{frame}": frame_picture(frames[frame]) for frame in shown}, view=view)
    words = {frame: in_words(frames[frame]) for frame in shown}
    title = f"{plural(report.n_states, 'state')}: the policy asked {report.config.target_return:g} in {report.env_id}"
    page = Markup(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{style}</style>"
        "<h1>{title}</h1><p>{said}</p>{pictures}{drawing}<h1>All transitions</h1><p>{below}</p>{table}</html>\n"
    )
    return page.format(
        title=title,
        style=Markup(STYLE),
        said=_said(report),
        pictures=pictures,
        drawing=_drawing(machine, arrows, places(machine, is_own), words),
        below="After the action at the head of a column, each observation leads to the state before it. "
        "Framed: the policy's own play. Point at a picture for its words.",
        table=_table(machine, arrows, words),
    )


def _said(report: MachineReport) -> str:
    n_histories = count(report.tests[0].decisions.n)
    return (
        "A circle is a state with the greedy action there. Thick arrows are the policy's own play from its "
        f"{plural(len(_starts(report.machine)), 'first observation')}, with what it then sees, and how many other "
        "observations lead the same way; thin ones are what other actions lead to. It agrees with the model at "
        f"{n_histories} of {n_histories} histories, all plays of up to {report.config.horizon} actions, and no machine "
        f"that does has fewer than {plural(report.at_least, 'state')}."
    )


def _starts(machine: PolicyMachine) -> list[int]:
    return np.flatnonzero(machine.start.numpy() != NO_STATE).tolist()


def _arrows(machine: PolicyMachine, is_own: np.ndarray) -> Iterator[_Arrow]:
    rows = np.column_stack([machine.origin, machine.action, machine.target, machine.frame_id, is_own])
    ordered = sorted(rows.tolist())
    for key, inputs in groupby(ordered, key=lambda row: tuple(row[:3])):
        group = sorted(inputs, key=lambda row: (-row[4], row[3]))
        yield _Arrow(*key, frames=tuple(row[3] for row in group), n_own=sum(row[4] for row in group))


def _drawing(machine: PolicyMachine, arrows: Sequence[_Arrow], at: StatePlaces, words: dict[int, str]) -> Markup:
    width = 2 * MARGIN + (at.n_columns - 1) * COLUMN + ENTRY
    height = 2 * MARGIN + (at.n_rows - 1) * ROW
    points = [
        (MARGIN + ENTRY + COLUMN * float(c), MARGIN + ROW * float(r)) for c, r in zip(at.column, at.row, strict=True)
    ]
    thin: dict[tuple[int, int], list[_Arrow]] = defaultdict(list)
    for arrow in arrows:
        if not arrow.n_own and arrow.origin != arrow.target:
            thin[arrow.origin, arrow.target].append(arrow)
    own = [arrow for arrow in arrows if arrow.n_own]
    curves = [curve(points[arrow.origin], points[arrow.target], RADIUS) for arrow in own]
    widths = [arrow.n_pictures * (PICTURE + 3) + 26 for arrow in own]
    spots = picture_spots(curves, widths, PICTURE + 4, [(point, 2 * RADIUS) for point in points])
    parts = [
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" font-family="{f}">'
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
            ' orient="auto"><path d="M0 0L8 4L0 8z" fill="{c}"/></marker></defs>'
        ).format(w=width, h=round(height), f=SANS, c=CATEGORICAL[0]),
        *(_thin(curve(points[one], points[other], RADIUS), group) for (one, other), group in thin.items()),
        *(_thick(each) for each in curves),
        *_entries(machine, points, words),
        *(_circle(state, points[state], int(output)) for state, output in enumerate(machine.output)),
        *(_labelled(spot, arrow, words) for spot, arrow in zip(spots, own, strict=True)),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _thin(each: Curve, group: Sequence[_Arrow]) -> Markup:
    told = "; ".join(f"{ACTIONS[arrow.action]}: {plural(len(arrow.frames), 'observation')}" for arrow in group)
    line = '<path d="{}" fill="none" stroke="{}" stroke-opacity=".18"><title>{}</title></path>'
    return Markup(line).format(each.path, MUTED, f"{group[0].origin} → {group[0].target}, {told}")


def _thick(each: Curve) -> Markup:
    line = '<path d="{}" fill="none" stroke="{}" stroke-width="2.4" marker-end="url(#head)"/>'
    return Markup(line).format(each.path, CATEGORICAL[0])


def _labelled(spot: Point, arrow: _Arrow, words: dict[int, str]) -> Markup:
    """Draw what the policy itself sees there; how many more observations lead the same way stands beside it."""
    x, y = spot
    left = x - (arrow.n_pictures - 1) * (PICTURE + 3) / 2
    pictures = [
        _picture(frame, left, y, place, words[frame]) for place, frame in enumerate(arrow.frames[: arrow.n_pictures])
    ]
    more = len(arrow.frames) - arrow.n_pictures
    text = Markup('<text x="{:.0f}" y="{:.0f}" font-size="11" fill="{}">+{}</text>')
    beside = left + (arrow.n_pictures - 0.5) * (PICTURE + 3) + 1
    return Markup("").join([*pictures, text.format(beside, y + 4, INK, more) if more else ""])


def _picture(frame: int, x: float, y: float, place: int, words: str) -> Markup:
    left, top = x - PICTURE / 2 + place * (PICTURE + 3), y - PICTURE / 2
    shown = (
        '<g><title>{}</title><use href="#f{}" x="{:.0f}" y="{:.0f}" width="{}" height="{}"/>'
        '<rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" fill="none" stroke="{}"/></g>'
    )
    return Markup(shown).format(words, frame, left, top, PICTURE, PICTURE, left, top, PICTURE, PICTURE, MUTED)


def _entries(machine: PolicyMachine, points: Sequence[Point], words: dict[int, str]) -> Iterator[Markup]:
    """Yield what is seen at the starts, left of the states that they lead to."""
    by_state: dict[int, list[int]] = defaultdict(list)
    for frame in _starts(machine):
        by_state[int(machine.start[frame])].append(frame)
    for state, frames in by_state.items():
        x, y = points[state]
        left = x - 60 - (len(frames) - 1) * (PICTURE + 3)
        line = '<path d="M{:.0f} {:.0f}H{:.0f}" stroke="{}" stroke-width="2.4" marker-end="url(#head)"/>'
        yield Markup(line).format(x - 60, y, x - RADIUS - 3, CATEGORICAL[0])
        yield from (_picture(frame, left, y, place, words[frame]) for place, frame in enumerate(frames))


def _circle(state: int, at: Point, output: int) -> Markup:
    name = ACTIONS[output]
    colour = CATEGORICAL[output % len(CATEGORICAL)]
    drawn = (
        '<g><title>{}: {}</title><circle cx="{:.0f}" cy="{:.0f}" r="{}" fill="{}"/>'
        '<text x="{:.0f}" y="{:.0f}" font-size="12" fill="#fff" text-anchor="middle" font-weight="600">{}{}</text></g>'
    )
    x, y = at
    return Markup(drawn).format(f"state {state}", name, x, y, RADIUS, colour, x, y + 4, state, SIGNS.get(name, name[0]))


def _table(machine: PolicyMachine, arrows: Sequence[_Arrow], words: dict[int, str]) -> Markup:
    actions = sorted({arrow.action for arrow in arrows})
    head = Markup("").join(Markup("<th>{} {}</th>").format(SIGNS.get(ACTIONS[a], ""), ACTIONS[a]) for a in actions)
    rows = []
    for state, output in enumerate(machine.output.tolist()):
        cells = []
        for action in actions:
            away = [arrow for arrow in arrows if arrow.origin == state and arrow.action == action]
            cells.append(Markup("<td>{}</td>").format(Markup("").join(_away(arrow, words) for arrow in away)))
        said = Markup("<th>{}</th><td>{} {}</td>").format(state, SIGNS.get(ACTIONS[output], ""), ACTIONS[output])
        rows.append(Markup("<tr>{}{}</tr>").format(said, Markup("").join(cells)))
    return Markup("<table><tr><th>state</th><th>greedy action</th>{}</tr>{}</table>").format(
        head, Markup("").join(rows)
    )


def _away(arrow: _Arrow, words: dict[int, str]) -> Markup:
    picture = '<svg viewBox="0 0 7 7" role="img"><title>{}</title><use href="#f{}"/></svg>'
    shown = Markup("").join(Markup(picture).format(escape(words[frame]), frame) for frame in arrow.frames)
    return Markup('<span class="to{}"><b>{}</b>{}</span>').format(" own" * bool(arrow.n_own), arrow.target, shown)
