"""A dataset that Minari opens becomes trajectories: anybody's MiniGrid episodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import UInt8
from pydantic import TypeAdapter

from dtinterp.demonstrations.interning import FactNumbers
from dtinterp.demonstrations.minari_format import FACTS, OWN_METADATA, OwnMetadata, require_minari
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from environments.batched.families import make
from environments.vocabulary import ACTIONS, CHANNELS, VIEW

if TYPE_CHECKING:
    from minari import EpisodeData, MinariDataset

IMAGE = "image"
"""Where MiniGrid's observations keep what the agent sees, beside its direction and its mission."""


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

    `env_id` is the world in which models of it are judged; by default the dataset's own, where an id says it all. Of an
    observation only the image is taken. A foreign dataset has no facts, and its episodes carry one label. Raises
    `UserError` where there is no dataset, or none of MiniGrid's.
    """
    require_minari()
    from minari import MinariDataset

    data = folder / "data" if (folder / "data").is_dir() else folder
    if not (data / "metadata.json").is_file():
        raise UserError(f"{folder} holds no Minari dataset (there is no metadata.json in it or in its data/).")
    dataset = MinariDataset(data)
    world = env_id or _world_of(dataset)
    limit = make(world).max_steps
    _require_minigrid(dataset)
    columns = _Columns(dataset, _own_metadata(dataset))
    for index, episode in enumerate(dataset.iterate_episodes()):
        columns.add(episode, index)
    return Imported(
        trajectories=columns.trajectories(world, limit),
        dataset_id=dataset.id,
        minari_version=dataset.minari_version,
        n_episodes_dropped=columns.n_dropped,
    )


class _Columns:
    """Grows as episodes are read."""

    def __init__(self, dataset: "MinariDataset", own: OwnMetadata | None) -> None:
        self._id, self._own = dataset.id, own
        self._samplers = (dataset.id,) if own is None else own.samplers
        self._fact_names = () if own is None else own.fact_names
        self._facts = FactNumbers(len(self._fact_names))
        self._number_of_frame: dict[bytes, int] = {}
        self._rows: list[dict[str, torch.Tensor]] = []
        self.n_dropped = 0

    def add(self, episode: "EpisodeData", index: int) -> None:
        """Append an episode; one without an end is dropped."""
        if not (episode.terminations[-1] or episode.truncations[-1]):
            self.n_dropped += 1
            return
        n_steps = len(episode.rewards)
        images = _images(episode.observations)[:n_steps]
        self._rows.append(
            {
                "frame_id": torch.tensor([self._number(image) for image in images], dtype=torch.int32),
                "fact_id": self._fact_id(episode, n_steps),
                "action": torch.from_numpy(np.array(episode.actions, dtype=np.int8)),
                "reward": torch.from_numpy(np.array(episode.rewards, dtype=np.float32)),
                "length": torch.tensor([n_steps], dtype=torch.int32),
                "terminated": torch.tensor([bool(episode.terminations[-1])]),
                "sampler": torch.tensor([self._own.sampler[index] if self._own else 0], dtype=torch.int8),
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
        number = self._number_of_frame.setdefault(image.tobytes(), len(self._number_of_frame))
        if number == len(self._number_of_frame) - 1:
            _require_codes(image, self._id)
        return number

    def _fact_id(self, episode: "EpisodeData", n_steps: int) -> torch.Tensor:
        if not self._fact_names:
            return torch.zeros(n_steps, dtype=torch.int32)
        return self._facts.of(torch.from_numpy(np.array(episode.infos[FACTS][:n_steps], dtype=np.int16)))


def _world_of(dataset: "MinariDataset") -> str:
    spec = dataset.env_spec
    if spec is None:
        raise UserError(f"{dataset.id} does not say which world it was made in: give --env-id.")
    registered = make(spec.id).spec
    ours = {} if registered is None else registered.kwargs
    changed = {name: value for name, value in spec.kwargs.items() if name != "render_mode" and ours.get(name) != value}
    if changed:
        raise UserError(
            f"{dataset.id} was made in {spec.id} with {changed}, and no id stands for that: give --env-id, the world "
            "in which models of it are judged."
        )
    return spec.id


def _require_minigrid(dataset: "MinariDataset") -> None:
    space: Any = dataset.observation_space
    image = space.spaces.get(IMAGE) if isinstance(space, spaces.Dict) else space
    if getattr(image, "shape", None) != (VIEW, VIEW, len(CHANNELS)):
        raise UserError(
            f"{dataset.id} has observations {space}, expected MiniGrid's image of {VIEW}x{VIEW} cells, alone or under "
            f"{IMAGE!r}."
        )
    actions: Any = dataset.action_space
    if not isinstance(actions, spaces.Discrete) or actions.start != 0 or actions.n > len(ACTIONS):
        raise UserError(f"{dataset.id} has actions {actions}, expected at most {len(ACTIONS)}, numbered from 0.")


def _own_metadata(dataset: "MinariDataset") -> OwnMetadata | None:
    text = dataset.storage.metadata.get(OWN_METADATA)
    return None if text is None else TypeAdapter(OwnMetadata).validate_json(text)


def _images(observations: Mapping[str, Any] | np.ndarray) -> UInt8[np.ndarray, "observation view view 3"]:
    images = observations[IMAGE] if isinstance(observations, Mapping) else observations
    return np.ascontiguousarray(images, dtype=np.uint8)


def _require_codes(image: UInt8[np.ndarray, "view view 3"], dataset_id: str) -> None:
    for channel, values in enumerate(CHANNELS):
        largest = int(image[..., channel].max())
        if largest >= len(values):
            raise UserError(
                f"{dataset_id} has a frame with {largest} in channel {channel}, whose values are 0 to "
                f"{len(values) - 1}: expected what the agent sees, as MiniGrid codes it."
            )
