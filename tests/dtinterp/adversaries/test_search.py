import pytest
import torch

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.search import search
from dtinterp.adversaries.understanding import SearchAids
from dtinterp.foundation.artefacts.codec import load_any, save
from dtinterp.foundation.errors import UserError
from dtinterp.subject.subject import open_subject

QUICK = AdversaryConfig(edits="world", n_edits=1, n_controls=20)


@pytest.fixture(scope="module")
def subject(folders):
    return open_subject(folders.model, folders.demonstrations)


@pytest.fixture(scope="module")
def found(subject):
    return search(subject, QUICK)


def test_every_decision_point_is_searched(found):
    assert [each.scene for each in found.scenes] == ["Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball"]
    for each in found.scenes:
        assert each.proof == "exhaustion"
        assert each.n_candidates == each.n_edits_known == 40
        assert each.original >= 0
        assert each.objective == "logit(left) − logit(right) changes its sign"


def test_what_the_world_could_show_instead_stands_beside_it(found):
    """A window that could be shown at one start is, from another, an edit away: the same value with the other sign."""
    by_frames = {each.frames.numpy().tobytes(): each for each in found.scenes}
    for each in found.scenes:
        assert len(each.possible) == 3
        for other in each.possible:
            scene = by_frames[other.frames.numpy().tobytes()]
            assert other.is_possible
            assert abs(other.value) == pytest.approx(scene.original, abs=1e-4)


def test_controls_are_of_the_smallest_size_that_flips(found):
    for each in found.scenes:
        assert (each.control is None) == (each.smallest is None)
        if each.control is not None:
            assert each.control.n_edits == each.smallest.n_edits
            assert each.control.flipping.n <= QUICK.n_controls


def test_a_report_is_read_as_it_was_written(found, subject, tmp_path):
    artefact = save(tmp_path / "found", found, parents=subject.artefacts, seed=0)
    again, _ = load_any(tmp_path / "found")
    assert again.config == found.config
    for before, after in zip(found.scenes, again.scenes, strict=True):
        assert torch.equal(before.frames, after.frames)
        assert torch.equal(before.sizes[0].lowest.frames, after.sizes[0].lowest.frames)
        assert (before.curve, before.proof, before.control) == (after.curve, after.proof, after.control)
    smallest = artefact.manifest.metrics["smallest"]
    assert isinstance(smallest, dict)
    assert set(smallest) == {each.scene for each in found.scenes}


def test_a_feature_is_flipped_at_the_embedding(subject, axes):
    config = AdversaryConfig("feature", feature=2, frame=4, level=0.1, edits="frame", n_edits=1, n_controls=0)
    for each in search(subject, config, SearchAids(axes)).scenes:
        assert each.original >= 0
        assert each.sizes[0].lowest.value < each.original


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"feature": 16}, "feature is 16, .* has features 0 to 15"),
        ({"frame": 5}, "frame is 5, the window 'Key,Key-Ball' has frames 0 to 4"),
    ],
)
def test_what_the_dictionary_or_the_window_lacks_is_named(subject, axes, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        search(subject, AdversaryConfig("feature", **settings), SearchAids(axes))
    with pytest.raises(UserError, match="no dictionary says which: give --dictionary"):
        search(subject, AdversaryConfig("feature"))
