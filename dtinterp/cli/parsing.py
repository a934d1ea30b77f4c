"""Words into a call of a command; what tyro refuses is refused in one sentence."""

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass
from functools import partial, wraps
from importlib import import_module
from inspect import signature
from pathlib import Path

from dtinterp.cli.commands import COMMANDS
from dtinterp.foundation.errors import UserError, nearest
from dtinterp.foundation.shipped import require_shipped

UNKNOWN = "Unrecognized options:"
FRAME = "╭╮╰╯│"
OUTPUTS = ("out", "tables")
"""Settings that name what is written, wherever that is."""


class _Page(io.StringIO):
    """Text that is kept, drawn as for a stream of this encoding, in colours where it is a terminal."""

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool = False) -> None:
        super().__init__()
        self._encoding, self._is_terminal = encoding, is_terminal

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._encoding

    def isatty(self) -> bool:
        return self._is_terminal


def function_of(name: str) -> Callable[..., object]:
    """Import a command's function."""
    module, _, function = COMMANDS[name].function.partition(":")
    return getattr(import_module(module), function)


def parsed(name: str, words: Sequence[str]) -> partial[object]:
    """Return the command's function bound to what the words say.

    Raises `UserError` for words that it does not take.
    """
    bound = _refused_in_a_sentence(function_of(name), name, words, _Page())
    assert bound is not None, "only --help ends without a call"
    for option, path in _paths_of(signature(bound.func).bind(*bound.args, **bound.keywords).arguments):
        require_shipped(path, option=f"--{option.replace('_', '-')}")
    return bound


def _paths_of(settings: Mapping[str, object]) -> Iterator[tuple[str, Path]]:
    """Yield the paths to read among settings, and among theirs, each with its name."""
    for name, value in settings.items():
        if isinstance(value, Path) and name not in OUTPUTS:
            yield name, value
        elif is_dataclass(value):
            yield from _paths_of({field.name: getattr(value, field.name) for field in fields(value)})


def help_of(
    name: str, words: Sequence[str] = ("--help",), *, encoding: str = "utf-8", is_terminal: bool = False
) -> str:
    """Return a command's help, drawn in this encoding; coloured on a terminal, unless NO_COLOR is set (no-color.org).

    Raises `UserError` for words beside --help that the command does not take.
    """
    page = _Page(encoding, is_terminal=is_terminal and not os.environ.get("NO_COLOR"))
    _refused_in_a_sentence(function_of(name), name, words, page)
    return page.getvalue()


def options_in(text: str) -> list[str]:
    """Return the options that a help text lists, such as --n-frames, in its order."""
    rows = re.findall(r"^│ (-[^ ,]+(?:, -[^ ,]+)*)", text, flags=re.MULTILINE)
    return [option for row in rows for option in row.split(", ") if option.startswith("--")]


def _read(call: Callable[..., object], name: str, words: Sequence[str]) -> partial[object]:
    """Let tyro read the words; the call itself comes later, so that its errors are its own."""
    import tyro

    @wraps(call)
    def bound(*args: object, **kwargs: object) -> partial[object]:
        return partial(call, *args, **kwargs)

    return tyro.cli(bound, prog=f"dtinterp {name}", args=words, config=(tyro.conf.OmitArgPrefixes,))


def _refused_in_a_sentence(
    call: Callable[..., object], name: str, words: Sequence[str], page: _Page
) -> partial[object] | None:
    """Let tyro read the words; returns nothing once it has written help to the page, which also says how to draw."""
    said = _Page()
    try:
        with redirect_stdout(page), redirect_stderr(said):
            return _read(call, name, words)
    except SystemExit as ended:
        if ended.code:
            raise UserError(_sentence(said.getvalue(), name)) from None
    return None


def _sentence(box: str, name: str) -> str:
    """Return the sentence that says what the first part of tyro's box says."""
    title, said = _first_part(box)
    advice = f"dtinterp {name} --help shows what it takes"
    if said.startswith(UNKNOWN):
        word = said.removeprefix(UNKNOWN).split(",")[0].strip()
        return f"{_unknown(word, box, help_of(name))}: {advice}."
    if value := re.match(r"Error parsing (\S+): (.+)", said):
        return f"{value[1]} cannot be read ({value[2].rstrip('.')}): {advice}."
    if choice := re.match(r"invalid choice '(.*)' for argument '(\S+)'\. Expected one of \((.*)\)", said):
        return f"{choice[2]} is {choice[1]!r}, expected one of {choice[3].replace(chr(39), '')}: give one of these."
    if missing := re.match(r"Missing value for argument '(\S+)'", said):
        return f"{missing[1]} is given no value: {advice}."
    if absent := re.match(rf"Missing from dtinterp {name}: (\S+)", said):
        return f"{absent[1]} is missing: {advice}."
    return f"{title.lower()} ({said.rstrip('.')}): {advice}."


def _first_part(box: str) -> tuple[str, str]:
    """Return the title of the first of tyro's boxes, and what stands above its first rule as one line."""
    title, *rows = [line.strip(FRAME).strip() for line in box.strip().splitlines()] or [""]
    rules = [index for index, row in enumerate(rows) if row and set(row) == {"─"}]
    return title.strip("─ "), " ".join(rows[: rules[0] if rules else None])


def _unknown(word: str, box: str, text: str) -> str:
    """Return what is wrong with a word that the command does not know, and what looks most like it."""
    option = word.partition("=")[0]
    if option.startswith("-"):
        return f"there is no option {option!r}{nearest(option.replace('_', '-'), options_in(text))}"
    kinds = re.findall(r"[\w.-]+:[\w-]+", box.partition("Available subcommands:")[2])
    return f"{word!r} is not expected here{nearest(word, kinds)}"
