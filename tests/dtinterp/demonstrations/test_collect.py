import pytest
import torch

from dtinterp.demonstrations.collect import PUBLISHED_RECIPE, Collection, Share, collect, parse_share, parse_shares
from dtinterp.demonstrations.episodes import N_ROWS
from dtinterp.demonstrations.rollout import roll_out
from dtinterp.demonstrations.samplers import Greedy, Temperature, UniformMixture
from dtinterp.foundation.errors import UserError
from environments.worlds import GraphWorlds

SHARES = [Share(Temperature(1.0), 1600), Share(UniformMixture(0.5), 801)]


def worlds_of(graph, n_worlds=8):
    return GraphWorlds(graph, n_worlds, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def collected(graph, wilful):
    return collect(wilful, worlds_of(graph), SHARES, torch.Generator().manual_seed(1))


def slow_episodes(policy, worlds, shares, generator):
    """The whole episodes, share after share and world after world, as lists of (frame, action, reward, facts)."""
    episodes = []
    for index, share in enumerate(shares):
        under_way = [[] for _ in range(worlds.n_worlds)]
        whole = [[] for _ in range(worlds.n_worlds)]
        n_steps = (share.n_steps + worlds.n_worlds - 1) // worlds.n_worlds
        for step in roll_out(policy, worlds, share.sampler, n_steps=n_steps, generator=generator):
            for world in range(worlds.n_worlds):
                frame = worlds.frames[step.frame_id[world]]
                row = (frame, step.action[world], step.reward[world], step.facts[world].tolist())
                under_way[world].append(row)
                if step.is_last[world]:
                    whole[world].append((index, bool(step.terminated[world]), under_way[world]))
                    under_way[world] = []
        episodes += [episode for of_world in whole for episode in of_world]
    return episodes


def test_it_keeps_the_episodes_that_a_slow_loop_keeps(graph, wilful, collected):
    episodes = slow_episodes(wilful, worlds_of(graph), SHARES, torch.Generator().manual_seed(1))
    assert collected.sampler.tolist() == [index for index, _, _ in episodes]
    assert collected.terminated.tolist() == [terminated for _, terminated, _ in episodes]
    assert collected.length.tolist() == [len(rows) for _, _, rows in episodes]
    rows = [row for _, _, episode in episodes for row in episode]
    frames, actions, rewards, facts = zip(*rows, strict=True)
    assert torch.equal(collected.frames[collected.frame_id.long()], torch.stack(frames))
    assert collected.action.tolist() == list(actions)
    assert collected.reward.tolist() == list(rewards)
    assert collected.facts.tolist() == list(facts)


def test_every_episode_begins_at_time_zero_and_ends_once(collected):
    time = collected.facts[:, collected.fact_names.index("time")]
    assert torch.equal(time.long(), collected.time)
    assert torch.equal(collected.terminated, collected.length < collected.max_steps)
    last = collected.first_step + collected.length - 1
    assert not collected.reward[~torch.isin(torch.arange(collected.n_steps), last)].any()


def test_every_episode_is_labelled_with_its_sampler(collected):
    assert collected.samplers == ("temperature=1", "uniform=0.5")
    assert set(collected.sampler.tolist()) == {0, 1}
    assert (collected.sampler.diff() >= 0).all()


def test_frames_are_interned_each_once_and_each_seen(collected):
    assert len(torch.unique(collected.frames.flatten(1), dim=0)) == len(collected.frames)
    assert torch.equal(torch.unique(collected.frame_id), torch.arange(len(collected.frames), dtype=torch.int32))


def test_one_seed_collects_the_same_episodes(graph, wilful, collected):
    again = collect(wilful, worlds_of(graph), SHARES, torch.Generator().manual_seed(1))
    assert all(torch.equal(getattr(again, name), getattr(collected, name)) for name in ("frame_id", "action", "reward"))


def test_each_share_is_drawn_by_its_own_sampler(graph, wilful):
    greedy = collect(wilful, worlds_of(graph), [Share(Greedy(), 1600)], torch.Generator())
    preferred = (wilful._by_frame[frame_ids_in(graph, greedy)] + wilful._by_time[greedy.time]).argmax(-1)
    assert torch.equal(greedy.action.long(), preferred)


def frame_ids_in(graph, trajectories):
    table = torch.tensor(graph.frames)
    same = (table[None] == trajectories.frames[:, None]).flatten(2).all(-1)
    return same.int().argmax(1)[trajectories.frame_id.long()]


def test_too_few_steps_for_a_whole_episode_are_refused(graph, wilful):
    with pytest.raises(UserError, match=r"no episode of MiniGrid-\S+ ended in the steps asked for .*: ask for more"):
        collect(wilful, worlds_of(graph), [Share(Greedy(), 8)], torch.Generator())


@pytest.mark.parametrize(("n_steps", "n_asked"), [(1, 1), (8, 1), (9, 2), (16, 2)])
def test_a_share_is_rounded_up_to_steps_of_all_worlds(graph, wilful, n_steps, n_asked):
    asked = []

    class Counted:
        def start(self, n_worlds):
            return wilful.start(n_worlds)

        def act(self, observation, memory):
            asked.append(len(observation.frame_id))
            return wilful.act(observation, memory)

    with pytest.raises(UserError, match="no episode"):
        collect(Counted(), worlds_of(graph), [Share(Greedy(), n_steps)], torch.Generator())
    assert asked == [8] * n_asked


def test_a_share_without_whole_episodes_leaves_the_others(graph, wilful):
    shares = [Share(Temperature(1.0), 8), Share(Temperature(1.0), 1600)]
    assert set(collect(wilful, worlds_of(graph), shares, torch.Generator()).sampler.tolist()) == {1}


def test_the_published_recipe_is_ten_and_twenty_thousand_steps_of_sixteen_worlds():
    shares = [parse_share(text) for text in PUBLISHED_RECIPE]
    assert shares == [Share(Temperature(1.0), 16 * 10_000), Share(Temperature(5.0), 16 * 20_000)]


@pytest.mark.parametrize("text", ["", "greedy", "greedy:", "greedy:1.5", "greedy:-5", "greedy:²", "temperature=5"])
def test_text_that_is_no_share_is_refused_in_a_sentence(text):
    with pytest.raises(UserError, match=rf"the share is '{text}', expected SAMPLER:STEPS, for example temperature"):
        parse_share(text)


def test_an_empty_share_is_refused():
    with pytest.raises(UserError, match="greedy is to give 0 steps, expected at least 1"):
        parse_share("greedy:0")


@pytest.mark.parametrize(
    "texts", [["temperature=1:10 greedy:20"], ["temperature=1:10", "greedy:20"], ["  temperature=1:10\tgreedy:20 "]]
)
def test_shares_are_one_quoted_text_or_several_words(texts):
    assert parse_shares(texts) == (Share(Temperature(1.0), 10), Share(Greedy(), 20))


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_no_share_at_all_is_refused(texts):
    with pytest.raises(UserError, match="there is no sampler, expected at least one share, for example temperature=5"):
        parse_shares(texts)


def test_a_sampler_that_is_given_twice_is_refused():
    with pytest.raises(UserError, match="the sampler temperature=1 is given 2 times, expected one share of each"):
        parse_shares(["temperature=1:10 greedy:10", "temperature=1.0:20"])


def test_what_a_collection_holds_does_not_grow_with_the_steps(graph, wilful):
    """The largest part handed on, of any field, is the same for four times the steps."""
    sizes = []
    for n_steps in (80_000, 320_000):
        collection = Collection(wilful, worlds_of(graph, 64), [Share(Temperature(1.0), n_steps)])
        parts = [len(part.frame_id) for part in collection.episodes(torch.Generator().manual_seed(1))]
        sizes.append((len(parts), max(parts)))
    assert sizes[0][0] < sizes[1][0]
    assert sizes[1][1] <= N_ROWS + 64 * graph.max_steps
