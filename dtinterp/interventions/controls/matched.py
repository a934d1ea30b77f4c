"""Features that match the edited one in frequency and norm: how much any such feature would do."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits import AnyEdit
from dtinterp.interventions.parts.code import Feature
from dtinterp.interventions.slots import every_frame


def with_matched_features(edits: Sequence[AnyEdit], names: Bindings, n: int) -> dict[str, list[AnyEdit]]:
    """Return the edits with each feature replaced by another, by what that is called; none where no edit is of one.

    The nearest come first, by the sum of the absolute log ratios of density over training rows and of decoder norm.
    """
    edited = [each.what for each in edits if isinstance(each.what, Feature)]
    if len(edited) < len(edits):
        return {}
    nearest = [_nearest(edit, what, names, edited) for edit, what in zip(edits, edited, strict=True)]
    variants = {}
    for ranks in list(zip(*nearest, strict=False))[:n]:
        changed = [_of_feature(each, other) for each, other in zip(edits, ranks, strict=True)]
        variants[f"feature {' and '.join(map(str, ranks))}"] = changed
    return variants


def density(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> Float32[Tensor, " feature"]:
    """Return the share of rows in which each feature is active."""
    return (encode_dense(dictionary, rows) != 0).float().mean(dim=0)


def _nearest(edit: AnyEdit, what: Feature, names: Bindings, taken: Sequence[Feature]) -> list[int]:
    """Return the features that are ever active and that no edit is of, nearest first."""
    dictionary, own = names.dictionary(what.dictionary), what.feature
    edited = {each.feature for each in taken if each.dictionary == what.dictionary}
    rows = names.reference_rows(edit.at.site, every_frame, edit.at.token).value
    frequency, norm = density(dictionary, rows), dictionary.W_dec.norm(dim=1)
    least = 1 / len(rows)
    apart = (frequency.clamp(min=least) / frequency[own].clamp(min=least)).log().abs()
    apart += (norm / norm[own]).log().abs()
    order = torch.argsort(apart, stable=True).tolist()
    return [each for each in order if frequency[each] > 0 and each not in edited]


def _of_feature(edit: AnyEdit, feature: int) -> AnyEdit:
    return edit.model_copy(update={"what": edit.what.model_copy(update={"feature": feature})})
