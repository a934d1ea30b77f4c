import pytest
import torch

from dtinterp.agents.policy import Decision
from dtinterp.demonstrations.evaluate import evaluate, play_episodes
from dtinterp.demonstrations.rollout import roll_out
from dtinterp.demonstrations.samplers import Greedy, Temperature
from environments.worlds import GraphWorlds, Outcome


def worlds_of(graph, n_worlds=40, seed=7):
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(seed))


class Oracle:
    """Takes an optimal action of the state that the world is in."""

    def __init__(self, graph, worlds):
        self._preference = 5.0 * torch.tensor(graph.optimal)
        self._worlds = worlds

    def start(self, n_worlds):
        return torch.zeros(n_worlds)

    def act(self, observation, memory):
        assert len(observation.frame_id) == len(memory)
        return Decision(self._preference[self._worlds.state], memory)


def test_an_oracle_succeeds_in_the_fewest_steps(graph):
    worlds = worlds_of(graph)
    judged = evaluate(Oracle(graph, worlds), worlds, Greedy(), generator=torch.Generator())
    assert (judged.success.estimate, judged.failure.estimate, judged.timeout.estimate) == (1.0, 0.0, 0.0)
    assert judged.mean_length.estimate == 6
    assert judged.mean_return.estimate == pytest.approx(0.892)
    assert judged.success.n == judged.mean_length.n == 40


def test_each_world_plays_its_first_episode_and_no_more(graph, wilful):
    sampler = Temperature(1.0)
    episodes = play_episodes(wilful, worlds_of(graph), sampler, generator=torch.Generator().manual_seed(3))
    steps = list(roll_out(wilful, worlds_of(graph), sampler, n_steps=50, generator=torch.Generator().manual_seed(3)))
    for world in range(40):
        end = next(time for time, step in enumerate(steps) if step.is_last[world])
        assert episodes.length[world] == end + 1
        assert episodes.success[world] == steps[end].success[world]
        assert episodes.terminated[world] == steps[end].terminated[world]
        assert episodes.reward[world] == sum(float(step.reward[world]) for step in steps[: end + 1])


class Scripted:
    """Worlds whose steps are written down, a line a world: `.` goes on and pays .125, `s` succeeds and pays 1."""

    env_id, n_actions, max_steps, fact_names = "Scripted-v0", 2, 4, ("time",)
    frames = torch.zeros(1, 7, 7, 3, dtype=torch.uint8)

    def __init__(self, *lines):
        self.n_worlds, self._columns = len(lines), list(zip(*lines, strict=True))

    def reset(self):
        self._time = 0
        return torch.zeros(self.n_worlds, dtype=torch.int64)

    def step(self, action):
        assert len(action) == self.n_worlds
        column = self._columns[self._time]
        self._time += 1
        return Outcome(
            frame_id=torch.zeros(self.n_worlds, dtype=torch.int64),
            reward=torch.tensor([{".": 0.125, "s": 1.0, "f": 0.0, "t": 0.0}[each] for each in column]),
            terminated=torch.tensor([each in "sf" for each in column]),
            truncated=torch.tensor([each == "t" for each in column]),
            success=torch.tensor([each == "s" for each in column]),
        )

    def facts(self):
        return torch.full((self.n_worlds, 1), self._time, dtype=torch.int16)


class Indifferent:
    def start(self, n_worlds):
        return torch.zeros(n_worlds, 2)

    def act(self, observation, memory):
        assert len(observation.frame_id) == len(memory)
        return Decision(memory, memory)


def test_what_follows_an_episode_is_not_counted():
    worlds = Scripted("s..f", ".fs.", "...t", "f.s.")
    episodes = play_episodes(Indifferent(), worlds, Greedy(), generator=torch.Generator())
    assert episodes.success.tolist() == [True, False, False, False]
    assert episodes.terminated.tolist() == [True, True, False, True]
    assert episodes.length.tolist() == [1, 2, 4, 1]
    assert episodes.reward.tolist() == [1.0, 0.125, 0.375, 0.0]
    judged = evaluate(Indifferent(), worlds, Greedy(), generator=torch.Generator())
    assert (judged.success.estimate, judged.failure.estimate, judged.timeout.estimate) == (0.25, 0.5, 0.25)
    assert (judged.mean_length.estimate, judged.mean_return.estimate) == (2.0, 0.375)


def test_the_three_endings_add_up(graph, wilful):
    judged = evaluate(wilful, worlds_of(graph), Temperature(1.0), generator=torch.Generator().manual_seed(3))
    shares = [judged.success.estimate, judged.failure.estimate, judged.timeout.estimate]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


def test_two_policies_begin_alike(graph, wilful):
    class Recorder:
        def __init__(self):
            self.seen = []

        def start(self, n_worlds):
            return n_worlds

        def act(self, observation, memory):
            self.seen.append(observation.frame_id)
            return Decision(torch.zeros(memory, 7), memory)

    recorders = Recorder(), Recorder()
    for recorder, temperature in zip(recorders, (1.0, 5.0), strict=True):
        play_episodes(recorder, worlds_of(graph), Temperature(temperature), generator=torch.Generator())
    assert torch.equal(recorders[0].seen[0], recorders[1].seen[0])
    assert len(torch.unique(recorders[0].seen[0])) > 1
    worlds = worlds_of(graph)
    one, other = (
        play_episodes(wilful, worlds, Temperature(1.0), generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(one.reward, other.reward)


def test_an_evaluation_repeats_with_its_generator(graph, wilful):
    one, other = (
        evaluate(wilful, worlds_of(graph), Temperature(1.0), generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert one == other


class Watching:
    """Notes what it is shown; prefers whatever the last frame and the number of its steps say."""

    def __init__(self):
        self.shown = []

    def start(self, n_worlds):
        return torch.zeros(n_worlds, dtype=torch.int64)

    def act(self, observation, memory):
        self.shown.append(observation)
        steps = torch.where(observation.is_first, 0, memory + 1)
        moves = torch.stack([(observation.frame_id * 7 + steps * 3 + action) % 5 for action in range(3)], dim=1)
        likes = torch.cat([moves + torch.tensor([0, 0, 3]), torch.full((len(steps), 4), -20)], dim=1)
        return Decision(likes.float(), steps)


def test_worlds_whose_episode_is_over_look_alike_to_the_policy(graph):
    watching = Watching()
    worlds = GraphWorlds(graph, 40, generator=torch.Generator().manual_seed(0))
    episodes = play_episodes(watching, worlds, Temperature(2.0), generator=torch.Generator().manual_seed(1))
    assert len(set(episodes.length.tolist())) > 5
    for time, observation in enumerate(watching.shown):
        is_over = episodes.length <= time
        assert len(observation.frame_id[is_over].unique()) <= 1
        assert observation.is_first[is_over].all()


def test_looking_away_changes_no_episode(graph):
    """The slow reference: roll on to the end with all eyes open, and count the first episodes only."""
    worlds = GraphWorlds(graph, 40, generator=torch.Generator().manual_seed(0))
    episodes = play_episodes(Watching(), worlds, Temperature(2.0), generator=torch.Generator().manual_seed(1))
    again = GraphWorlds(graph, 40, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    length, earned = [0] * 40, [0.0] * 40
    is_done = [False] * 40
    for step in roll_out(Watching(), again, Temperature(2.0), n_steps=graph.max_steps, generator=rng):
        for world in range(40):
            if not is_done[world]:
                length[world] += 1
                earned[world] += float(step.reward[world])
                is_done[world] = bool(step.is_last[world])
    assert episodes.length.tolist() == length
    assert episodes.reward.tolist() == pytest.approx(earned)
