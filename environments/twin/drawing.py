"""Text drawings of states: a world that can be read, written by hand, and kept beside a test.

    #   #   #   #   #
    #   >   .   Kg  #
    #   .   Br(Ky) Gg #
    #   #   #   #   #
    carrying Ab

One word per cell: `.` nothing, `#` a wall, else a letter for the thing and one for its colour (r g b p y e, where e is
grey): `W` wall, `F` floor, `O` open door, `D` closed door, `L` locked door, `K` key, `A` ball, `B` box, `G` goal, `V`
lava. A box names what it holds in brackets. The agent is an arrow, `>` `v` `<` `^`, after what it stands on, if
anything. Lines below the grid may say what it carries and the time; where the world's rule has parameters, a line says
them.
"""

import re
from dataclasses import dataclass

import torch

from environments.families.legality import require_legal
from environments.grid.cells import EMPTY, THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of
from environments.grid.state import State
from environments.grid.world_spec import WorldSpec, parameter_row
from environments.twin.layouts import CPU

ARROWS = ">v<^"
"""The agent, facing east, south, west and north."""

_LETTERS = {"W": "wall", "F": "floor", "K": "key", "A": "ball", "B": "box", "G": "goal", "V": "lava"}
_DOORS = {"O": "open", "D": "closed", "L": "locked"}
_COLOURS = {"r": "red", "g": "green", "b": "blue", "p": "purple", "y": "yellow", "e": "grey"}
_WORD = re.compile(r"(?P<thing>[.#]|[A-Z][a-z])?(\((?P<contents>[A-Z][a-z])\))?(?P<agent>[>v<^])?")
_KEYWORDS = ("carrying", "time", "parameters")
"""What a line below the grid begins with; each may be there once."""

_LARGEST_NUMBER = 2**31 - 1


def parse_drawing(drawing: str, spec: WorldSpec) -> State:
    """Return the state that a drawing shows, as a batch of one world.

    Raises ValueError for a drawing of another size than the spec's grid, with no agent or more than one, with a word
    that means nothing, with other numbers below the grid than the world's rule has parameters, or of an illegal state.
    """
    lines = [line.split() for line in drawing.strip().splitlines() if line.strip()]
    grid = [line for line in lines if line[0] not in _KEYWORDS]
    notes = _notes([line for line in lines if line[0] in _KEYWORDS])
    if len(grid) != spec.height or any(len(row) != spec.width for row in grid):
        raise ValueError(
            f"The drawing has {len(grid)} rows of {sorted({len(row) for row in grid})} cells; {spec.env_id} is "
            f"{spec.width} wide and {spec.height} high."
        )
    spots = [_parse_word(grid[y][x]) for x in range(spec.width) for y in range(spec.height)]
    agents = [(cell, spot.direction) for cell, spot in enumerate(spots) if spot.direction is not None]
    if len(agents) != 1:
        places = [spec.place(cell) for cell, _ in agents]
        raise ValueError(f"The drawing has {len(agents)} agents, at {places}; draw exactly one of {' '.join(ARROWS)}.")
    codes = torch.tensor([*(code_of(spot.thing) for spot in spots), code_of(WALL)])
    state = State(
        grid=cell_of_code(CPU).index_select(0, codes)[None],
        position=torch.tensor([agents[0][0]]),
        direction=torch.tensor([agents[0][1]]),
        hand=torch.tensor([_carried(notes.get("carrying", ["."]))], dtype=torch.int32),
        time=torch.tensor([_number(_only(notes.get("time", ["0"]), "time"))]),
        parameters=parameter_row(spec.rule, [_number(word) for word in notes.get("parameters", [])]),
    )
    require_legal(state, spec)
    return state


