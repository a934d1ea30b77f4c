"""The entry: which command is meant, what is said of its result, and with which code it ends.

`--help` lists the commands without importing any of them. A command's module is imported when it is called; its options
are the parameters of its function and the fields of its config.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass

from dtinterp.cli.commands import (
    COMMANDS,
    EVERYWHERE,
    command_of,
    group_of,
    group_overview,
    overview,
)
from dtinterp.cli.completion import SHELLS, completion
from dtinterp.cli.light_imports import light_imports
from dtinterp.cli.mistakes import sentence_of
from dtinterp.cli.parsing import help_of, options_in, parsed
from dtinterp.foundation import __version__
from dtinterp.foundation.errors import UserError, nearest, one_line

USER_MISTAKE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports of a program that SIGPIPE ended: 128 + 13."""
HOW_IT_STANDS = "interrupted; what existed is as it was, and a training or a certificate goes on when called again."
HELP = ("-h", "--help")


@dataclass(frozen=True)
class Saying:
    """How much is said, and how."""

    is_quiet: bool = False
    """no progress"""
    is_json: bool = False
    """the result as one JSON object"""


ALOUD = Saying()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 2 after a user's mistake, 130 when interrupted, 141 where nobody reads its output."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _answer(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's last flush is silent
        return PIPE_CLOSED
    return code


def _answer(words: list[str]) -> int:
    """Answer what concerns no command, or run one."""
    saying = Saying("--quiet" in words, "--json" in words)
    words = [word for word in words if word not in ("--quiet", "--json")]
    match words:
        case [] | ["-h" | "--help", *_]:
            print(overview())
        case ["--version"]:
            print(f"dtinterp {__version__}")
        case ["--print-completion", *shell]:
            return _guarded("--print-completion", lambda: _print_completion(shell))
        case _ if (name := command_of(words)) is not None:
            return run(name, words[len(name.split()) :], saying)
        case [group] | [group, "-h" | "--help"] if group_of(words):
            print(group_overview(group))
        case _:
            return _no_command(words)
    return 0


def run(name: str, words: Sequence[str], saying: Saying = ALOUD) -> int:
    """Import a command, read its options, call it and print what it made."""
    if set(words) & set(HELP):
        return _guarded(name, lambda: _show_help(name, words))
    return _guarded(name, lambda: _call(name, words, saying))


def _show_help(name: str, words: Sequence[str]) -> None:
    with light_imports():
        print(help_of(name, words, encoding=sys.stdout.encoding or "utf-8", is_terminal=sys.stdout.isatty()), end="")


def _call(name: str, words: Sequence[str], saying: Saying) -> None:
    call = parsed(name, words)
    from dtinterp.cli.results import as_json, as_text
    from dtinterp.foundation.logbook import unshown

    with unshown() if saying.is_quiet else nullcontext(), redirect_stdout(sys.stderr):
        made = call()
    if made is not None:
        print(as_json(made) if saying.is_json else as_text(made))


def _print_completion(shell: Sequence[str]) -> None:
    if not shell:
        raise UserError(f"no shell is given, expected one of {', '.join(SHELLS)}: give one of these.")
    if len(shell) != 1 or shell[0] not in SHELLS:
        raise UserError(f"the shell is {' '.join(shell)!r}, expected one of {', '.join(SHELLS)}: give one of these.")
    with light_imports():
        options = {name: options_in(help_of(name)) for name in COMMANDS}
    print(completion(shell[0], options))


def _no_command(words: list[str]) -> int:
    """Say which command is not there, and which looks most like it."""
    group = group_of(words)
    said, names = (" ".join(words[:2]), list(COMMANDS)) if group else (words[0], [*COMMANDS, *EVERYWHERE])
    sentence = f"dtinterp: there is no command {said!r}{nearest(said, names)}: dtinterp --help lists them all."
    print(one_line(sentence), file=sys.stderr)
    return USER_MISTAKE


def _guarded(name: str, action: Callable[[], None]) -> int:
    """Do it; what the user or the machine refuses becomes a sentence and an exit code."""
    try:
        action()
    except KeyboardInterrupt as interruption:
        return _refuse(name, str(interruption) or HOW_IT_STANDS, code=INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        sentence = str(error) if _is_mistake(error) else sentence_of(error)
        if sentence is None:
            raise
        return _refuse(name, sentence)
    return 0


def _is_mistake(error: Exception) -> bool:
    """Return whether it is a user's mistake, or one about a world; it may be raised before any world is imported."""
    worlds = sys.modules.get("environments.registration")
    return isinstance(error, UserError if worlds is None else (UserError, worlds.WorldError))


def _refuse(name: str, sentence: str, *, code: int = USER_MISTAKE) -> int:
    print(one_line(f"dtinterp {name}: {sentence}"), file=sys.stderr)
    return code
