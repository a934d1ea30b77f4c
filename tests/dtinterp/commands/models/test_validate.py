import pytest
import torch
from pydantic import TypeAdapter

from dtinterp.commands.models.validate import A_NEW_SPLIT, ITS_OWN, validate
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.model.breakdown import VALIDATION, Breakdown
from dtinterp.model.published import Published
from dtinterp.model.storage import load_model, save_published
from dtinterp.model.validation import validation_windows
from dtinterp.subject.subject import open_subject


@pytest.fixture(scope="session")
def validated(folders):
    return validate(folders.root / "validation", model=folders.model, demonstrations=folders.demonstrations)


def test_it_is_what_the_training_itself_measured_at_its_end(folders, validated):
    trained, metrics = load_model(folders.model).artefact.manifest.metrics, validated.manifest.metrics
    assert metrics["validation"] == trained["validation"]
    assert metrics["split"] == trained["split"]
    assert metrics["held_out"] == ITS_OWN


def test_a_validation_rests_on_the_model_and_its_demonstrations(folders, validated):
    subject = open_subject(folders.model, folders.demonstrations)
    assert set(validated.manifest.parents.values()) == {each.manifest.digest for each in subject.artefacts}
    n_windows = read_artefact(validated.path, kind=VALIDATION.name).config["n_windows"]
    assert n_windows == len(validation_windows(subject.trajectories, subject.split, load_model(folders.model).assumed))


@pytest.mark.parametrize("n_items", [980, 147])
def test_a_model_that_was_trained_elsewhere_is_measured_on_a_split_made_here(folders, tmp_path, draw_model, n_items):
    save_published(tmp_path / "imported", Published(draw_model(n_items=n_items), {}, seed=0, sha256="0" * 64))
    made = validate(tmp_path / "validation", model=tmp_path / "imported", demonstrations=folders.demonstrations)
    assert made.manifest.metrics["held_out"] == A_NEW_SPLIT
    found = TypeAdapter(Breakdown).validate_python(made.manifest.metrics["validation"])
    subject = open_subject(tmp_path / "imported", folders.demonstrations)
    windows = validation_windows(subject.trajectories, subject.split, subject.training)
    with torch.no_grad():
        likeliest = subject.model(windows, subject.items)[:, -1].argmax(-1)
    assert found.overall.accuracy.estimate == pytest.approx(float((likeliest == windows.action[:, -1]).float().mean()))


def test_what_stands_at_the_place_is_not_overwritten(folders, validated):
    with pytest.raises(UserError, match="validation exists already: give another --out, or --replace"):
        validate(validated.path, model=folders.model, demonstrations=folders.demonstrations)
