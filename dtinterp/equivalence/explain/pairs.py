"""Two observations become a bench of both, with the held-out windows in which they are compared."""

from dataclasses import dataclass

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.explain.feature_patching import PatchingSetup, bench
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Pair:
    """Two observations, ready to be exchanged in part."""

    contexts: Contexts
    """of the one, then of the other"""
    bench: PatchingSetup
    """over the same contexts"""


def pair_in_contexts(
    model: DecisionTransformer,
    trajectories: Trajectories,
    steps: Int64[Tensor, " side"],
    *,
    items: Float32[Tensor, "table item"],
    pair: Int64[Tensor, " 2"],
    config: PairConfig,
) -> Pair:
    """Draw contexts of two frames, rows of the coded frame table `items`, among `steps`.

    Raises `UserError` for a frame that `steps` never show.
    """
    contexts = draw_contexts(
        trajectories,
        steps,
        frame_id=pair,
        n_contexts=config.n_contexts,
        n_slots=model.cfg.n_slots,
        generator=generator(config.seed, "pair/contexts"),
    )
    return Pair(contexts, bench(model, contexts, items=items, pair=pair))
