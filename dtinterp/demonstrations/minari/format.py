"""What our demonstrations and Minari's datasets have in common."""

from dataclasses import dataclass
from importlib.util import find_spec

from dtinterp.foundation.errors import UserError

OWN_METADATA = "dtinterp"
"""Key of a dataset's metadata under which an export keeps what Minari has no place for."""
FACTS = "facts"
"""Key of an episode's infos under which an export keeps the facts; rows as observations, the last one a repetition."""
METADATA_FILE, EPISODES_FILE = "metadata.json", "main_data.hdf5"


@dataclass(frozen=True)
class OwnMetadata:
    """What Minari has no place for."""

    max_steps: int
    fact_names: tuple[str, ...]
    samplers: tuple[str, ...]
    sampler: tuple[int, ...]
    """of each episode"""


def require_minari() -> None:
    """Raise `UserError` unless Minari is there, and h5py, with which it stores episodes."""
    require_packages("minari", "h5py")


def require_packages(*names: str) -> None:
    """Raise `UserError` unless the packages are there: to read episodes h5py is enough."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} is not installed: run pip install 'dtinterp[minari]' first.")
