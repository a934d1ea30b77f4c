"""A dataset of another library becomes demonstrations on disk."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.data.collect import DEMONSTRATIONS
from dtinterp.demonstrations.minari.importing import from_minari
from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.logbook import notice
from environments.resets import beginnings


@claims_out
def import_demonstrations(
    dataset: Path,
    /,
    *,
    source: Annotated[Literal["minari"], arg(name="from")] = "minari",
    env_id: str | None = None,
    out: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> Artefact:
    """Make demonstrations of a MiniGrid dataset that Minari wrote; a model is trained on them as on our own.

    Args:
        dataset: the dataset's folder, ROOT/ID; nothing is downloaded.
        source: the library.
        env_id: world in which models of it are judged; by default the dataset's own.
        out: folder to write.
        replace: write it anew where it exists.
    """
    match source:
        case "minari":
            imported = from_minari(dataset, env_id=env_id)
    unread = beginnings(imported.trajectories.env_id).unread_mission
    if unread is not None:
        notice(unread)
    origin = {
        "library": source,
        "dataset_id": imported.dataset_id,
        "version": imported.minari_version,
        "n_episodes_dropped": imported.n_episodes_dropped,
        **({} if unread is None else {"note": unread}),
    }
    return save_trajectories(out, imported.trajectories, parent=None, seed=0, replace=replace, origin=origin)
