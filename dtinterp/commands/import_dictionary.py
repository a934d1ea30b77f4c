"""A folder in SAELens's format becomes a dictionary on disk like one of ours."""

from dataclasses import replace as changed
from math import prod
from pathlib import Path

from dtinterp.activations.sites import require_meaning, shape_at, sites_of
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.subject import MODEL
from dtinterp.dictionary.saelens import import_saelens
from dtinterp.dictionary.storage import save_dictionary
from dtinterp.foundation.artefact import Artefact, refuse_existing
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model

IMPORTED = Path("results/imported-dictionary")


@claims_out
def import_dictionary(
    folder: Path, /, *, site: str = "", model: Path = MODEL, out: Path = IMPORTED, replace: bool = False
) -> Artefact:
    """Import an autoencoder that SAELens wrote, for a site of a model; score-dictionary judges it.

    Args:
        folder: holds cfg.json and sae_weights.safetensors.
        site: where in the model its rows came from; empty: the hook that the folder names.
        model: folder of the model.
        out: folder to write.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    trained = load_model(model)
    read = import_saelens(folder, site=site)
    if site and read.site in sites_of(trained.model):
        require_meaning(trained.model, read.site, site)
    dictionary = changed(read, site=site) if site else read
    shape = shape_at(trained.model, dictionary.site)
    if dictionary.d_model != prod(shape):
        raise UserError(
            f"{folder} reads rows of length {dictionary.d_model}, {model} has rows of length {prod(shape)} at "
            f"{dictionary.site}: give the model and the site that it was trained on."
        )
    return save_dictionary(out, dictionary, parents=(trained.artefact,), seed=0, replace=replace)
