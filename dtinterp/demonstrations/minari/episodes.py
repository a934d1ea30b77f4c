"""The episodes of a Minari dataset, read from HDF5 with every size checked before anything is allocated.

The layout is Minari's (https://minari.farama.org/content/dataset_standards): a group `episode_K` each, with `actions`,
`rewards`, `terminations` and `truncations` of one row a step, and `observations`, an array or a group of arrays, of one
row more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float32, Int8, Int16, UInt8

from dtinterp.demonstrations.minari.format import EPISODES_FILE, FACTS
from dtinterp.demonstrations.minari.metadata import IMAGE, MinariMetadata
from dtinterp.foundation.errors import UserError
from environments.vocabulary import ACTIONS, CHANNELS, VIEW

MOST_BYTES = 2**30
"""of one array of one episode"""

_INTEGERS, _NUMBERS, _TRUTHS = "iu", "iuf", "b"
_KIND_NAMES = {_INTEGERS: "integers", _NUMBERS: "numbers", _TRUTHS: "truth values"}
_AGENT = CHANNELS[0].index("agent")
"""The code of the agent itself, which stands in pictures of the whole grid and in no view of its own."""


@dataclass(frozen=True)
class MinariEpisode:
    """One episode, checked."""

    images: UInt8[np.ndarray, "step view view 3"]
    """what was seen before each action"""
    actions: Int8[np.ndarray, " step"]
    rewards: Float32[np.ndarray, " step"]
    terminated: bool
    truncated: bool
    """where neither is true, the episode was cut off"""
    facts: Int16[np.ndarray, "step fact"] | None
    """of our own exports that have some"""

    @property
    def has_end(self) -> bool:
        """Whether it ended, by itself or by the time limit."""
        return self.terminated or self.truncated


def read_episodes(data: Path, metadata: MinariMetadata) -> Iterator[MinariEpisode]:
    """Yield the episodes of the dataset in a data folder, one in memory at a time.

    Raises `UserError` for what is damaged, missing, kept in another way than Minari does (links, compression, another
    file's data), and, with episode and step, for what cannot be what a MiniGrid agent saw, did and got.
    """
    path = data / EPISODES_FILE
    if not path.is_file():
        raise UserError(f"{metadata.dataset_id} holds no episodes: {path} is not there, copy the dataset anew.")
    with _damage_named(path), h5py.File(path, "r") as file:
        if len(file) != metadata.n_episodes:
            raise UserError(
                f"{metadata.dataset_id} says that it has {metadata.n_episodes} episodes, and {path} holds {len(file)}: "
                "copy the dataset anew."
            )
        reader = _Reader(path, metadata)
        for number in range(metadata.n_episodes):
            yield reader.episode(file, number)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say in a sentence what h5py has many errors for; they come from the bytes of the file."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as fault:
        reason = " ".join(str(fault).split())[:200]
        raise UserError(f"{path} is damaged or no HDF5 file ({reason}): copy the dataset anew.") from fault


class _Reader:
    """Takes arrays out of one file; together they are never larger than the file itself."""

    def __init__(self, path: Path, metadata: MinariMetadata) -> None:
        self._metadata, self._path = metadata, path
        self._n_bytes_left = path.stat().st_size
        self._fact_names = metadata.own.fact_names if metadata.own else ()

    def episode(self, file: h5py.File, number: int) -> MinariEpisode:
        name = f"episode_{number}"
        group = self._group(file, name)
        rewards = self._array(group, "rewards", _NUMBERS, (None,))
        n_steps = len(rewards)
        if n_steps == 0:
            raise UserError(f"{self._metadata.dataset_id} has an {name} without steps: leave it out.")
        terminations, truncations = (
            self._array(group, column, _TRUTHS, (n_steps,)) for column in ("terminations", "truncations")
        )
        if (early := np.flatnonzero(terminations[:-1] | truncations[:-1])).size:
            raise self._fault(name, int(early[0]), "ends", f"nothing before its last step, {n_steps - 1}")
        return MinariEpisode(
            images=self._images(group, name, n_steps),
            actions=self._actions(group, name, n_steps),
            rewards=self._rewards(rewards, name),
            terminated=bool(terminations[-1]),
            truncated=bool(truncations[-1]),
            facts=self._facts(group, name, n_steps) if self._fact_names else None,
        )

    def _images(self, group: h5py.Group, name: str, n_steps: int) -> np.ndarray:
        holder, member = group, "observations"
        if isinstance(self._member(group, "observations"), h5py.Group):
            holder, member = self._group(group, "observations"), IMAGE
        images = self._array(holder, member, _INTEGERS, (n_steps + 1, VIEW, VIEW, len(CHANNELS)))
        if (shown := (images[..., 0] == _AGENT).any(axis=(1, 2)).nonzero()[0]).size:
            found = f"shows the agent itself (object code {_AGENT}) in a frame"
            raise self._fault(name, int(shown[0]), found, "the agent's own view, in which it never stands")
        for channel, values in enumerate(CHANNELS):
            cells = images[..., channel].reshape(n_steps + 1, -1)
            if (bad := np.flatnonzero(np.any((cells < 0) | (cells >= len(values)), axis=1))).size:
                found = f"shows {int(cells[bad[0]].max())} in channel {channel} of a frame"
                raise self._fault(name, int(bad[0]), found, f"0 to {len(values) - 1}, as MiniGrid codes what is seen")
        return np.ascontiguousarray(images[:n_steps], dtype=np.uint8)

    def _actions(self, group: h5py.Group, name: str, n_steps: int) -> np.ndarray:
        actions = self._array(group, "actions", _INTEGERS, (n_steps,))
        if (bad := ((actions < 0) | (actions >= len(ACTIONS))).nonzero()[0]).size:
            raise self._fault(name, int(bad[0]), f"has action {int(actions[bad[0]])}", f"0 to {len(ACTIONS) - 1}")
        return actions.astype(np.int8)

    def _rewards(self, rewards: np.ndarray, name: str) -> np.ndarray:
        with np.errstate(over="ignore"):
            narrow = rewards.astype(np.float32)
        if (bad := (~np.isfinite(narrow)).nonzero()[0]).size:
            raise self._fault(name, int(bad[0]), f"has reward {float(rewards[bad[0]])}", "a finite number")
        return narrow

    def _facts(self, group: h5py.Group, name: str, n_steps: int) -> np.ndarray:
        facts = self._array(self._group(group, "infos"), FACTS, _INTEGERS, (n_steps + 1, len(self._fact_names)))
        if facts.size and (facts.min() < -(2**15) or facts.max() >= 2**15):
            raise self._fault(name, 0, "has facts beyond 16 bits", "what an export of ours writes")
        return np.ascontiguousarray(facts[:n_steps], dtype=np.int16)

    def _fault(self, episode: str, step: int, found: str, expected: str) -> UserError:
        return UserError(
            f"{self._metadata.dataset_id} {found}, in {episode} at step {step} (counted from 0), expected {expected}: "
            "leave the episode out, or collect it again."
        )

    def _member(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
        """Return what lies in this file under this name, following no link to elsewhere."""
        link = group.get(name, getlink=True)
        if link is None:
            raise UserError(f"{self._path} has no {name!r} in {group.name}: expected a dataset as Minari writes it.")
        if not isinstance(link, h5py.HardLink):
            raise UserError(f"{self._path} has a link for {name!r} in {group.name}, expected the data itself.")
        member = group[name]
        if not isinstance(member, h5py.Group | h5py.Dataset):
            raise UserError(f"{self._path} has a type for {name!r} in {group.name}, expected an array or a group.")
        return member

    def _group(self, parent: h5py.Group, name: str) -> h5py.Group:
        member = self._member(parent, name)
        if not isinstance(member, h5py.Group):
            raise UserError(f"{self._path} has an array for {name!r} in {parent.name}, expected a group.")
        return member

    def _array(self, group: h5py.Group, name: str, kind: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Return an array of this shape, None standing for any length, once its bytes are known to be in the file."""
        member = self._member(group, name)
        where = f"{self._path} has {group.name}/{name}"
        if not isinstance(member, h5py.Dataset):
            raise UserError(f"{where} as a group, expected an array.")
        if member.dtype.kind not in kind or member.dtype.itemsize > 8:
            raise UserError(f"{where} of {member.dtype}, expected {_KIND_NAMES[kind]}.")
        found = member.shape
        if (
            found is None
            or len(found) != len(shape)
            or any(n not in (None, m) for n, m in zip(shape, found, strict=True))
        ):
            expected = "x".join("any" if length is None else str(length) for length in shape)
            raise UserError(f"{where} of shape {found}, expected {expected}.")
        if member.is_virtual or member.external or member.id.get_create_plist().get_nfilters():
            raise UserError(f"{where} compressed or kept elsewhere, expected plain values as Minari writes them.")
        if not member.nbytes <= member.id.get_storage_size() <= self._n_bytes_left or member.nbytes > MOST_BYTES:
            raise UserError(
                f"{where} of {member.nbytes:,} bytes, expected at most {MOST_BYTES:,}, all of them in the file, which "
                f"has {self._path.stat().st_size:,}: copy the dataset anew."
            )
        self._n_bytes_left -= member.nbytes
        return np.asarray(member[()])
