from dtinterp.equivalence.beliefs import reachable_beliefs, same_beliefs
from environments.graph.partitions import bisimulation, frame_partition, is_refined_by
from environments.graph.state_graph import state_graph

LARGER = "MiniGrid-MemoryS7FixedStart-v0"


def test_a_belief_is_about_states_that_look_alike(graph):
    for belief in reachable_beliefs(graph):
        assert len(set(graph.frame_id[list(belief)].tolist())) == 1


def test_every_state_is_believed_in_after_some_history(graph):
    assert {state for belief in reachable_beliefs(graph) for state in belief} == set(range(graph.n_states))


def test_beliefs_follow_from_histories(graph):
    """Walk every history of three steps slowly, and keep the starts that would have shown the same."""
    believed = set(reachable_beliefs(graph))
    for first in graph.start.tolist():
        for history in ((0, 1, 2), (2, 2, 0), (1, 2, 2), (3, 4, 2)):
            state, possible = first, {s for s in graph.start.tolist() if graph.frame_id[s] == graph.frame_id[first]}
            for action in history:
                state = int(graph.next_state[state, action])
                if state < 0:
                    break
                moved = {int(graph.next_state[each, action]) for each in possible}
                possible = {each for each in moved if each >= 0 and graph.frame_id[each] == graph.frame_id[state]}
                assert tuple(sorted(possible)) in believed


def test_frames_of_the_same_beliefs_are_bisimilar_where_the_first_frame_tells_all():
    """In these worlds no two starts look alike, so an ideal observer always knows the state."""
    graph = state_graph(LARGER)
    assert max(map(len, reachable_beliefs(graph))) == 1
    assert (same_beliefs(graph) == frame_partition(graph, bisimulation(graph))).all()


def test_bisimilar_frames_are_told_apart_at_most(graph):
    assert is_refined_by(same_beliefs(graph), same_beliefs(graph))
    assert 1 < same_beliefs(graph).max() + 1 < len(graph.frames)
