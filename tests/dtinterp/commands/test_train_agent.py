from pydantic import TypeAdapter

from dtinterp.agents.storage import load_agent
from dtinterp.commands.train_agent import N_EPISODES, judge
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.artefact import Artefact
from environments.graph.state_graph import state_graph


def recorded(agent: Artefact) -> dict[str, Evaluation]:
    return TypeAdapter(dict[str, Evaluation]).validate_python(agent.manifest.metrics)


def test_an_agent_is_judged_over_fresh_episodes_under_both_samplers(folders):
    fares = recorded(load_agent(folders.agent).artefact)
    assert set(fares) == {"greedy", "temperature=1"}
    assert all(evaluation.success.n == N_EPISODES for evaluation in fares.values())


def test_a_stored_agent_fares_as_its_manifest_says(folders):
    trained = load_agent(folders.agent)
    graph = state_graph(trained.config.env_id)
    assert judge(trained.network, graph, Greedy()) == recorded(trained.artefact)["greedy"]


def test_training_is_logged_beside_the_agent(folders):
    assert (folders.root / "agent.jsonl").read_text().count("\n") == 2  # two updates fit into the steps
