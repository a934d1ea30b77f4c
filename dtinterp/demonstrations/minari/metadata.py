"""The metadata of a Minari dataset, read as data: nothing in it names code that runs.

Minari itself builds the spaces, and the world where they are missing, from what stands there: an `entry_point` of
`os:mknod` is called. Here it is compared as text and goes no further.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gymnasium
from pydantic import TypeAdapter, ValidationError

from dtinterp.demonstrations.minari.format import METADATA_FILE, OWN_METADATA, OwnMetadata
from dtinterp.foundation.artefacts.reading import parse_json, read_json
from dtinterp.foundation.errors import UserError
from environments.registration import make
from environments.vocabulary import ACTIONS, CHANNELS, VIEW

IMAGE = "image"
"""Where MiniGrid's observations keep what the agent sees, beside its direction and its mission."""

MOST_BYTES = 16 * 2**20
"""of metadata.json; a dataset of a million episodes that we exported has 3 MB"""

MOST_SAMPLERS, MOST_FACTS = 127, 1000
"""samplers are numbered in eight bits"""

HARMLESS_WRAPPERS = frozenset(
    {
        "minigrid.wrappers:ImgObsWrapper",  # leaves the image alone, and of an observation nothing else is read
        "minigrid.wrappers:DirectionObsWrapper",  # adds the way to the goal beside the image
        "minigrid.wrappers:DictObservationSpaceWrapper",  # writes the mission as numbers
        "minigrid.wrappers:ReseedWrapper",  # chooses seeds, so which layouts come
    }
)
"""Wrappers under which image, actions, rewards and endings are the world's own.

All others are refused. Some show something else (FullyObsWrapper, ViewSizeWrapper, the RGB ones), some pay something
else (ActionBonus, PositionBonus), NoDeath ends and pays otherwise, under StochasticActionWrapper the world does not do
the action that is recorded, and nobody knows what a wrapper of the dataset's author does.
"""

_DATASET_ID = re.compile(r"[-_/\w]{1,200}")
_VERSION = re.compile(r"[-+.\w]{1,40}")
_ENV_ID = re.compile(r"[-.\w]{1,100}")
_OUR_WORLDS = ("minigrid.", "environments.")


@dataclass(frozen=True)
class MinariMetadata:
    """What is taken from metadata.json, checked."""

    dataset_id: str
    minari_version: str
    """that wrote the dataset"""
    n_episodes: int
    env_id: str | None
    """the world that it was made in; None where it does not say"""
    changed: Mapping[str, object]
    """arguments of that world that no id stands for"""
    own: OwnMetadata | None
    """what an export of ours keeps"""

    @property
    def world(self) -> str:
        """The id of the dataset's own world. Raises `UserError` where no id says it all."""
        if self.env_id is None:
            raise UserError(f"{self.dataset_id} does not say which world it was made in: give --env-id.")
        if self.changed:
            raise UserError(
                f"{self.dataset_id} was made in {self.env_id} with {_shortened(dict(self.changed))}, and no id stands "
                "for that: give --env-id, the world in which models of it are judged."
            )
        return self.env_id


def read_metadata(data: Path) -> MinariMetadata:
    """Read and check the metadata in a dataset's data folder.

    Raises `UserError` for what is not as Minari writes it, for another format than HDF5, for observations and actions
    that are not MiniGrid's, and for a wrapper that may change what an image, an action or a reward means.
    """
    metadata = _entries(read_json(data / METADATA_FILE, at_most=MOST_BYTES), f"{data / METADATA_FILE}")
    dataset_id = _text(metadata.get("dataset_id"), "dataset_id", _DATASET_ID)
    if (stored_as := metadata.get("data_format", "hdf5")) != "hdf5":
        raise UserError(
            f"{dataset_id} is stored as {_shortened(stored_as)}, expected hdf5: write it anew with Minari's "
            "data_format='hdf5'."
        )
    n_episodes = metadata.get("total_episodes")
    if not isinstance(n_episodes, int) or isinstance(n_episodes, bool) or n_episodes < 0:
        raise UserError(f"{dataset_id} has total_episodes {_shortened(n_episodes)}, expected a count.")
    _require_observations(_space(metadata.get("observation_space"), dataset_id), dataset_id)
    _require_actions(_space(metadata.get("action_space"), dataset_id), dataset_id)
    spec = _nested(metadata.get("env_spec"), f"the env_spec of {dataset_id}")
    env_id = None if spec is None else _text(spec.get("id"), "the id of env_spec", _ENV_ID)
    if spec is not None:
        _require_harmless(spec.get("additional_wrappers"), dataset_id)
    return MinariMetadata(
        dataset_id=dataset_id,
        minari_version=_text(metadata.get("minari_version"), "minari_version", _VERSION),
        n_episodes=n_episodes,
        env_id=env_id,
        changed={} if spec is None or env_id is None else _changed(spec, env_id, dataset_id),
        own=_own(metadata.get(OWN_METADATA), dataset_id, n_episodes),
    )


