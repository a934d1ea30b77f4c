from collections.abc import Callable

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import reconstruct
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.replacements.linear_mlp import by_feature, excess_loss, largest_by_chance, linear_mlp
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.mark.parametrize("layer", [0, 1])
def test_an_mlp_that_is_linear_costs_nothing_to_replace(
    layer: int, variant: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    if variant.cfg.gated_mlp:
        pytest.skip("a gated MLP is a product, linear in no activation")
    variant.layers[layer].mlp.activation = nn.Identity()

    found = linear_mlp(variant, windows, items, layer)

    assert found.fvu < 1e-6
    excess = excess_loss(variant, windows, items, found)
    torch.testing.assert_close(excess, torch.zeros_like(excess), atol=1e-3, rtol=0)


def test_a_curved_mlp_is_not_reached_and_not_missed_altogether(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    found = linear_mlp(model, windows, items, 0)
    assert 0 < found.fvu < 1


def test_excess_is_the_difference_of_two_losses_counted_slot_by_slot(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    found = linear_mlp(model, windows, items, 1)
    excess = excess_loss(model, windows, items, found)

    seen: dict[str, Tensor] = {}

    def keep(activation: Tensor, **_: object) -> None:
        seen["stream"] = activation

    with torch.no_grad():
        intact = model.run_with_hooks(windows, items, fwd_hooks=[("blocks.1.hook_resid_mid", keep)])
        read = model.layers[1].ln2.fused(seen["stream"])[:, 1::3]  # batch slot d_model
        written = reconstruct(found.fitted, read.flatten(0, 1)).view_as(read)

        def put(activation: Tensor, **_: object) -> Tensor:
            for slot in range(10):
                activation[:, 3 * slot + 1] = written[:, slot]
            return activation

        instead = model.run_with_hooks(windows, items, fwd_hooks=[("blocks.1.hook_mlp_out", put)])
    expected = []
    for batch in range(len(windows)):
        for slot in range(10):
            if windows.mask[batch, slot]:
                done = int(windows.action[batch, slot])
                losses = [-float(each[batch, slot].double().log_softmax(0)[done]) for each in (instead, intact)]
                expected.append(losses[0] - losses[1])
    torch.testing.assert_close(excess, torch.tensor(expected, dtype=torch.float64), atol=1e-4, rtol=1e-4)


def test_the_feature_that_says_where_the_map_fails_comes_first() -> None:
    rng = torch.Generator().manual_seed(0)
    fires = torch.rand(2000, 6, generator=rng) < 0.3
    fires[:, 5] = False
    excess = 0.01 * torch.randn(2000, generator=rng, dtype=torch.float64) + 0.5 * fires[:, 2]

    found = by_feature(excess, fires, cluster=torch.arange(2000) // 10, generator=np.random.default_rng(0))

    assert found[0].feature == 2
    assert found[0].difference.low > 0.49
    assert found[0].on.estimate == pytest.approx(0.5, abs=0.01)
    assert {each.feature for each in found} == {0, 1, 2, 3, 4}
    assert found[0].difference.estimate == pytest.approx(found[0].on.estimate - found[0].off.estimate)


def test_intervals_are_those_of_means_over_drawn_clusters() -> None:
    rng = torch.Generator().manual_seed(1)
    fires, excess = torch.rand(300, 1, generator=rng) < 0.5, torch.randn(300, generator=rng, dtype=torch.float64)
    cluster = torch.randint(30, (300,), generator=rng)

    (found,) = by_feature(excess, fires, cluster=cluster, generator=np.random.default_rng(0))

    draws = []
    slow = np.random.default_rng(7)
    for _ in range(1000):
        rows = torch.cat([(cluster == int(one)).nonzero()[:, 0] for one in slow.integers(30, size=30)])
        draws.append(float(excess[rows][fires[rows, 0]].mean() - excess[rows][~fires[rows, 0]].mean()))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found.difference.low == pytest.approx(low, abs=0.03)
    assert found.difference.high == pytest.approx(high, abs=0.03)


def test_the_largest_difference_by_chance_is_that_of_a_loop_over_features_and_shifts() -> None:
    rng = torch.Generator().manual_seed(2)
    fires = torch.rand(400, 5, generator=rng) < 0.2
    fires[:, 3] = False
    fires[0, 3] = True  # which no shift may choose: it is on in one cluster
    excess, cluster = torch.randn(400, generator=rng, dtype=torch.float64), torch.arange(400) // 10
    shifts = torch.tensor([1, 7, 399])

    found = largest_by_chance(excess, fires, cluster=cluster, shifts=shifts)

    for shift, largest in zip(shifts.tolist(), found, strict=True):
        moved = torch.tensor([float(excess[(row - shift) % 400]) for row in range(400)], dtype=torch.float64)
        differences = [float(moved[fires[:, n]].mean() - moved[~fires[:, n]].mean()) for n in (0, 1, 2, 4)]
        assert largest == pytest.approx(max(differences))


def test_a_planted_feature_stands_above_chance_and_noise_does_not() -> None:
    rng = torch.Generator().manual_seed(3)
    fires, cluster = torch.rand(2000, 50, generator=rng) < 0.1, torch.arange(2000) // 10
    noise = torch.randn(2000, generator=rng, dtype=torch.float64)
    shifts = torch.randint(1, 2000, (40,), generator=rng)
    for excess, is_above in ((noise, False), (noise + fires[:, 7], True)):
        best = by_feature(excess, fires, cluster=cluster, generator=np.random.default_rng(0))[0].difference.estimate
        assert (best > max(largest_by_chance(excess, fires, cluster=cluster, shifts=shifts))) == is_above


def test_without_a_feature_that_fires_often_enough_there_is_no_chance() -> None:
    fires, excess = torch.zeros(300, 2, dtype=torch.bool), torch.ones(300, dtype=torch.float64)
    assert largest_by_chance(excess, fires, cluster=torch.arange(300) // 10, shifts=torch.tensor([3])) == ()


def test_a_layer_that_is_not_there_is_refused(
    draw_model: Callable[..., DecisionTransformer], windows: Windows, items: Float32[Tensor, "frame item"]
) -> None:
    with pytest.raises(UserError, match="the layer is 7, expected 0 to 1"):
        linear_mlp(draw_model(), windows, items, 7)
