"""Where the models, data and experiments are that ship with the checkout."""

from pathlib import Path

from dtinterp.foundation.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that the package lies in: a checkout, or where a wheel was installed, which has neither of these."""
FOLDERS = ("checkpoints", "experiments")


def shipped(path: str) -> Path:
    """Return the path below the current folder, or beside the package where it is there alone."""
    here, beside = Path(path), CHECKOUT / path
    return beside if beside.exists() and not here.exists() else here


def require_shipped(path: Path, *, option: str) -> None:
    """Raise `UserError` for a path in a folder that ships, where that is neither here nor beside the package.

    A wheel holds the code alone, so `option` names what else can be given.
    """
    folder = Path(*path.parts[:1])
    if str(folder) in FOLDERS and not folder.exists():
        raise UserError(
            f"{path} is neither in {Path.cwd()} nor beside the package in {CHECKOUT}: "
            f"give {option}, or call this in a checkout of dtinterp."
        )


AGENT = shipped("checkpoints/agents/memory-movable")
MODEL = shipped("checkpoints/models/memory-dt-small-0")
DEMONSTRATIONS = shipped("checkpoints/demonstrations/memory-movable")
SHIPPED_DICTIONARY = shipped("checkpoints/studies/memory-dt-small-0/dictionaries/hook_obs_embed/topk-128-k8")
