import pytest
import torch
from pydantic import ValidationError

from dtinterp.foundation.errors import UserError


def test_a_play_of_the_straight_way_is_the_decision_point(choose):
    played, decided = choose("plays", actions=["FFFF"]), choose("decision_points")
    assert played.names == tuple(f"{name} FFFF" for name in decided.names)
    assert torch.equal(played.windows.frame_id, decided.windows.frame_id)


def test_every_play_is_played_from_every_start(choose):
    chosen = choose("plays", actions=["", "FFL"])
    assert len(chosen) == 8
    assert chosen.names[0] == "Key,Key-Ball"
    assert chosen.windows.action[4].tolist() == [7] * 6 + [2, 2, 0, 7]
    assert chosen.windows.mask.sum(dim=1).tolist() == [1] * 4 + [4] * 4


def test_a_play_that_ends_the_episode_is_refused(choose):
    with pytest.raises(UserError, match="the play FFFFLF from Key,Key-Ball ends the episode with its action 6"):
        choose("plays", actions=["FFFFLF"])


@pytest.mark.parametrize("actions", [["FFX"], [], ["F", "F"]])
def test_letters_that_mean_nothing_and_plays_that_stand_there_twice_are_refused(choose, actions):
    with pytest.raises(ValidationError):
        choose("plays", actions=actions)