def _entries(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UserError(f"{what} is {_shortened(value)}, expected a JSON object.")
    return value


def _nested(text: object, what: str) -> Mapping[str, object] | None:
    """Return the object that Minari keeps as text inside the metadata; None where there is none."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise UserError(f"{what} is {_shortened(text)}, expected JSON as text.")
    return _entries(parse_json(text, what), what)


def _text(value: object, what: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UserError(f"{what} is {_shortened(value)} in the dataset's metadata, expected a short name.")
    return value


def _space(text: object, dataset_id: str) -> Mapping[str, object] | None:
    return _nested(text, f"a space of {dataset_id}")


def _require_observations(space: Mapping[str, object] | None, dataset_id: str) -> None:
    """Refuse a space without MiniGrid's image; where none is given, the arrays themselves tell."""
    if space is None:
        return
    inside = space.get("subspaces")
    image = inside.get(IMAGE) if space.get("type") == "Dict" and isinstance(inside, dict) else space
    if not isinstance(image, dict) or image.get("shape") != [VIEW, VIEW, len(CHANNELS)]:
        shown = image if isinstance(image, dict) else space
        raise UserError(
            f"{dataset_id} has observations of type {_shortened(shown.get('type'))} and shape "
            f"{_shortened(shown.get('shape'))}, expected MiniGrid's image of {VIEW}x{VIEW} cells, alone or under "
            f"{IMAGE!r}."
        )


def _require_actions(space: Mapping[str, object] | None, dataset_id: str) -> None:
    if space is None:
        return
    n, start = space.get("n"), space.get("start", 0)
    if space.get("type") != "Discrete" or start != 0 or not isinstance(n, int) or not 1 <= n <= len(ACTIONS):
        raise UserError(
            f"{dataset_id} has {_shortened(n)} actions of type {_shortened(space.get('type'))}, the first of them "
            f"{_shortened(start)}, expected at most {len(ACTIONS)} of type 'Discrete', the first of them 0."
        )


def _require_harmless(wrappers: object, dataset_id: str) -> None:
    for wrapper in _listed(wrappers, dataset_id):
        made_by = wrapper.get("entry_point")
        if made_by not in HARMLESS_WRAPPERS:
            known = ", ".join(sorted(name.partition(":")[2] for name in HARMLESS_WRAPPERS))
            raise UserError(
                f"{dataset_id} was made under {_shortened(wrapper.get('name'))} ({_shortened(made_by)}), which may "
                f"change what images, actions, rewards or endings mean, expected at most {known}: collect it in the "
                "bare world."
            )


def _listed(wrappers: object, dataset_id: str) -> list[Mapping[str, object]]:
    what = f"additional_wrappers in the env_spec of {dataset_id}"
    if not isinstance(wrappers, list | None):
        raise UserError(f"{what} is {_shortened(wrappers)}, expected a list.")
    return [_entries(wrapper, what) for wrapper in wrappers or []]


def _changed(spec: Mapping[str, object], env_id: str, dataset_id: str) -> Mapping[str, object]:
    """Return the arguments with which the world was made otherwise than its id says."""
    registered = gymnasium.registry.get(env_id)
    if registered is None or not str(registered.entry_point).startswith(_OUR_WORLDS):
        raise UserError(
            f"{dataset_id} was made in {env_id!r}, which is no world of MiniGrid's or ours: give --env-id, the world "
            "in which models of it are judged."
        )
    ours = (made.kwargs if (made := make(env_id).spec) else {}) | {"max_episode_steps": registered.max_episode_steps}
    theirs = {**_entries(spec.get("kwargs") or {}, f"kwargs in the env_spec of {dataset_id}")}
    theirs["max_episode_steps"] = spec.get("max_episode_steps")
    return {name: value for name, value in theirs.items() if name != "render_mode" and ours.get(name) != value}


def _own(text: object, dataset_id: str, n_episodes: int) -> OwnMetadata | None:
    entries = _nested(text, f"{OWN_METADATA!r} in the metadata of {dataset_id}")
    if entries is None:
        return None
    try:
        own = TypeAdapter(OwnMetadata).validate_python(entries)
    except ValidationError as fault:
        raise UserError(
            f"{OWN_METADATA!r} in the metadata of {dataset_id} is not what an export of ours writes, expected "
            f"{fault.errors()[0]['msg']} at {fault.errors()[0]['loc']}: export it anew."
        ) from None
    if len(own.samplers) > MOST_SAMPLERS or len(own.fact_names) > MOST_FACTS:
        raise UserError(
            f"{dataset_id} has {len(own.samplers)} samplers and {len(own.fact_names)} facts, expected at most "
            f"{MOST_SAMPLERS} and {MOST_FACTS}: export it anew."
        )
    if len(own.sampler) != n_episodes or not all(0 <= each < len(own.samplers) for each in own.sampler):
        raise UserError(
            f"{dataset_id} names samplers of {len(own.sampler)} episodes, expected one of the {len(own.samplers)} that "
            f"it lists for each of {n_episodes}: export it anew."
        )
    return own


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
