"""Export of trajectories as a dataset that Minari opens (Younis et al., https://minari.farama.org)."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from jaxtyping import Int64, Shaped
from torch import Tensor

from dtinterp.demonstrations.minari.format import FACTS, OWN_METADATA, OwnMetadata, require_minari
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.writing import draft_folder, require_room
from dtinterp.foundation.errors import UserError
from environments.vocabulary import ACTIONS

if TYPE_CHECKING:
    from minari.data_collector.episode_buffer import EpisodeBuffer

DATASET_ID = re.compile(r"(?:[-_\w]+/)*[-_\w]+?-v\d+")
BYTES_PER_EPISODE = 2**15
"""Of groups, attributes and chunks."""
DESCRIPTION = (
    "MiniGrid demonstrations of dtinterp: observations are the image of MiniGrid's own observation. The observation "
    "after an episode's last action was not recorded; in its place stands the one before it, once more."
)


def to_minari(trajectories: Trajectories, root: Path, dataset_id: str) -> Path:
    """Write a dataset into `root`, the folder that Minari is told of as MINARI_DATASETS_PATH; return its folder.

    Facts go along as infos, samplers as metadata. Raises `UserError` for an id that is none, or is taken.
    """
    require_minari()
    from minari import __version__
    from minari.dataset.minari_storage import MinariStorage

    folder = root / _free(root, dataset_id)
    require_room(folder, _most_bytes(trajectories))
    with draft_folder(folder) as draft:
        storage = MinariStorage.new(
            draft / "data",
            observation_space=gymnasium.spaces.Box(0, 255, tuple(trajectories.frames.shape[1:]), np.uint8),
            action_space=gymnasium.spaces.Discrete(len(ACTIONS)),
            env_spec=_image_spec(trajectories.env_id),
            data_format="hdf5",
        )
        storage.update_episodes(_episodes(trajectories))
        own = OwnMetadata(
            max_steps=trajectories.max_steps,
            fact_names=trajectories.fact_names,
            samplers=trajectories.samplers,
            sampler=tuple(trajectories.sampler.tolist()),
        )
        storage.update_metadata(
            {
                "dataset_id": dataset_id,
                "minari_version": __version__,
                "description": DESCRIPTION,
                "algorithm_name": ", ".join(trajectories.samplers),
                OWN_METADATA: json.dumps(asdict(own)),
            }
        )
        draft.chmod(0o755)
        draft.rename(folder)
    return folder


def _most_bytes(trajectories: Trajectories) -> int:
    """Return what the dataset takes at most: pictures and facts as they are, and what HDF5 keeps of each episode."""
    a_step = trajectories.frames[0].nbytes + 8 * len(trajectories.fact_names) + 32
    return trajectories.n_steps * a_step + trajectories.n_episodes * BYTES_PER_EPISODE


def _free(root: Path, dataset_id: str) -> str:
    if not DATASET_ID.fullmatch(dataset_id):
        raise UserError(f"the dataset id is {dataset_id!r}, expected a name with a version, for example walks-v0.")
    if (root / dataset_id).exists():
        raise UserError(f"{root / dataset_id} exists already: give another --out or --dataset-id.")
    return dataset_id


def _image_spec(env_id: str) -> EnvSpec:
    """Return the world with the wrapper under which its observations are images alone."""
    image_only = WrapperSpec("ImgObsWrapper", "minigrid.wrappers:ImgObsWrapper", kwargs={})
    return replace(gymnasium.spec(env_id), additional_wrappers=(image_only,))


def _episodes(trajectories: Trajectories) -> Iterator["EpisodeBuffer"]:
    from minari.data_collector.episode_buffer import EpisodeBuffer

    has_facts = bool(trajectories.fact_names)
    for first, length, terminated in zip(
        trajectories.first_step.tolist(), trajectories.length.tolist(), trajectories.terminated.tolist(), strict=True
    ):
        steps = torch.arange(first, first + length)
        shown = torch.cat([steps, steps[-1:]])  # observation
        yield EpisodeBuffer(
            observations=list(_rows(trajectories.frames, trajectories.frame_id, shown)),
            actions=trajectories.action[steps].tolist(),
            rewards=trajectories.reward[steps].tolist(),
            terminations=[False] * (length - 1) + [terminated],
            truncations=[False] * (length - 1) + [not terminated],
            infos={FACTS: _rows(trajectories.fact_table, trajectories.fact_id, shown)} if has_facts else {},
        )


def _rows(
    table: Shaped[Tensor, "row ..."], column: Shaped[Tensor, " step"], steps: Int64[Tensor, " chosen"]
) -> np.ndarray:
    return table[column[steps].long()].numpy()
