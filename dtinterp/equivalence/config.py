"""How equivalence is certified: of which observations, in which histories, asked for what, and how hard."""

from dataclasses import dataclass
from typing import Literal

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.classes.joint_refinement import JointTrialConfig
from dtinterp.equivalence.partition import check_epsilon
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible

Source = Literal["own-play", "plays", "held-out", "successful"]
Asked = Literal["own", "target", "attainable"]


@dataclass(frozen=True)
class EquivalenceConfig:
    """How equivalence is certified; the work grows with n_frames² × n_contexts."""

    n_frames: int = 96
    """observations compared, each with each other: the most visited ones that the demonstrations show, too"""
    contexts: Source = "own-play"
    """where observations stand: own-play for the model's own greedy episodes after a few random actions; plays for all
    that can happen in the first steps of the world, whoever plays: so few that classes are tried in every one; held-out
    for steps of held-out demonstrations, successful for those of them that succeed"""
    asked: Asked = "own"
    """return that the model is asked for there: own for target_return in plays, and in demonstrations for what they
    return; target for target_return everywhere; attainable for what the shortest way would still return, in own-play"""
    n_plays: int = 1024
    """episodes of own-play that classes are formed and refined in"""
    n_tested: int = 512
    """further ones, that classes are only tested in: what refinement could have met there is left out; 0 tests in what
    refinement left of the same episodes"""
    most_random: int = 12
    """random actions that an episode of own-play begins with, at most"""
    horizon: int = 3
    """actions of a play before its last decision, at most; for plays"""
    most_contexts: int = 60_000
    """contexts of plays, at most, before any are found alike; a horizon that gives more is refused"""
    n_contexts: int = 8
    """contexts per observation that classes are made from: some end at it, some go on as long as a window can"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart, in any context tried; at 0.05
    no action's probability moves by more than 0.262"""
    n_draws: int = 200
    """random classes of equal sizes per comparison, and random halves of the observations for its interval"""
    target_return: float = 0.892
    """return asked of the model in own-play and plays, and when it acts on its classes instead of its observations"""
    n_quotient_draws: int = 10
    """random classes of equal sizes that it acts on, per partition"""
    site: str = OBSERVATION_EMBEDDING
    """where an observation is swapped: its embedding, or the residual stream at its token"""
    only_reachable: bool = False
    """only contexts in which each of the observations compared could truly stand: after all that came before, the world
    might have shown any of them; without it such swaps are reported apart"""
    n_rounds: int = 12
    """times that classes are tried in fresh contexts and split by counterexample, at most: a round that finds none is
    the last; 0 leaves them as they were formed"""
    n_fresh: int = 4
    """contexts per observation in each of these rounds"""
    n_verified: int = 8
    """contexts per observation, used for nothing before, that bounds and controls rest on; 0 gives none. Of plays, all
    contexts that are left are tried with class-mates, controls in so many"""
    n_joint_rounds: int = 8
    """times that fresh histories are shown with all their observations replaced at once, and classes split by those in
    which a decision moves by more than epsilon, at most; 0 leaves classes as single swaps made them, as do swaps at
    another site than the embedding"""
    n_joint: int = 1024
    """histories in each of these rounds; twice as many, used for nothing before, say how well the classes fare"""
    n_searched: int = 512
    """of these, the ones in which the worst members are sought"""
    n_abstracted: int = 512
    """of the histories that say so, those in which classes are set to others, at most, to see whether the model does
    what the classes alone predict; 0 sets none, as where nothing is tried with everything replaced"""
    n_wandered: int = 64
    """plays on the classes that begin with random actions, other ones than own-play's; 0 plays none"""
    n_merges: int = 4
    """draws of representatives, and of random and trivial classes, that it plays on"""
    n_episodes: int = 0
    """episodes that the model, and an agent where one is given, play on the classes at temperature 1, all from the same
    starts with the same luck; 0 plays none"""
    seed: int = 0
    """seed of contexts, controls and episodes"""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(
            self, 1, "n_contexts", "n_draws", "n_quotient_draws", "n_fresh", "n_plays", "n_joint", "n_merges"
        )
        require_at_least(self, 0, "n_rounds", "n_verified", "n_episodes", "horizon", "most_random")
        require_at_least(self, 0, "n_joint_rounds", "n_searched", "n_wandered", "n_tested", "n_abstracted")
        if self.asked == "attainable" and self.contexts != "own-play":
            raise UserError(
                f"what is attainable is asked in contexts {self.contexts}, where nobody keeps the states: give "
                "--contexts own-play, or ask for target."
            )
        require_at_least(self, 1, "most_contexts")
        require_sensible(self)

    @property
    def is_enumerated(self) -> bool:
        """Whether contexts are those of all plays."""
        return self.contexts == "plays"

    @property
    def kind(self) -> str:
        """What steps, episodes and contexts are called."""
        return {"plays": "enumerated", "own-play": "played"}.get(self.contexts, "held-out")

    @property
    def population(self) -> str:
        """All contexts that certificates speak of, in words."""
        where = {
            "plays": f"contexts of plays of up to {self.horizon} steps",
            "own-play": f"contexts of its own play after 0 to {self.most_random} random actions",
            "held-out": "held-out contexts",
            "successful": "held-out contexts of successful demonstrations",
        }
        return where[self.contexts]

    @property
    def asked_return(self) -> float | None:
        """The one return that the model is asked for; None where it is asked for another one in each history."""
        is_one = self.asked == "target" or (self.asked == "own" and self.contexts in ("own-play", "plays"))
        return self.target_return if is_one else None

    @property
    def asks(self) -> str:
        """What the model is asked for there, in words."""
        if self.asked == "attainable":
            return "asked for what is still attainable"
        if self.asked == "own" and self.contexts in ("held-out", "successful"):
            return "asked for what each demonstration returns"
        return f"asked for {self.target_return:g}"

    @property
    def joint(self) -> JointTrialConfig:
        """How hard classes are tried with everything replaced at once."""
        return JointTrialConfig(
            epsilon=self.epsilon,
            n_rounds=self.n_joint_rounds if self.site == OBSERVATION_EMBEDDING else 0,
            n_fresh=self.n_joint,
            n_verified=2 * self.n_joint,
            n_searched=self.n_searched,
            seed=self.seed,
        )
