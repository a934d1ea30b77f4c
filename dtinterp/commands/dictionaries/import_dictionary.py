"""An autoencoder of another library becomes a dictionary on disk like one of ours."""

from dataclasses import replace as changed
from math import prod
from pathlib import Path

from dtinterp.activations.sites import check_site, require_meaning, shape_at, sites_of
from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.formats import read_foreign
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.shipped import MODEL
from dtinterp.model.storage import load_model

IMPORTED = Path("results/imported-dictionary")


@claims_out
def import_dictionary(
    folder: Path, /, *, site: str = "", model: Path = MODEL, out: Path = IMPORTED, replace: bool = False
) -> Artefact:
    """Import an autoencoder of another library, for a site of a model; score-dictionary judges it.

    Args:
        folder: holds cfg.json with sae_weights.safetensors (SAELens, any version) or sae.safetensors (sparsify), or
            config.json with ae.safetensors (dictionary_learning).
        site: where in the model its rows came from; empty: the hook that a folder of SAELens names.
        model: folder of the model.
        out: folder to write.
        replace: write it anew where it exists.
    """
    trained = load_model(model)
    if site:
        check_site(trained.model, site)
    found, sites = read_foreign(folder), sites_of(trained.model)
    if site and found.site in sites:
        require_meaning(trained.model, found.site, site)
    dictionary = changed(found, site=site) if site else found
    if dictionary.site not in sites:
        named = f"has rows of {found.site!r}, which {model} lacks" if found.site else "names no site of a model"
        raise UserError(f"{folder} {named}: give --site, one of {', '.join(sites)}.")
    shape = shape_at(trained.model, dictionary.site)
    if dictionary.d_model != prod(shape):
        raise UserError(
            f"{folder} reads rows of length {dictionary.d_model}, {model} has rows of length {prod(shape)} at "
            f"{dictionary.site}: give the model and the site that it was trained on."
        )
    return save(out, dictionary, parents=(trained.artefact,), seed=0, replace=replace)
