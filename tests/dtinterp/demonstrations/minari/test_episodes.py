"""Hostile and damaged files of episodes: each is one sentence, before anything large is allocated."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtinterp.demonstrations.minari.metadata import MinariMetadata
from dtinterp.foundation.errors import UserError

h5py = pytest.importorskip("h5py")

METADATA = MinariMetadata("walks-v0", "0.5.4", 2, "MiniGrid-MemoryS7-v0", {}, None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two episodes of three steps."""
    with h5py.File(tmp_path / "main_data.hdf5", "w") as file:
        for number in range(2):
            group = file.create_group(f"episode_{number}")
            group["observations/image"] = np.ones((4, 7, 7, 3), np.uint8)
            group["actions"] = np.array([2, 1, 0])
            group["rewards"] = np.array([0.0, 0.0, 0.5])
            group["terminations"] = np.array([False, False, True])
            group["truncations"] = np.zeros(3, bool)
    return tmp_path


def read(data: Path, metadata: MinariMetadata = METADATA) -> list[Any]:
    from dtinterp.demonstrations.minari.episodes import read_episodes

    return list(read_episodes(data, metadata))


def put(data: Path, name: str, value: Any, **options: Any) -> None:
    """Put another array, or link, in the place of one of episode_1."""
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file[f"episode_1/{name}"]
        if isinstance(value, np.ndarray):
            file.create_dataset(f"episode_1/{name}", data=value, **options)
        else:
            file[f"episode_1/{name}"] = value


def test_episodes_come_back_as_they_were_written(data):
    first, second = read(data)
    assert first.images.shape == (3, 7, 7, 3)
    assert second.actions.tolist() == [2, 1, 0]
    assert second.rewards.tolist() == [0.0, 0.0, 0.5]
    assert (second.terminated, second.truncated, second.has_end) == (True, False, True)
    assert second.facts is None


def frames_with(value: int, channel: int) -> np.ndarray:
    images = np.ones((4, 7, 7, 3), np.int64)
    images[2, 3, 4, channel] = value
    return images


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "rewards",
            np.array([0.0, np.nan, 1.0]),
            "has reward nan, in episode_1 at step 1 .*, expected a finite number",
        ),
        ("rewards", np.array([0.0, 0.0, -np.inf]), "has reward -inf, in episode_1 at step 2"),
        ("rewards", np.array([1e300, 0.0, 0.0]), r"has reward 1e\+300, in episode_1 at step 0"),
        ("rewards", np.array([b"a", b"b", b"c"]), "episode_1/rewards of .*, expected numbers"),
        ("rewards", np.zeros((3, 2)), r"episode_1/rewards of shape \(3, 2\), expected any"),
        ("rewards", np.zeros(0), "walks-v0 has an episode_1 without steps"),
        ("actions", np.array([0, 7, 0]), "has action 7, in episode_1 at step 1 .*, expected 0 to 6"),
        ("actions", np.array([0, 0, -1]), "has action -1, in episode_1 at step 2"),
        ("actions", np.array([0.5, 0.0, 0.0]), "episode_1/actions of float64, expected integers"),
        ("actions", np.zeros(2, int), r"episode_1/actions of shape \(2,\), expected 3"),
        ("terminations", np.array([True, False, True]), "ends, in episode_1 at step 0 .*, expected nothing before"),
        ("truncations", np.array([False, True, False]), "ends, in episode_1 at step 1"),
        ("terminations", np.zeros(3, int), "episode_1/terminations of int64, expected truth values"),
        ("terminations", np.zeros(4, bool), r"episode_1/terminations of shape \(4,\), expected 3"),
        ("observations/image", np.ones((3, 7, 7, 3), np.uint8), r"image of shape \(3, 7, 7, 3\), expected 4x7x7x3"),
        ("observations/image", np.ones((4, 9, 9, 3), np.uint8), r"image of shape \(4, 9, 9, 3\), expected 4x7x7x3"),
        ("observations/image", np.ones((4, 7, 7, 3)), "image of float64, expected integers"),
        (
            "observations/image",
            frames_with(10, 0),
            r"shows the agent itself \(object code 10\) in a frame, in episode_1",
        ),
        ("observations/image", frames_with(11, 0), "shows 11 in channel 0 of a frame, in episode_1 at step 2"),
        ("observations/image", frames_with(257, 0), "shows 257 in channel 0 of a frame"),  # 1, were it cut to a byte
        ("observations/image", frames_with(-255, 2), "in channel 2 of a frame"),
        ("observations", np.ones((4, 49), np.uint8), r"observations of shape \(4, 49\), expected 4x7x7x3"),
        ("actions", h5py.SoftLink("/episode_0/actions"), "has a link for 'actions' in /episode_1, expected the data"),
        ("actions", h5py.ExternalLink("main_data.hdf5", "/x"), "has a link for 'actions' in /episode_1"),
        ("observations/image", h5py.SoftLink("/nowhere"), "has a link for 'image' in /episode_1/observations"),
        ("rewards", np.dtype("f8"), "has a type for 'rewards' in /episode_1, expected an array or a group"),
    ],
)
def test_what_cannot_be_an_episode_is_refused_with_its_place(data, name, value, sentence):
    put(data, name, value)
    with pytest.raises(UserError, match=sentence):
        read(data)


