import pytest
import torch

from dtinterp.foundation.errors import UserError


def test_a_feature_is_what_it_writes_or_what_it_reads(find, axes):
    given = {"dictionaries": {"axes": axes}}
    for side in ("decoder", "encoder"):
        found = find("feature", given, feature=3, dictionary="axes", side=side)
        assert torch.equal(found.vectors[0], torch.eye(axes.width)[3])
        assert found.found_at == axes.site
        assert found.names == ("feature 3 of axes",)
    assert found.explains["cosine of decoder and encoder"] == pytest.approx(1)


def test_a_feature_that_the_dictionary_lacks_is_refused(find, axes):
    with pytest.raises(UserError, match="the feature is 16, expected 0 to 15: 'axes' has no more"):
        find("feature", {"dictionaries": {"axes": axes}}, feature=16, dictionary="axes")
    with pytest.raises(UserError, match="the dictionary is 'topk', expected one of the subject's"):
        find("feature", feature=1, dictionary="topk")
