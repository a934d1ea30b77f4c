"""Words become calls; the only module that prints.

`--help` lists the commands without importing any of them. A command's module is imported when it is called; its options
are the parameters of its function and the fields of its config.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

USER_MISTAKE = 2
INTERRUPTED = 130
HOW_IT_STANDS = "interrupted; what existed is as it was, and a training or a certificate goes on when called again."


@dataclass(frozen=True)
class Command:
    """Where a command's function is, and what it does in a line."""

    function: str
    summary: str


COMMANDS = {
    "study": Command("dtinterp.study:run_study", "study a model from its windows to the report"),
    "train-agent": Command("dtinterp.commands.train_agent:train_agent", "train an agent, or go on with it"),
    "collect": Command("dtinterp.commands.collect:collect", "record an agent's demonstrations"),
    "export": Command(
        "dtinterp.commands.export:export", "write demonstrations for Minari, or a dictionary for SAELens"
    ),
    "import-demonstrations": Command(
        "dtinterp.commands.import_demonstrations:import_demonstrations", "make demonstrations of a Minari dataset"
    ),
    "join": Command("dtinterp.commands.join:join", "make one of several demonstrations, a mixture of worlds"),
    "train-model": Command(
        "dtinterp.commands.train_model:train_model", "train a decision transformer, or go on with it"
    ),
    "sweep": Command("dtinterp.commands.sweep:sweep", "train models of many sizes and seeds, and compare them"),
    "calibrate": Command("dtinterp.commands.calibrate:calibrate", "measure the returns achieved for those asked for"),
    "validate": Command("dtinterp.commands.validate:validate", "measure how well held-out actions are predicted"),
    "import-model": Command("dtinterp.commands.import_model:import_model", "import a published decision transformer"),
    "harvest": Command("dtinterp.commands.harvest:harvest", "write the rows of a site to disk"),
    "fit-dictionary": Command(
        "dtinterp.commands.fit_dictionary:fit_dictionary", "fit and score dictionaries of sites, one or a stack"
    ),
    "score-dictionary": Command(
        "dtinterp.commands.score_dictionary:score_dictionary", "judge a dictionary on other rows, or an imported one"
    ),
    "import-dictionary": Command(
        "dtinterp.commands.import_dictionary:import_dictionary", "import an autoencoder in SAELens's format"
    ),
    "fit-transcoder": Command(
        "dtinterp.commands.fit_transcoder:fit_transcoder", "fit transcoders and linear maps in place of MLPs"
    ),
    "probe": Command("dtinterp.commands.probe:probe", "read facts off a model's rows, linearly"),
    "describe": Command("dtinterp.commands.describe:describe", "say what each feature of a dictionary means"),
    "label": Command("dtinterp.commands.label:label", "search the statement that tells when each feature fires"),
    "truth": Command("dtinterp.commands.truth:truth", "hold a dictionary's features against the world's truth"),
    "compare-features": Command(
        "dtinterp.commands.compare_features:compare_features", "compare what dictionaries see in the same windows"
    ),
    "experiment run": Command("dtinterp.commands.experiment:run", "intervene on a model as an experiment.yaml says"),
    "certify": Command("dtinterp.commands.certify:certify", "certify which observations a model treats alike"),
    "follow-classes": Command(
        "dtinterp.commands.follow_classes:follow_classes", "see when a training merges and splits observations"
    ),
    "explain-pair": Command(
        "dtinterp.commands.explain_pair:explain_pair", "find the features that keep two observations apart"
    ),
    "explain-classes": Command(
        "dtinterp.commands.explain_classes:explain_classes", "say what features tell about certified classes"
    ),
    "screen": Command("dtinterp.commands.screen:screen", "sort very many observations into classes"),
    "compare": Command("dtinterp.commands.compare:compare", "hold certified classes against the world and each other"),
    "report": Command("dtinterp.commands.report:report", "render a study's report again"),
    "doctor": Command("dtinterp.commands.doctor:doctor", "show what dtinterp finds on this machine"),
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
    head, foot = "usage: dtinterp COMMAND [options]", "dtinterp COMMAND --help lists a command's options."
    return "\n".join([head, "", *lines, "", foot])


def run(name: str, words: Sequence[str]) -> int:
    """Import a command, read its options, call it and print what it made."""
    import tyro

    from dtinterp.foundation.errors import UserError
    from environments.errors import WorldError

    module, _, function = COMMANDS[name].function.partition(":")
    call = getattr(import_module(module), function)
    try:
        made = tyro.cli(call, prog=f"dtinterp {name}", args=words, config=(tyro.conf.OmitArgPrefixes,))
    except (UserError, WorldError) as mistake:
        print(f"dtinterp {name}: {mistake}", file=sys.stderr)
        return USER_MISTAKE
    except KeyboardInterrupt as interruption:
        print(f"dtinterp {name}: {str(interruption) or HOW_IT_STANDS}", file=sys.stderr)
        return INTERRUPTED
    if made is not None:
        print(_shown(made))
    return 0


def _shown(made: object) -> str:
    """Return what a command made as text: a folder with its measurements, a file, or a list of facts."""
    from dtinterp.foundation.artefact import Artefact

    match made:
        case Artefact():
            return "\n".join([f"{made.manifest.kind} written to {made.path}", *_lines(made.manifest.metrics, depth=1)])
        case Path():
            return f"written to {made}"
        case (only,):
            return _shown(only)
        case tuple():
            return "\n".join(_shown(each).splitlines()[0] for each in made)
        case Mapping():
            return "\n".join(_lines(made, depth=0))
        case _:
            return str(made)


def _lines(values: Mapping[str, object], *, depth: int) -> Iterator[str]:
    """Yield one line a value, what lies inside it indented; an interval is one value."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        match value:
            case {"estimate": estimate, "low": low, "high": high, "n": n}:
                yield f"{'  ' * depth}{name:<{width}}  {estimate:.4g} [{low:.4g}, {high:.4g}] n={n}"
            case Mapping():
                yield f"{'  ' * depth}{name}"
                yield from _lines(value, depth=depth + 1)
            case [{}, *_]:
                for index, part in enumerate(value):
                    yield from _lines({f"{name}[{index}]": part}, depth=depth)
            case _:
                yield f"{'  ' * depth}{name:<{width}}  {value}"


if __name__ == "__main__":
    sys.exit(main())
