"""Selection of the k strongest features of each row, decoded with gradients for those features alone.

A dense autoencoder multiplies rows with whole matrices five times a step: once to encode, once to decode, three times
for the gradients. Only the first of these is needed: everything behind the selection involves k features a row.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import embedding_bag

SUM = 0
"""Mode of embedding_bag that adds up."""
TILE = {"cpu": 2**20, "cuda": 2**28}
"""How many pre-activations stand in memory together: as many as a processor's cache holds, or a device's memory."""


@dataclass(frozen=True)
class Strongest:
    """The k strongest features of each row under each member, and what they make of it."""

    made: Float[Tensor, "member row d_out"]
    """sum of their decoder rows, each times its value; b_dec is not in it"""
    value: Float[Tensor, "member row k"]
    """`relu` of the k largest pre-activations; they carry no gradient"""
    index: Int64[Tensor, "member row k"]


def strongest(
    rows: Float[Tensor, "*member row d_in"],
    W_enc: Float[Tensor, "member d_in feature"],
    bias: Float[Tensor, "member feature"],
    W_dec: Float[Tensor, "member feature d_out"],
    k: Int64[Tensor, " member"],
) -> Strongest:
    """Encode each row with every member, or each member's own rows, keep the k strongest features and decode them.

    Values are at least 0. Members may differ in k; where one keeps fewer than the largest k, its other values are 0.
    """
    return Strongest(*_Strongest.apply(rows, W_enc, bias, W_dec, k))


def weighted_sum(
    index: Int64[Tensor, "row k"], value: Float[Tensor, "row k"], W_dec: Float[Tensor, "feature d_model"]
) -> Float[Tensor, "row d_model"]:
    """Return the sum of the chosen decoder rows, each times its value."""
    return embedding_bag(index, W_dec, per_sample_weights=value, mode="sum")


def select(
    rows: Float[Tensor, "*member row d_in"],
    W_enc: Float[Tensor, "member d_in feature"],
    bias: Float[Tensor, "member feature"],
    k: Int64[Tensor, " member"],
) -> tuple[Float[Tensor, "member row k"], Int64[Tensor, "member row k"]]:
    """Return value, at least 0, and index of the k largest of `x W_enc + bias`, a tile at a time."""
    n_members, d_model, n_features = W_enc.shape
    rows = rows.expand(n_members, -1, d_model)
    highest, tile = int(k.max()), TILE.get(rows.device.type, TILE["cpu"])
    value = rows.new_empty(n_members, rows.shape[1], highest)
    index = torch.empty(value.shape, dtype=torch.int64, device=rows.device)
    n_rows = min(rows.shape[1], max(1, tile // n_features))
    together = max(1, tile // (n_rows * n_features))
    for first in range(0, n_members, together):
        members = slice(first, first + together)
        for start in range(0, rows.shape[1], n_rows):
            piece = rows[members, start : start + n_rows]
            activation = torch.baddbmm(bias[members, None], piece, W_enc[members])  # member row feature
            largest = k_largest(activation, highest, in_order=bool((k < highest).any()))
            value[members, start : start + n_rows], index[members, start : start + n_rows] = largest
    rank = torch.arange(highest, device=k.device)
    return value.relu_().mul_((rank < k[:, None])[:, None]), index


def k_largest(
    activation: Float[Tensor, "member row feature"], k: int, *, in_order: bool
) -> tuple[Float[Tensor, "member row k"], Int64[Tensor, "member row k"]]:
    """Return value and index of the k largest of each row, in no order unless asked: `topk`, in half the time or less.

    The k largest lie in the k groups with the largest maxima, since whatever is outside these is exceeded by k others.
    So k groups are chosen by their maxima, and k values from their members; groups have about sqrt(n / k) members.
    """
    n_features = activation.shape[2]
    size = _group_size(n_features, k)
    if size == 1:
        return activation.topk(k, dim=2, sorted=in_order)
    groups = activation.unflatten(2, (size, -1))  # member row size group
    group = groups.amax(dim=2).topk(k, dim=2, sorted=False).indices  # member row k
    inside = groups.gather(3, group[:, :, None].expand(-1, -1, size, -1))  # member row size k
    value, place = inside.flatten(2).topk(k, dim=2, sorted=in_order)
    return value, place // k * (n_features // size) + group.gather(2, place % k)


def _group_size(n_features: int, k: int) -> int:
    """Return the power of two near sqrt(n / k) that divides the features and leaves more groups than k."""
    size = 1
    while n_features % (2 * size) == 0 and 4 * size * size * k <= 2 * n_features:
        size *= 2
    return size


class _Strongest(torch.autograd.Function):
    """The chain rule through selection and decoding, with sums over the chosen features instead of matrix products.

    With g the gradient of a row's reconstruction, a chosen feature f of value z > 0 gets `dz = g . W_dec[f]`, and its
    weights get `dW_dec[f] = sum_r z_r g_r`, `dW_enc[f] = sum_r dz_r x_r` and `dbias[f] = sum_r dz_r`.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, W_enc: Tensor, bias: Tensor, W_dec: Tensor, k: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        n_members, n_features, d_model = W_dec.shape
        value, index = select(rows, W_enc, bias, k)
        place = index + n_features * torch.arange(n_members, device=k.device)[:, None, None]
        made = weighted_sum(place.flatten(0, 1), value.flatten(0, 1), W_dec.flatten(0, 1))
        ctx.save_for_backward(rows, W_dec, place, value)
        ctx.mark_non_differentiable(value, index)
        return made.view(n_members, -1, d_model), value, index

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, W_dec, place, value = ctx.saved_tensors
        n_members, n_rows, k = place.shape
        g = gradients[0].reshape(n_members * n_rows, -1)  # member*row d_model
        directions, place, value = W_dec.flatten(0, 1), place.flatten(), value.flatten()
        bag = torch.arange(n_members * n_rows, device=place.device)
        starts, owner = bag * k, bag.repeat_interleave(k)
        dz = torch.ops.aten._embedding_bag_per_sample_weights_backward(g, directions, place, starts, owner, SUM)
        dz = torch.where(value > 0, dz, 0.0)
        by_feature = _Grouped.of(place, len(directions))
        of_decoder = by_feature.total(g, owner, value).view_as(W_dec)
        table = rows.flatten(0, -2)  # one member's rows after the other's, or those that all see
        of_encoder = by_feature.total(table, owner % len(table), dz)  # member*feature d_in
        of_encoder = of_encoder.view(*W_dec.shape[:2], -1).mT  # member d_in feature
        of_bias = torch.zeros(len(directions), device=dz.device).index_add_(0, place, dz).view(n_members, -1)
        return None, of_encoder, of_bias, of_decoder, None


@dataclass(frozen=True)
class _Grouped:
    """Choices in the order of the features that were chosen."""

    order: Int64[Tensor, " choice"]
    starts: Int64[Tensor, " feature"]

    @classmethod
    def of(cls, place: Int64[Tensor, " choice"], n_features: int) -> "_Grouped":
        count = torch.bincount(place, minlength=n_features)
        return cls(place.sort(stable=True).indices, count.cumsum(0) - count)

    def total(
        self, rows: Float[Tensor, "row d_model"], owner: Int64[Tensor, " choice"], weight: Float[Tensor, " choice"]
    ) -> Float[Tensor, "feature d_model"]:
        """Return for each feature the weighted sum of the rows that chose it."""
        return embedding_bag(owner[self.order], rows, self.starts, per_sample_weights=weight[self.order], mode="sum")
