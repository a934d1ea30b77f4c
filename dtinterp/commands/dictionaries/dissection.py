"""A subject and a folder become a dictionary of the subject's rows, and the same make in a model that never learnt."""

from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.dictionaries.fitting import Fitted, fit_to
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.storage import ARTEFACT_KIND, load_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.model.network.frames import ONE_HOT, encoded
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class Dissection:
    """A model, and a dictionary that takes the rows of one of its sites apart."""

    subject: Subject
    dictionary: Dictionary
    source: Artefact
    """the dictionary on disk; of a twin, that which it is the twin of"""

    @property
    def artefacts(self) -> tuple[Artefact, ...]:
        """The parents of whatever is found out."""
        return (*self.subject.artefacts, self.source)

    @property
    def W_obs(self) -> Float32[Tensor, "item d_model"] | None:
        """The embedding that the dictionary's rows are sums of; None where rows are no sums of one-hot items."""
        is_sum = self.dictionary.site == OBSERVATION_EMBEDDING and self.subject.model.cfg.n_items == ONE_HOT
        return self.subject.model.W_obs.detach() if is_sum else None

    @property
    def items(self) -> Float32[Tensor, "frame item"]:
        """The demonstrations' frame table, one-hot whatever the model reads: what features are described by."""
        return encoded(self.subject.trajectories.frames, ONE_HOT)

    def rows(self, windows: Windows) -> Activations:
        """Harvest the rows that the dictionary reads."""
        return harvest(self.subject.model, windows, self.subject.items, self.dictionary.site)

    def untrained_twin(self, *, n_windows: int, seed: int) -> "Dissection":
        """Fit a dictionary of the same make to a model of the same shape that never saw a window: the control.

        `n_windows` training windows are learnt, with as many steps as `FitConfig` has by default.
        """
        control, like = replace(self.subject, is_untrained=True), self.dictionary
        fitted = Fitted.of(control, like.site, n_windows=n_windows, seed=seed)
        (twin,) = fit_to(fitted, [FitConfig(like.kind, width=like.width, name=like.name)], seed=seed)
        return replace(self, subject=control, dictionary=twin)


def dissection_of(subject: Subject, path: Path) -> Dissection:
    """Read a dictionary. Raises `UserError` where it was not fitted to the subject's model, or is none.

    An untrained subject takes the trained model's dictionaries, too.
    """
    trained = subject.trained.artefact
    source = read_artefact(path, kind=ARTEFACT_KIND, parent=trained)
    return Dissection(subject, load_dictionary(path, parent=None if subject.is_untrained else trained), source)
