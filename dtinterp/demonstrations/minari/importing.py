"""Import of datasets in Minari's format: anybody's MiniGrid episodes as trajectories."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8

from dtinterp.demonstrations.frame_table import FactNumbers
from dtinterp.demonstrations.minari.format import METADATA_FILE, require_packages
from dtinterp.demonstrations.minari.metadata import MinariMetadata, read_metadata
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from environments.resets import beginnings
from environments.vocabulary import CHANNELS, VIEW

if TYPE_CHECKING:
    from dtinterp.demonstrations.minari.episodes import MinariEpisode


@dataclass(frozen=True)
class Imported:
    """Trajectories, and what is known of where they come from."""

    trajectories: Trajectories
    dataset_id: str
    minari_version: str
    """that wrote the dataset"""
    n_episodes_dropped: int
    """episodes without an end"""


def from_minari(folder: Path, *, env_id: str | None = None) -> Imported:
    """Read the dataset in `folder`, the one that is named by its id inside Minari's root; nothing is fetched.

    Minari is not asked: it makes the world that a dataset describes, and so runs what the dataset names. `env_id` is
    the world in which models of it are judged; by default the dataset's own, where an id says it all. Of an observation
    only the image is taken. A foreign dataset has no facts, and its episodes carry one label. Raises `UserError` where
    there is no dataset, none of MiniGrid's, or one whose numbers cannot be what an agent saw, did and got.
    """
    require_packages("h5py")
    from dtinterp.demonstrations.minari.episodes import read_episodes

    data = folder / "data" if (folder / "data").is_dir() else folder
    if not (data / METADATA_FILE).is_file():
        raise UserError(f"{folder} holds no Minari dataset (there is no {METADATA_FILE} in it or in its data/).")
    metadata = read_metadata(data)
    world = env_id or metadata.world
    limit = beginnings(world).max_steps
    columns = _Columns(metadata)
    for number, episode in enumerate(read_episodes(data, metadata)):
        columns.add(episode, number)
    return Imported(
        trajectories=columns.trajectories(world, limit),
        dataset_id=metadata.dataset_id,
        minari_version=metadata.minari_version,
        n_episodes_dropped=columns.n_dropped,
    )


class _Columns:
    """Grows as episodes are read."""

    def __init__(self, metadata: MinariMetadata) -> None:
        self._id, self._own = metadata.dataset_id, metadata.own
        self._samplers = (metadata.dataset_id,) if self._own is None else self._own.samplers
        self._fact_names = () if self._own is None else self._own.fact_names
        self._facts = FactNumbers(len(self._fact_names))
        self._number_of_frame: dict[bytes, int] = {}
        self._rows: list[dict[str, torch.Tensor]] = []
        self.n_dropped = 0

    def add(self, episode: "MinariEpisode", number: int) -> None:
        """Append an episode; one without an end is dropped."""
        if not episode.has_end:
            self.n_dropped += 1
            return
        n_steps = len(episode.rewards)
        self._rows.append(
            {
                "frame_id": torch.tensor([self._number(image) for image in episode.images], dtype=torch.int32),
                "fact_id": self._fact_id(episode, n_steps),
                "action": torch.from_numpy(episode.actions),
                "reward": torch.from_numpy(episode.rewards),
                "length": torch.tensor([n_steps], dtype=torch.int32),
                "terminated": torch.tensor([episode.terminated]),
                "sampler": torch.tensor([self._own.sampler[number] if self._own else 0], dtype=torch.int8),
            }
        )

    def trajectories(self, env_id: str, limit: int) -> Trajectories:
        """Return what was added; the time limit is the world's, or the longest episode where that goes beyond it."""
        if not self._rows:
            raise UserError(f"no episode of {self._id} ends: give a dataset with whole episodes.")
        columns = {name: torch.cat([row[name] for row in self._rows]) for name in self._rows[0]}
        frames = b"".join(self._number_of_frame)
        return Trajectories(
            env_id=env_id,
            max_steps=max(limit, int(columns["length"].max())),
            frames=torch.frombuffer(bytearray(frames), dtype=torch.uint8).reshape(-1, VIEW, VIEW, len(CHANNELS)),
            fact_table=self._facts.table if self._fact_names else torch.empty(1, 0, dtype=torch.int16),
            fact_names=self._fact_names,
            samplers=self._samplers,
            mixture=None,
            **columns,
        )

    def _number(self, image: UInt8[np.ndarray, "view view 3"]) -> int:
        return self._number_of_frame.setdefault(image.tobytes(), len(self._number_of_frame))

    def _fact_id(self, episode: "MinariEpisode", n_steps: int) -> torch.Tensor:
        if episode.facts is None:
            return torch.zeros(n_steps, dtype=torch.int32)
        return self._facts.of(torch.from_numpy(episode.facts))
