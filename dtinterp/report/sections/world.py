"""A world and its demonstrations become the section that shows the task."""

from pydantic import TypeAdapter

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.interventions.instruction_flip.scenarios import CONFIGURATIONS, configuration_names
from dtinterp.report.evidence import cite, count, percentage, source
from dtinterp.report.filmstrip import Draw, episode_strip
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import figure_block, paragraph, section, table_block, table_html
from dtinterp.report.pictures import frame_picture, in_words, standalone
from dtinterp.report.results import StudyResults
from dtinterp.report.tables import demonstration_table
from environments.families.memory import MEMORY_FACTS
from environments.families.registry import FACT_VALUES
from environments.graph.state_graph import StateGraph, state_graph
from environments.rendering import png_data_uri, render_state

N_STARTS = 4
"""Starts that are shown; a world of many lengths has more."""


def world_section(results: StudyResults, draw: Draw) -> Html:
    """Return the section on the world, what the agent sees of it, and what was demonstrated."""
    graph = state_graph(results.env_id)
    trajectories, artefact = results.demonstrations.value, results.demonstrations.artefact
    return section(
        "world",
        "The world and the task",
        paragraph(
            "Beside its start the agent sees an instruction, a key or a ball. At the end of the corridor stand one "
            "of each, and only the one that matches the instruction pays: 1 − 0.9 t / T after t of T = ",
            str(graph.max_steps),
            " steps. The instruction is out of sight by then, so it must be remembered, and the right turn is the "
            "exclusive or of instruction and target sides.",
        ),
        figure_block(
            element("div", join(_start(graph, int(state)) for state in graph.start[:N_STARTS]), class_="starts"),
            "How an episode can begin. Left: the world from above as MiniGrid draws it, the lit cells in view. "
            "Right: the same moment as the agent sees it, in the signs used on this page: the agent ▲ looks up, "
            "walls are dark, pale is what it cannot see; the colours of key and ball are ours, in the world "
            "both are green.",
            source=source(artefact),
        ),
        paragraph(
            f"By exact enumeration the world has {count(graph.n_states)} states that show {count(len(graph.frames))} "
            "distinct observations. The demonstrations show ",
            cite(f"{count(len(trajectories.frames))} of them", artefact),
            *_states_seen(results, artefact),
            " in ",
            cite(f"{count(trajectories.n_episodes)} episodes", artefact),
            ", ",
            cite(f"{count(trajectories.n_steps)} steps", artefact),
            f", stored at {_bytes_per_step(artefact):.1f} bytes a step; ",
            cite(f"{count(results.demonstrated.n_distinct_episodes)} episodes differ", artefact),
            " in frames or actions, all others are duplicates.",
        ),
        table_block(
            table_html(demonstration_table(results.demonstrated)),
            "What was demonstrated, by the sampler that drew the actions. A success is an episode that the world ended "
            "with a step that paid. The last columns are the share of the steps in which each action was taken.",
            source=source(artefact),
        ),
        *_agent(results),
        *_episodes(results, draw),
    )


def _states_seen(results: StudyResults, artefact: Artefact) -> tuple[Html | str, ...]:
    seen = results.demonstrated.state_coverage
    return () if seen is None else (", and pass through ", cite(f"{seen:.1%} of the states", artefact), ",")


def _start(graph: StateGraph, state: int) -> Html:
    frame = graph.frames[graph.frame_id[state]]
    name = _start_name(graph, state)
    seen = Html(standalone(frame_picture(frame)))
    return element(
        "div",
        element("img", src=png_data_uri(render_state(graph, state, tile_size=24)), alt=f"the world from above, {name}"),
        element("div", seen, class_="frame large", role="img", aria_label=in_words(frame)),
        element("span", name, class_="start-name"),
        class_="start",
    )


def _start_name(graph: StateGraph, state: int) -> str:
    """Return the configuration's name, such as `Key,Key-Ball`."""
    facts = dict(zip(MEMORY_FACTS, graph.facts[state].tolist(), strict=True))
    words_of = FACT_VALUES["instruction"][facts["instruction"]], FACT_VALUES["top_target"][facts["top_target"]]
    return configuration_names()[CONFIGURATIONS.index(words_of)]


def _bytes_per_step(artefact: Artefact) -> float:
    """Return what a step takes in the artefact's files, small tables included."""
    return TypeAdapter(float).validate_python(artefact.manifest.metrics["bytes_per_step"])


def _agent(results: StudyResults) -> list[Html]:
    """Say how good the demonstrator is, where its artefact records it."""
    judged = results.demonstrator
    if not judged:
        return []
    shares = [
        words(cite(percentage(judgement.success), results.agent), f" ({sampler})")
        for sampler, judgement in judged.items()
    ]
    n_episodes = next(iter(judged.values())).success.n
    return [
        paragraph(
            "The demonstrator itself succeeds in ", join(shares, ", "), f" of {count(n_episodes)} fresh episodes."
        )
    ]


def _episodes(results: StudyResults, draw: Draw) -> list[Html]:
    """Show the demonstrator at work: under each sampler, the episode of median length."""
    trajectories = results.demonstrations.value
    return [
        figure_block(
            episode_strip(trajectories, _typical(trajectories, sampler), draw),
            f"The demonstrator at work, its actions drawn by {name}: the first of its episodes of median length.",
            source=source(results.demonstrations.artefact),
        )
        for sampler, name in enumerate(trajectories.samplers)
        if (trajectories.sampler == sampler).any()  # an interrupted collection may not have come to it
    ]


def _typical(trajectories: Trajectories, sampler: int) -> int:
    """Return the first episode of a sampler whose length is the median."""
    episodes = (trajectories.sampler == sampler).nonzero()[:, 0]
    lengths = trajectories.length[episodes]
    return int(episodes[int((lengths == lengths.median()).nonzero()[0, 0])])
