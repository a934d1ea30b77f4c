"""The section on the world, what the agent sees of it, and what was demonstrated."""

from collections.abc import Mapping

from pydantic import TypeAdapter

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.interventions.instruction_flip.scenarios import CONFIGURATIONS, configuration_names
from dtinterp.report.filmstrip import episode_slots
from dtinterp.report.pictures import frame_picture, in_words, standalone
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section
from dtinterp.report.tables import demonstration_table
from environments.families.memory import MEMORY_FACTS
from environments.families.registry import FACT_VALUES
from environments.graph.state_graph import StateGraph, state_graph
from environments.rendering import png_data_uri, render_state

N_STARTS = 4
"""Starts that are shown; a world of many lengths has more."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    graph = state_graph(results.env_id)
    trajectories, artefact = results.demonstrations.value, results.demonstrations.artefact
    return {
        "max_steps": graph.max_steps,
        "n_states": graph.n_states,
        "n_frames": len(graph.frames),
        "starts": [_start(graph, int(state)) for state in graph.start[:N_STARTS]],
        "bytes_per_step": TypeAdapter(float).validate_python(artefact.manifest.metrics["bytes_per_step"]),
        "demonstrations": demonstration_table(results.demonstrated),
        "episodes": {
            name: episode_slots(trajectories, _typical(trajectories, sampler))
            for sampler, name in enumerate(trajectories.samplers)
            if (trajectories.sampler == sampler).any()  # an interrupted collection may not have come to it
        },
    }


def _start(graph: StateGraph, state: int) -> Mapping[str, str]:
    """Return a start's name, such as `Key,Key-Ball`, its picture from above, and what the agent sees."""
    facts = dict(zip(MEMORY_FACTS, graph.facts[state].tolist(), strict=True))
    words = FACT_VALUES["instruction"][facts["instruction"]], FACT_VALUES["top_target"][facts["top_target"]]
    frame = graph.frames[graph.frame_id[state]]
    return {
        "name": configuration_names()[CONFIGURATIONS.index(words)],
        "address": png_data_uri(render_state(graph, state, tile_size=24)),
        "picture": standalone(frame_picture(frame)),
        "words": in_words(frame),
    }


def _typical(trajectories: Trajectories, sampler: int) -> int:
    """Return the first episode of a sampler whose length is the median."""
    episodes = (trajectories.sampler == sampler).nonzero()[:, 0]
    lengths = trajectories.length[episodes]
    return int(episodes[int((lengths == lengths.median()).nonzero()[0, 0])])


SECTION = Section("world", "The world and the task", order=10, shows=(Trajectories,), gather=_gather)
