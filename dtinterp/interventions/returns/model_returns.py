"""Returns of a model with something in place of its rows, beside its returns intact."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from tyro.conf import arg

from dtinterp.activations.harvest import RowEdit, Splice
from dtinterp.activations.sites import check_site
from dtinterp.demonstrations.evaluate import Episodes
from dtinterp.demonstrations.samplers import Greedy, parse_sampler
from dtinterp.dictionary.evaluation.acting import Acting, ExactReturn, PairedReturn
from dtinterp.dictionary.evaluation.behaviour import ConstantRow
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.returns.expectation import Altered, expectation
from dtinterp.interventions.returns.paired_rollouts import PairedRollouts, paired_returns
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import HooksOf, WindowPolicy, no_hooks
from environments.graph.state_graph import StateGraph, state_graph
from environments.making import make_worlds
from environments.registration import SUPPORTED_IDS
from environments.worlds import Worlds

CLEAN = "clean"


@dataclass(frozen=True)
class ActingConfig:
    """How a model is tried with reconstructions in place."""

    target_return: float = 0.892
    """return that it is asked for"""
    samplers: Annotated[tuple[str, ...], arg(name="sampler")] = ("temperature=1",)
    """how actions are drawn in the episodes that are played, such as temperature=1; greedy play is computed exactly
    where the world's states can be enumerated"""
    n_episodes: int = 64
    """episodes of each arm and sampler, all arms from the same starts; 0 plays none"""

    def __post_init__(self) -> None:
        """Refuse unknown samplers and a negative number of episodes."""
        for name in self.samplers:
            parse_sampler(name)
        if self.n_episodes < 0:
            raise UserError(f"n_episodes is {self.n_episodes}, expected at least 0: give another number.")
        require_sensible(self)


def arms_of(
    model: DecisionTransformer, site: str, edit: RowEdit, mean: Float32[Tensor, " d_model"]
) -> dict[str, HooksOf]:
    """Return the arms at a site: `clean`, `spliced` with `edit` at every real slot, `zero`, and the row `mean`."""
    check_site(model, site)
    return {
        CLEAN: no_hooks,
        "spliced": Splice(model, site, edit),
        "zero": Splice(model, site, torch.zeros_like),
        "mean": Splice(model, site, ConstantRow(mean)),
    }


@dataclass(frozen=True)
class ModelReturns:
    """The returns of a model in a world: intact found once, and held beside all that is ever put in its rows' place.

    Greedy play is exact where the world's states can be enumerated. Episodes are paired: in all arms they begin from
    the same starts, and their actions are drawn from the same numbers.
    """

    model: DecisionTransformer
    env_id: str
    config: ActingConfig
    seed: int

    def under(self, arms: Mapping[str, HooksOf]) -> Acting:
        """Return what the model returns under the hooks of each arm, of which one is `clean`."""
        return Acting(
            target_return=self.config.target_return,
            exact=self._exact(arms) if self.env_id in SUPPORTED_IDS else {},
            played=self._played(arms) if self.config.n_episodes else {},
        )

    def _exact(self, arms: Mapping[str, HooksOf]) -> dict[str, ExactReturn]:
        return {arm: self._intact if arm == CLEAN else self._expected(hooks_of) for arm, hooks_of in arms.items()}

    def _played(self, arms: Mapping[str, HooksOf]) -> dict[str, dict[str, PairedReturn]]:
        rng = numpy_generator(self.seed, "acting/bootstrap")
        played = {}
        for name, clean in self._intact_episodes.items():
            episodes = {arm: clean if arm == CLEAN else self._play(hooks_of, name) for arm, hooks_of in arms.items()}
            played[name] = paired_returns(episodes, clean, rng)
        return played

    @cached_property
    def _intact(self) -> ExactReturn:
        return self._expected(no_hooks)

    @cached_property
    def _intact_episodes(self) -> dict[str, Episodes]:
        return {name: self._play(no_hooks, name) for name in self.config.samplers}

    @cached_property
    def _worlds(self) -> Worlds:
        starts = generator(self.seed, "acting/starts")
        return make_worlds(self.env_id, self.config.n_episodes, generator=starts)

    def _expected(self, hooks_of: HooksOf) -> ExactReturn:
        graph, altered = state_graph(self.env_id), Altered(hooks_of=hooks_of)
        asked = self.config.target_return
        found = expectation(self.model, graph, Greedy(), target_return=asked, altered=altered)
        return ExactReturn(found.success, found.expected_return)

    def _play(self, hooks_of: HooksOf, sampler: str) -> Episodes:
        items = coded(self._worlds, self.model.cfg.n_items)
        policy = WindowPolicy(self.model, items, target_return=self.config.target_return, hooks_of=hooks_of)
        return PairedRollouts(self._worlds, sampler, self.seed, "acting/actions").play(policy)


def decision_frames(graph: StateGraph) -> UInt8[Tensor, "frame view view 3"]:
    """Return the frames at which memory decides: no action is best in all states that show the frame."""
    is_best = np.ones((len(graph.frames), graph.n_actions), dtype=bool)
    np.logical_and.at(is_best, graph.frame_id, graph.optimal)
    return torch.tensor(graph.frames[~is_best.any(axis=1)])
