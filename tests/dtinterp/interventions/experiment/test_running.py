"""On the smallest model that ships: what the runner says is what hooks by hand say."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.interventions.experiment.opening import Opened, open_experiment
from dtinterp.interventions.experiment.result import ExperimentResult
from dtinterp.interventions.experiment.running import run_opened
from dtinterp.interventions.experiment.specification import Experiment
from dtinterp.subject.subject import Subject


@pytest.fixture(scope="module")
def result(opened: Opened) -> ExperimentResult:
    return run_opened(opened)


def test_the_change_is_that_of_a_hook_written_by_hand(opened: Opened, result: ExperimentResult) -> None:
    names = opened.names
    (direction,), _ = names.directions["instruction"]
    n_real = names.windows.mask.sum(dim=1)
    rows, slot = torch.arange(4), names.windows.n_slots - n_real

    def patch(x: Tensor, hook: HookPoint) -> Tensor:  # noqa: ARG001
        first = x[rows, slot]
        x[rows, slot] = first + (3.0 - first @ direction)[:, None] * direction
        return x

    with torch.no_grad():
        plain = names.model(names.windows, names.items)[:, -1]
        edited = names.model.run_with_hooks(names.windows, names.items, fwd_hooks=[("hook_obs_embed", patch)])[:, -1]
    change = (edited[:, 0] - edited[:, 1]) - (plain[:, 0] - plain[:, 1])
    torch.testing.assert_close(result.arms[0].changes[0, 1], change, atol=1e-4, rtol=1e-4)


def test_every_control_that_the_edit_has_is_an_arm(result: ExperimentResult) -> None:
    families = [arm.family for arm in result.arms]
    counts = {family: families.count(family) for family in dict.fromkeys(families)}
    assert counts == {"edit": 1, "random directions": 3, "wrong sign": 1, "other slots": 4, "untrained model": 1}
    assert result.missing == ("matched features",)
    assert set(result.side_effects) == {"topk"}
    assert result.explains["instruction"]["items"] == 2


def test_the_same_experiment_gives_the_same_bits_also_where_it_was_interrupted(
    opened: Opened, result: ExperimentResult, tmp_path: Path
) -> None:
    cache = open_job_cache(tmp_path / "unfinished", {"experiment": "this"})
    run_opened(opened, cache=cache)
    again = run_opened(opened, cache=cache)
    assert again.claims == result.claims
    assert all(torch.equal(one.changes, other.changes) for one, other in zip(again.arms, result.arms, strict=True))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"edits": [{"set": {"feature": 128}, "at": "hook_obs_embed", "to": 1}]},
            "feature is 128, expected 0 to 127",
        ),
        (
            {"edits": [{"set": {"feature": 1}, "at": "blocks.1.hook_resid_pre", "to": 1}]},
            "was fitted at hook_obs_embed, the intervention is at blocks.1.hook_resid_pre",
        ),
        (
            {"edits": [{"ablate": {"token": "whole"}, "at": "blocks.9.hook_z"}]},
            "site is 'blocks.9.hook_z'",
        ),
        (
            {"edits": [{"ablate": {"token": "whole"}, "at": {"site": "hook_obs_embed", "slot": {"index": 0}}}]},
            r"slot {'index': 0} is padding or out of the window in all 4 windows, whose real slots have index 5 to 9",
        ),
        ({"windows": {"kind": "decision_points", "where": {"x": 99}}}, "no window is left"),
        (
            {
                "edits": [
                    {"set": {"direction": "instruction"}, "at": "hook_obs_embed", "to": [1, 2]},
                    {"add": {"direction": "instruction"}, "at": "hook_obs_embed", "by": [1, 2, 3]},
                ]
            },
            "the edits sweep over 2 and 3 doses, expected equally many",
        ),
    ],
    ids=["feature", "dictionary", "site", "padding", "windows", "doses"],
)
def test_what_is_not_there_is_told_before_anything_runs(
    changes: dict[str, object], told: str, said: Callable[..., Experiment], studied: Subject
) -> None:
    with pytest.raises(UserError, match=told):
        open_experiment(said(**changes), subject=studied)


def test_episodes_are_played_intact_at_every_dose_and_under_controls(
    said: Callable[..., Experiment], studied: Subject
) -> None:
    played = {"episodes": 6, "samplers": ["greedy"], "controls": 1}
    changes = {"measure": ["flip"], "controls": {"random_directions": 2, "other_slots": False, "untrained": False}}
    found = run_opened(open_experiment(said(closed_loop=played, **changes), subject=studied))
    assert [(loop.family, loop.dose) for loop in found.loops] == [
        ("edit", -1),
        ("edit", 0),
        ("edit", 1),
        ("random directions", 1),
        ("wrong sign", 1),
    ]
    intact = found.loops[0].endings
    assert intact.matching_target.estimate == 1.0
    assert all(loop.endings.timeout.n <= 4 for loop in found.loops), "a greedy player has one episode for each start"
    assert found.claims[-1].about == "success lost in episodes (greedy)"
    swap = [{"ablate": {"token": "whole"}, "at": "hook_obs_embed", "to": "resample"}]
    with pytest.raises(UserError, match="whole episodes have none of these: leave closed_loop out"):
        run_opened(open_experiment(said(closed_loop=played, edits=swap, **changes), subject=studied))