def test_an_array_that_is_missing_or_a_group_is_named(data):
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_0/actions"]
    with pytest.raises(UserError, match="has no 'actions' in /episode_0"):
        read(data)
    with h5py.File(data / "main_data.hdf5", "a") as file:
        file.create_group("episode_0/actions")
    with pytest.raises(UserError, match="episode_0/actions as a group, expected an array"):
        read(data)


@pytest.mark.parametrize("n_episodes", [0, 1, 3, 1_000_000_000])
def test_a_count_of_episodes_that_the_file_does_not_hold_is_refused(data, n_episodes):
    claimed = MinariMetadata("walks-v0", "0.5.4", n_episodes, None, {}, None)
    with pytest.raises(
        UserError, match=f"says that it has {n_episodes} episodes, and .* holds 2: copy the dataset anew"
    ):
        read(data, claimed)


@pytest.mark.parametrize(
    "options", [{"compression": "gzip"}, {"shuffle": True}, {"fletcher32": True}, {"scaleoffset": 0}]
)
def test_what_a_filter_would_unpack_is_not_unpacked(data, options):
    put(data, "actions", np.zeros(3, np.int64), chunks=True, **options)
    with pytest.raises(UserError, match="episode_1/actions compressed or kept elsewhere, expected plain values"):
        read(data)


def test_the_data_of_another_file_are_not_read(data, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(24))
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_1/rewards"]
        file.create_dataset("episode_1/rewards", (3,), "f8", external=[(str(secret), 0, 24)])
    with pytest.raises(UserError, match="episode_1/rewards compressed or kept elsewhere"):
        read(data)
    with h5py.File(data / "main_data.hdf5", "a") as file:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
        del file["episode_1/rewards"]
        file.create_virtual_dataset("episode_1/rewards", layout)
    with pytest.raises(UserError, match="episode_1/rewards compressed or kept elsewhere"):
        read(data)


def test_a_large_array_of_which_nothing_is_stored_is_not_allocated(data):
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_1/rewards"]
        file.create_dataset("episode_1/rewards", (10**12,), "f8", chunks=(1000,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        UserError, match=r"episode_1/rewards of 8,000,000,000,000 bytes, expected at most 1,073,741,824"
    ):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_one_episode_under_many_names_is_read_no_further_than_the_file_is_large(data):
    with h5py.File(data / "main_data.hdf5", "a") as file:
        for number in range(2, 200):
            file[f"episode_{number}"] = file["episode_0"]
    with pytest.raises(UserError, match="all of them in the file"):
        read(data, MinariMetadata("walks-v0", "0.5.4", 200, None, {}, None))


def test_a_download_that_was_cut_short_is_named(data):
    file = data / "main_data.hdf5"
    whole = file.read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"main_data.hdf5 is damaged or no HDF5 file \(.*\): copy the dataset anew"):
            read(data)
    file.unlink()
    with pytest.raises(UserError, match=r"walks-v0 holds no episodes: .*main_data.hdf5 is not there"):
        read(data)


def test_a_damaged_byte_is_a_sentence_or_harmless(data):
    file = data / "main_data.hdf5"
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    n_refused = 0
    for place in rng.integers(0, len(whole), 400):
        file.write_bytes(whole[:place] + bytes([rng.integers(256)]) + whole[place + 1 :])
        try:
            read(data)
        except UserError:
            n_refused += 1
    assert n_refused > 20
