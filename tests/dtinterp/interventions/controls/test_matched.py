import torch

from dtinterp.interventions.controls.matched import with_matched_features
from dtinterp.interventions.edits import edit_of

SITE = "blocks.0.hook_resid_pre"


def test_the_nearest_features_stand_in_for_the_edited_one_and_for_nothing_else(names) -> None:
    edit = edit_of({"set": {"feature": 3}, "at": SITE, "to": [0, 5]})
    variants = with_matched_features([edit], names, 4)
    assert len(variants) == 4
    for name, (changed,) in variants.items():
        own = changed.said["set"]["feature"]
        assert own != 3
        assert name == f"feature {own}"
        assert {**changed.said, "set": {"feature": 3}} == edit.said
    direction = edit_of({"set": {"direction": "one"}, "at": SITE, "to": 1})
    assert with_matched_features([edit, direction], names, 4) == {}


def test_a_feature_of_another_norm_comes_last(names) -> None:
    dictionary = names.dictionaries["turned"]
    dictionary.W_dec[7] *= 100
    edit = edit_of({"set": {"feature": 3}, "at": SITE, "to": 1})
    last = [*with_matched_features([edit], names, 15)][-1]
    dictionary.W_dec[7] /= 100
    assert last == "feature 7"
    assert torch.allclose(dictionary.W_dec.norm(dim=1), torch.ones(16), atol=1e-5)
