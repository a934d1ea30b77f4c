"""Words become calls; the only module that prints.

`--help` lists the commands without importing any of them. A command's module is imported when it is called; its options are the
parameters of its function and the fields of its config.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

USER_MISTAKE = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """Where a command's function is, and what it does in a line."""

    function: str
    summary: str


COMMANDS = {
    "train-agent": Command("dtinterp.commands.train_agent:train_agent", "train an agent in a MiniGrid world"),
    "collect": Command("dtinterp.commands.collect:collect", "record an agent's demonstrations"),
    "train-model": Command("dtinterp.commands.train_model:train_model", "train a decision transformer, or go on training it"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 2 after a user's mistake, or 130 when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    name = next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)
    if name is None:
        print(f"dtinterp: there is no command {words[0]!r}, expected one of {', '.join(COMMANDS)}.", file=sys.stderr)
        return USER_MISTAKE
    return run(name, words[len(name.split()) :])


def overview() -> str:
    """Return the list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        ["usage: dtinterp COMMAND [options]", "", *lines, "", "dtinterp COMMAND --help lists a command's options."]
    )


def run(name: str, words: Sequence[str]) -> int:
    """Import a command, read its options, call it and print what it wrote."""
    import tyro

    from dtinterp.foundation.artefact import Artefact
    from dtinterp.foundation.errors import UserError

    module, _, function = COMMANDS[name].function.partition(":")
    try:
        result = tyro.cli(
            getattr(import_module(module), function),
            prog=f"dtinterp {name}",
            args=list(words),
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except UserError as mistake:
        print(f"dtinterp {name}: {mistake}", file=sys.stderr)
        return USER_MISTAKE
    except KeyboardInterrupt:
        print(f"dtinterp {name}: interrupted; nothing that existed was changed.", file=sys.stderr)
        return INTERRUPTED
    if isinstance(result, Artefact):
        print(f"{result.manifest.kind} written to {result.path}")
        print(json.dumps(result.manifest.metrics, indent=1))
    return 0
