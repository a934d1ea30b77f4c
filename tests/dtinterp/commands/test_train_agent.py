from dtinterp.agents.storage import load_agent
from dtinterp.commands.train_agent import N_EPISODES, judge
from dtinterp.demonstrations.samplers import Greedy
from environments.graph.state_graph import state_graph


def test_an_agent_is_judged_over_fresh_episodes(folders):
    success = load_agent(folders.agent).artefact.manifest.metrics["greedy"]["success"]
    assert success["n"] == N_EPISODES
    assert success["low"] <= success["estimate"] <= success["high"]


def test_a_stored_agent_fares_as_its_manifest_says(folders):
    trained = load_agent(folders.agent)
    graph = state_graph(trained.config.env_id)
    assert (
        judge(trained.network, graph, Greedy()).success.estimate
        == trained.artefact.manifest.metrics["greedy"]["success"]["estimate"]
    )


def test_training_is_logged_beside_the_agent(folders):
    assert (folders.root / "agent.jsonl").read_text().count("\n") == 2  # two updates fit into the steps
