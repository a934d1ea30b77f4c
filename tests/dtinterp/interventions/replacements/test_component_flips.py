from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.replacements.component_flips import (
    ComponentFlips,
    Head,
    Mlp,
    Slot,
    component_flips,
    label_of,
    parts_of,
    starting_points,
)
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.fixture
def flips(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> ComponentFlips:
    return component_flips(model, windows, items, n_draws=3, generator=torch.Generator().manual_seed(0))


def test_every_head_mlp_and_slot_is_tried_once(model: DecisionTransformer, flips: ComponentFlips) -> None:
    assert flips.part == parts_of(model, 10)
    assert len(set(flips.part)) == len(flips.part) == 2 * 4 + 2 + 10
    assert {type(part) for part in flips.part} == {Head, Mlp, Slot}


def test_slots_that_a_window_lacks_are_not_counted(windows: Windows, flips: ComponentFlips) -> None:
    for place, part in enumerate(flips.part):
        if isinstance(part, Slot):
            absent = ~windows.mask[:, part.slot]
            assert flips.lost[place, absent].isnan().all()
            assert not flips.is_flipped[place, absent].any()
            assert flips.share(place).n <= int(windows.mask[:, part.slot].sum())


def test_a_part_that_writes_nothing_flips_nothing(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    with torch.no_grad():
        model.layers[1].attn.W_O[2] = 0
        model.layers[0].mlp.W_out.zero_()
    found = component_flips(model, windows, items, n_draws=2, generator=torch.Generator().manual_seed(0))
    for part in (Head(1, 2), Mlp(0)):
        lost = found.lost[found.part.index(part)]
        torch.testing.assert_close(lost[~lost.isnan()], torch.zeros(int((~lost.isnan()).sum())), atol=1e-6, rtol=0)
        assert found.share(found.part.index(part)).estimate == 0


def test_a_model_that_reads_only_the_last_frame_depends_on_no_other_slot(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    with torch.no_grad():
        for layer in model.layers:
            layer.attn.W_O.zero_()
    found = component_flips(model, windows, items, n_draws=4, generator=torch.Generator().manual_seed(0))
    moved = {
        part.slot: float(found.lost[place].nan_to_num().abs().max())
        for place, part in enumerate(found.part)
        if isinstance(part, Slot)
    }
    assert max(moved[slot] for slot in range(9)) < 1e-5
    assert moved[9] > 0.01


def test_a_slot_is_ablated_as_a_loop_over_windows_does_it(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    pair = windows[torch.arange(len(windows))[windows.mask.all(dim=1)][:2]]  # each is the other's only donor
    found = component_flips(model, pair, items, n_draws=1, generator=torch.Generator().manual_seed(0))
    for own in range(2):
        frame_id = pair.frame_id.clone()
        frame_id[own, 7] = pair.frame_id[1 - own, 7]
        with torch.no_grad():
            clean = model(pair, items)[own, -1].softmax(dim=0)
            swapped = model(replace(pair, frame_id=frame_id), items)[own, -1].softmax(dim=0)
        place = found.part.index(Slot(7))
        action = int(clean.argmax())
        assert float(found.lost[place, own]) == pytest.approx(float(clean[action] - swapped[action]), abs=1e-5)
        assert bool(found.is_flipped[place, own]) == (int(swapped.argmax()) != action)


@pytest.mark.parametrize("part", [Head(0, 1), Head(1, 3), Mlp(0), Mlp(1)])
@torch.no_grad()
def test_a_head_or_an_mlp_is_ablated_as_a_loop_over_windows_and_draws_does_it(
    part: Head | Mlp, model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    """Of three windows each has two donors, so that of eight draws k are of the one and 8 − k of the other."""
    model.W_U.mul_(20)  # so that draws differ in what they flip
    trio = windows[torch.arange(len(windows))[windows.mask.all(dim=1)][:3]]
    found = component_flips(model, trio, items, n_draws=8, generator=torch.Generator().manual_seed(0))
    site = f"blocks.{part.layer}." + ("hook_mlp_out" if isinstance(part, Mlp) else "attn.hook_z")
    logits, cache = model.run_with_cache(trio, items)
    place = found.part.index(part)
    for own in range(3):
        clean = logits[own, -1].softmax(dim=0)
        action = int(clean.argmax())
        chances = []
        for donor in (other for other in range(3) if other != own):

            def put(activation: Tensor, hook: HookPoint, own: int = own, donor: int = donor) -> Tensor:  # noqa: ARG001
                changed = activation.clone()
                if isinstance(part, Head):
                    changed[own, :, part.head] = cache[site][donor, :, part.head]
                else:
                    changed[own] = cache[site][donor]
                return changed

            chances.append(model.run_with_hooks(trio, items, fwd_hooks=[(site, put)])[own, -1].softmax(dim=0))
        assert (chances[0] - chances[1]).abs().max() > 1e-4
        means = [(k * chances[0] + (8 - k) * chances[1]) / 8 for k in range(9)]
        lost = torch.stack([clean[action] - mean[action] for mean in means])
        k = int((lost - found.lost[place, own]).abs().argmin())
        assert float(found.lost[place, own]) == pytest.approx(float(lost[k]), abs=1e-5)
        flips = [int(chance.argmax()) != action for chance in chances]
        assert float(found.flipped[place, own]) == (k * flips[0] + (8 - k) * flips[1]) / 8
        assert int(found.instead[place, own]) == int(means[k].argmax())
        assert int(found.action[own]) == action


def test_starting_points_are_right_predictions_made_wrong_each_window_once() -> None:
    rng = torch.Generator().manual_seed(0)
    drawn = ComponentFlips(
        part=(Head(0, 0), Mlp(0), Slot(3)),
        flipped=torch.rand(3, 20, generator=rng),
        lost=torch.rand(3, 20, generator=rng),
        instead=torch.zeros(3, 20, dtype=torch.int64),
        action=torch.ones(20, dtype=torch.int64),
        n_draws=4,
    )
    is_right = torch.arange(20) % 3 > 0

    points = starting_points(drawn, is_right, 5, n_per_part=2).tolist()

    every = [(float(drawn.lost[part, window]), [part, window]) for part in range(3) for window in range(20)]
    allowed = [point for _, point in sorted(every, reverse=True) if drawn.flipped[*point] > 0.5 and is_right[point[1]]]
    expected: list[list[int]] = []
    for part, window in allowed:
        if [other for other, _ in expected].count(part) < 2 and window not in [other for _, other in expected]:
            expected.append([part, window])
    assert points == expected[:5]
    assert len(points) == 5


def test_without_flips_there_is_nowhere_to_start(flips: ComponentFlips) -> None:
    still = replace(flips, flipped=torch.zeros_like(flips.flipped))
    assert starting_points(still, torch.ones(64, dtype=torch.bool), 5, n_per_part=1).shape == (0, 2)


def test_parts_are_named_as_they_are_shown() -> None:
    assert [label_of(part) for part in (Head(1, 2), Mlp(0), Slot(3))] == ["head L1H2", "MLP 0", "slot 4"]


def test_windows_that_end_in_a_pad_are_refused(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    for blank in (slice(None), slice(3, 4)):  # all, and one among many
        mask = windows.mask.clone()
        mask[blank] = False
        with pytest.raises(UserError, match="end in a pad"):
            component_flips(model, replace(windows, mask=mask), items, n_draws=1, generator=torch.Generator())


def test_windows_of_which_no_two_are_alike_are_refused(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    with pytest.raises(UserError, match="no two of the 1 windows"):
        component_flips(model, windows[:1], items, n_draws=1, generator=torch.Generator())
