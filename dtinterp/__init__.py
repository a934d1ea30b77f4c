"""Which observations a decision transformer treats as equivalent, why, and what flips it: `import dtinterp as dt`.

>>> import dtinterp as dt
>>> subject = dt.open_subject("checkpoints/models/memory-dt-small-0")
>>> report = dt.certify(subject, dt.EquivalenceConfig(n_frames=24))
>>> dictionary = dt.fit(subject, kind=dt.TopK(8))

The verbs: open_subject, rollout, fit, score, describe, edit, intervene, run_experiment, certify, run_study,
load and save. They take and return values, and each has an example, as in `help(dt.fit)`. The command line does the
same on folders.
Names are imported when they are first used, so importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dtinterp.foundation import __version__

if TYPE_CHECKING:
    from dtinterp.dictionary.kinds.autoencoders.topk import TopK
    from dtinterp.dictionary.kinds.baselines.pca import Pca
    from dtinterp.equivalence.config import EquivalenceConfig
    from dtinterp.equivalence.observations import certify
    from dtinterp.features.describe import describe
    from dtinterp.front_door import edit, fit, intervene, load, open_subject, rollout, run_experiment, save, score
    from dtinterp.study import StudyConfig, run_study
    from dtinterp.subject.subject import Subject

__all__ = [
    "EquivalenceConfig",
    "Pca",
    "StudyConfig",
    "Subject",
    "TopK",
    "__version__",
    "certify",
    "describe",
    "edit",
    "fit",
    "intervene",
    "load",
    "open_subject",
    "rollout",
    "run_experiment",
    "run_study",
    "save",
    "score",
]

_MODULES = {
    "EquivalenceConfig": "dtinterp.equivalence.report",
    "Pca": "dtinterp.dictionary.kinds.baselines.pca",
    "StudyConfig": "dtinterp.study",
    "Subject": "dtinterp.subject.subject",
    "TopK": "dtinterp.dictionary.kinds.autoencoders.topk",
    "certify": "dtinterp.equivalence.observations",
    "describe": "dtinterp.features.describe",
    "run_study": "dtinterp.study",
}
"""Where a name is; those that are not here are in `dtinterp.front_door`."""


def __getattr__(name: str) -> Any:
    """Import one of the names."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, f"{__name__}.front_door")), name)


def __dir__() -> list[str]:
    """List the names."""
    return __all__
