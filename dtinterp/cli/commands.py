"""The commands: where each one's function is, and what it does in a line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """Where a command's function is, and what it does in a line."""

    function: str
    summary: str


COMMANDS = {
    "study": Command("dtinterp.study:study", "study a model from its windows to the report"),
    "train-agent": Command("dtinterp.commands.data.train_agent:train_agent", "train an agent, or go on with it"),
    "collect": Command("dtinterp.commands.data.collect:collect", "record an agent's demonstrations"),
    "export": Command(
        "dtinterp.commands.data.export:export", "write demonstrations for Minari, or a dictionary for SAELens"
    ),
    "import-demonstrations": Command(
        "dtinterp.commands.data.import_demonstrations:import_demonstrations", "make demonstrations of a Minari dataset"
    ),
    "join": Command("dtinterp.commands.data.join:join", "make one of several demonstrations, a mixture of worlds"),
    "train-model": Command(
        "dtinterp.commands.models.train_model:train_model", "train a decision transformer, or go on with it"
    ),
    "sweep": Command("dtinterp.commands.models.sweep:sweep", "train models of many sizes and seeds, and compare them"),
    "calibrate": Command(
        "dtinterp.commands.models.calibrate:calibrate", "measure the returns achieved for those asked for"
    ),
    "validate": Command(
        "dtinterp.commands.models.validate:validate", "measure how well held-out actions are predicted"
    ),
    "import-model": Command(
        "dtinterp.commands.models.import_model:import_model", "import a published decision transformer"
    ),
    "harvest": Command("dtinterp.commands.models.harvest:harvest", "write the rows of a site to disk"),
    "fit-dictionary": Command(
        "dtinterp.commands.dictionaries.fit_dictionary:fit_dictionary",
        "fit and score dictionaries of sites, one or a stack",
    ),
    "score-dictionary": Command(
        "dtinterp.commands.dictionaries.score_dictionary:score_dictionary",
        "judge a dictionary on other rows, or an imported one",
    ),
    "import-dictionary": Command(
        "dtinterp.commands.dictionaries.import_dictionary:import_dictionary",
        "import an autoencoder of SAELens or another library",
    ),
    "fit-transcoder": Command(
        "dtinterp.commands.dictionaries.fit_transcoder:fit_transcoder",
        "fit transcoders and linear maps in place of MLPs",
    ),
    "probe": Command("dtinterp.commands.dictionaries.probe:probe", "read facts off a model's rows, linearly"),
    "describe": Command("dtinterp.commands.features.describe:describe", "say what each feature of a dictionary means"),
    "label": Command(
        "dtinterp.commands.features.label:label", "search the statement that tells when each feature fires"
    ),
    "truth": Command(
        "dtinterp.commands.features.truth:truth", "hold a dictionary's features against the world's truth"
    ),
    "regress-beliefs": Command(
        "dtinterp.commands.features.regress_beliefs:regress_beliefs",
        "find where in a network an ideal observer's belief is read off",
    ),
    "compare-features": Command(
        "dtinterp.commands.features.compare_features:compare_features",
        "compare what dictionaries see in the same windows",
    ),
    "experiment run": Command("dtinterp.commands.experiment:run", "intervene on a model as an experiment.yaml says"),
    "search": Command(
        "dtinterp.commands.search:search", "search the smallest edits of what was seen that flip what a model does"
    ),
    "experiment check": Command(
        "dtinterp.commands.experiment:check", "open all that an experiment names; say what would run"
    ),
    "experiment list": Command("dtinterp.commands.experiment:list_experiments", "list experiments and their verdicts"),
    "experiment new": Command("dtinterp.commands.experiment:new", "write a commented experiment.yaml that runs"),
    "experiment schema": Command(
        "dtinterp.commands.experiment:schema", "write the schema of experiment.yaml, for editors"
    ),
    "certify": Command(
        "dtinterp.commands.equivalence.certify:certify", "certify which observations a model treats alike"
    ),
    "check-plays": Command(
        "dtinterp.commands.equivalence.check_plays:check_plays",
        "show classes of observations as one, in all plays of a world",
    ),
    "follow-classes": Command(
        "dtinterp.commands.equivalence.follow_classes:follow_classes",
        "see when a training merges and splits observations",
    ),
    "explain-pair": Command(
        "dtinterp.commands.equivalence.explain_pair:explain_pair", "find the features that keep two observations apart"
    ),
    "explain-classes": Command(
        "dtinterp.commands.equivalence.explain_classes:explain_classes",
        "say what features tell about certified classes",
    ),
    "screen": Command("dtinterp.commands.equivalence.screen:screen", "sort very many observations into classes"),
    "extract-machine": Command(
        "dtinterp.commands.equivalence.extract_machine:extract_machine",
        "learn the finite-state machine that a policy is",
    ),
    "compare": Command(
        "dtinterp.commands.equivalence.compare:compare", "hold certified classes against the world and each other"
    ),
    "compare-partitions": Command(
        "dtinterp.commands.equivalence.compare_partitions:compare_partitions",
        "hold one model's classes of several populations and returns against each other",
    ),
    "report": Command("dtinterp.commands.report:report", "render a study's report again"),
    "doctor": Command("dtinterp.commands.doctor:doctor", "show what dtinterp finds on this machine"),
}

EVERYWHERE = {
    "--quiet": "after any command: no progress, only the result",
    "--json": "after any command: the result as one JSON object, numbers unrounded",
    "--version": "show the version",
    "--print-completion": "print what completes commands and options in bash, zsh, fish or tcsh",
}


def command_of(words: list[str]) -> str | None:
    """Return the command that the words begin with; none where they begin with no command."""
    return next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)


def group_of(words: list[str]) -> str | None:
    """Return the first word where it opens commands of two words, such as experiment; none elsewhere."""
    return next((words[0] for name in COMMANDS if words and name.startswith(f"{words[0]} ")), None)


def overview() -> str:
    """Return the list of commands, and of the options that all of them take."""
    foot = ["", *_columns(EVERYWHERE), "", "dtinterp COMMAND --help lists a command's options."]
    return "\n".join(["usage: dtinterp COMMAND [options]", "", *_columns(_summaries("")), *foot])


def group_overview(group: str) -> str:
    """Return the list of the commands of a group."""
    foot = f"dtinterp {group} COMMAND --help lists a command's options."
    return "\n".join([f"usage: dtinterp {group} COMMAND [options]", "", *_columns(_summaries(f"{group} ")), "", foot])


def _summaries(prefix: str) -> dict[str, str]:
    named = {name: command.summary for name, command in COMMANDS.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): summary for name, summary in named.items()}


def _columns(rows: dict[str, str]) -> list[str]:
    width = max(map(len, COMMANDS))
    return [f"  {name:<{width}}  {text}" for name, text in rows.items()]
