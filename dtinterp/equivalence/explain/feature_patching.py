"""Feature patching: one observation is made more like another, and what still tells the two apart is measured.

With x_a and x_b the embeddings of two observations, C_a and C_b contexts of theirs, Δ a vector, and D(c, u, v) the
largest Jensen–Shannon divergence of a decision in context c between u and v in the place of c's own observation:

    left(Δ) = max( max over c in C_a of D(c, x_b − Δ, x_a),  max over c in C_b of D(c, x_a + Δ, x_b) )  bits

Nothing exchanged, Δ = 0, leaves the pair's own divergence, and Δ = x_b − x_a leaves 0. A set T of features of a
dictionary is exchanged by Δ = scale · sum over i in T of (z_b,i − z_a,i) W_dec,i, with z the codes: b gets the features
of T as a has them, and a gets them as b has them; neither loses what the dictionary does not explain of it.

Controls move as far as an exchange Δ does. With r_f the deviation of the embedding of frame f from the mean of all:

    where frames differ   |Δ| u / |u|,  u = sum over frames f of g_f r_f,  g_f standard normal
    other features        |Δ| D / |D|,  D the exchange of another set of as many features

Noise in directions that no two frames differ in would be easily survived, and prove nothing.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.trials import moved
from dtinterp.model.network.continuation import Continuation, continuation
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class PatchingSetup:
    """Two observations in contexts of both."""

    contexts: Contexts
    """of the one, then of the other"""
    start: tuple[Continuation, ...]
    """one per context: its past, computed once"""
    is_first: tuple[bool, ...]
    """one per context: whether the first of the two stands there, or the second"""
    embedding: Float32[Tensor, "2 d_model"]
    deviation: Float32[Tensor, "frame d_model"]
    """of all frames' embeddings from their mean"""

    def left(self, shift: Float32[Tensor, "draft d_model"]) -> Float64[Tensor, " draft"]:
        """Return what still tells the two apart under each shift, as the formula above says."""
        worst = torch.zeros(len(shift), dtype=torch.float64)
        for context in range(len(self.start)):
            logits = self.logits(context, shift)
            worst = torch.maximum(worst, moved(logits[1:], logits[0]).divergence.amax(1))
        return worst

    def logits(self, context: int, shift: Float32[Tensor, "draft d_model"]) -> Float[Tensor, "1+draft decision action"]:
        """Return the decisions in one context from its slot on, first as it is, then with the other one of the two.

        The other one stands there once under each shift.
        """
        first, second = self.embedding
        own, other = (first, second - shift) if self.is_first[context] else (second, first + shift)
        return self.start[context].logits(torch.cat([own[None], other]))


@torch.no_grad()
def patching_setup(
    model: DecisionTransformer,
    contexts: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    pair: Int64[Tensor, " 2"],
) -> PatchingSetup:
    """Return two frames, rows of the coded frame table `items`, in contexts of both."""
    single = [contexts[index : index + 1] for index in range(len(contexts))]
    start = [continuation(model, each.windows, items, int(each.slot)) for each in single]
    is_first = (contexts.frame_id == pair[0]).tolist()
    table = (items @ model.W_obs).float()
    return PatchingSetup(contexts, tuple(start), tuple(is_first), table[pair], table - table.mean(0))


def as_far_as(
    shift: Float32[Tensor, " d_model"], others: Float32[Tensor, "draw d_model"]
) -> Float32[Tensor, "kept d_model"]:
    """Return the others as long as `shift`; those of no length are left out, for they lead nowhere."""
    return shift.norm() * normalize(others[others.norm(dim=1) > 0], dim=1)


@dataclass(frozen=True)
class Difference:
    """The features in which two observations differ."""

    feature: Int64[Tensor, " differing"]
    """rows of the dictionary"""
    change: Float32[Tensor, "differing d_model"]
    """what exchanging each of them moves, in units of the embedding"""

    def shift(self, is_chosen: Bool[Tensor, "draft differing"]) -> Float32[Tensor, "draft d_model"]:
        """Return what exchanging sets of them moves."""
        return is_chosen.float() @ self.change


def difference(dictionary: Dictionary, embedding: Float32[Tensor, "2 d_model"]) -> Difference:
    """Return the features whose codes differ between two embeddings. Raises `UserError` on rows of another length."""
    first, second = encode_dense(dictionary, embedding)
    feature = (first != second).nonzero().squeeze(1)
    step = (second - first)[feature, None]
    return Difference(feature, (dictionary.scale * step * dictionary.W_dec[feature]).float())
