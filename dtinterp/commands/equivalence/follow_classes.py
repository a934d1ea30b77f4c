"""The command that sees when a training merges observations and splits them."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.run_options import HERE, RunOptions
from dtinterp.equivalence.observations import follow_classes as follow
from dtinterp.equivalence.over_training import HistoryConfig
from dtinterp.equivalence.tables import moments_table
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import TrainedModel, load_model
from dtinterp.report.figures.history import history_figure
from dtinterp.report.style import CONFIG
from dtinterp.subject.subject import open_subject

PREFIX = "step-"


@claims_out
def follow_classes(
    steps: Path,
    /,
    config: HistoryConfig,
    out: Path = Path("results/history"),
    *,
    demonstrations: Path | None = None,
    run: RunOptions = HERE,
    replace: bool = False,
) -> Artefact:
    """Follow the classes of observations through a training: when they merge, when they split, beside the loss.

    The models are those that `train-model --n-checkpoints` keeps, and the one that training began with. The figure goes
    to OUT.html. An interrupted call goes on where it stopped when it is called again.

    Args:
        steps: folder with the models that a training kept, NAME.steps.
        config: which observations and contexts.
        out: folder to write; unfinished work stands beside it.
        demonstrations: folder of the demonstrations that they were trained on; none: those that it records.
        run: who does the work, and a table for notebooks.
        replace: write it anew where it exists.
    """
    kept = _kept(steps)
    subject = open_subject(steps / f"{PREFIX}{max(kept):06d}", demonstrations)
    cache = run.cache(out, subject, config)
    with cache.joined():
        found = follow(subject, {step: each.model for step, each in kept.items()}, config, cache=cache)
    run.write({"moments": moments_table(found)})
    page = history_figure(found.moments).to_html(config=CONFIG)
    write_text(out.with_name(f"{out.name}.html"), page)
    parents = (*(each.artefact for each in kept.values()), subject.demonstrations)
    written = save(out, found, parents=parents, seed=config.seed, replace=replace)
    cache.close()
    return written


def _kept(steps: Path) -> dict[int, TrainedModel]:
    """Return the models of a folder by their number of steps. Raises `UserError` where they are not of one training."""
    folders = sorted(steps.glob(f"{PREFIX}*"))
    if not folders:
        raise UserError(f"{steps} holds no {PREFIX}*: give the NAME.steps that train-model --n-checkpoints writes.")
    kept = {int(folder.name.removeprefix(PREFIX)): load_model(folder) for folder in folders}
    made_from = [(each.training, each.artefact.manifest.parents) for each in kept.values()]
    if any(each != made_from[0] for each in made_from):
        raise UserError(f"the models in {steps} are not of one training: give a folder that one training wrote.")
    return kept