def draw(state: State, spec: WorldSpec) -> str:
    """Return the drawing of a batch of one world, which `parse_drawing` reads back.

    Raises ValueError for another number of worlds.
    """
    if len(state) != 1:
        raise ValueError(f"A drawing shows one world, and the state has {len(state)}; choose one of them.")
    words = [_word(THING_OF_CODE[code]) for code in codes_of(state.grid[0, :-1]).tolist()]
    agent, arrow = int(state.position), ARROWS[int(state.direction)]
    words[agent] = words[agent].replace(".", "") + arrow
    rows = [words[y :: spec.height] for y in range(spec.height)]
    width = max(len(word) for word in words)
    lines = [" ".join(word.ljust(width) for word in row).rstrip() for row in rows]
    if int(state.hand):
        lines.append(f"carrying {_word(THING_OF_CODE[int(state.hand)])}")
    if int(state.time):
        lines.append(f"time {int(state.time)}")
    if spec.rule.parameters:
        numbers = state.parameters[0, : len(spec.rule.parameters)].tolist()
        lines.append("parameters " + " ".join(str(number) for number in numbers))
    return "\n".join(lines) + "\n"


def _notes(lines: list[list[str]]) -> dict[str, list[str]]:
    """Return the words after each keyword. Raises ValueError for a keyword that is there twice."""
    keywords = [line[0] for line in lines]
    for keyword in keywords:
        if keywords.count(keyword) > 1:
            raise ValueError(f"The drawing says {keyword!r} {keywords.count(keyword)} times; once is enough.")
    return {line[0]: line[1:] for line in lines}


def _only(words: list[str], keyword: str) -> str:
    if len(words) != 1:
        raise ValueError(f"The drawing says {' '.join([keyword, *words])!r}; exactly one word follows {keyword!r}.")
    return words[0]


def _carried(words: list[str]) -> int:
    word = _only(words, "carrying")
    spot = _parse_word(word)
    if spot.direction is not None:
        raise ValueError(f"The drawing says that the agent carries {word!r}; it cannot carry an agent.")
    return code_of(spot.thing)


@dataclass(frozen=True)
class _Spot:
    thing: Thing
    direction: int | None


def _parse_word(word: str) -> _Spot:
    match = _WORD.fullmatch(word)
    if not match or not word:
        raise ValueError(
            f"The word {word!r} in the drawing means nothing; a cell is written like `.`, `#`, `Kg`, `Br(Ky)` or `Og>`."
        )
    direction = ARROWS.index(match["agent"]) if match["agent"] else None
    return _Spot(_thing(match["thing"] or ".", match["contents"]), direction)


def _thing(letters: str, contents: str | None) -> Thing:
    """Return what a letter and a colour stand for. Raises ValueError where they stand for nothing."""
    if letters in ".#" and contents is None:
        return EMPTY if letters == "." else WALL
    letter, colour = letters[0], _COLOURS.get(letters[-1])
    is_known = letter in _LETTERS or letter in _DOORS
    if colour is None or not is_known or (contents is not None and letter != "B"):
        raise ValueError(
            f"{letters!r} in the drawing is no thing; things are {' '.join([*_LETTERS, *_DOORS])}, colours are "
            f"{' '.join(_COLOURS)}."
        )
    if letter in _DOORS:
        return Thing("door", colour, _DOORS[letter])
    return Thing(_LETTERS[letter], colour, contents=_thing(contents, None) if contents else None)


def _word(thing: Thing) -> str:
    if thing in (EMPTY, WALL):
        return "." if thing == EMPTY else "#"
    letters = {name: letter for letter, name in (_DOORS if thing.kind == "door" else _LETTERS).items()}
    colours = {name: letter for letter, name in _COLOURS.items()}
    contents = f"({_word(thing.contents)})" if thing.contents else ""
    return letters[thing.state if thing.kind == "door" else thing.kind] + colours[thing.colour] + contents


def _number(word: str) -> int:
    if not word.isdecimal():
        raise ValueError(f"{word!r} below the drawing is no number; time and parameters are written in digits.")
    if int(word) > _LARGEST_NUMBER:
        raise ValueError(f"{word} below the drawing is too large; numbers go up to {_LARGEST_NUMBER}.")
    return int(word)
