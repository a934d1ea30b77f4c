import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.catalogue import OpenStudy, ReplacedError, ShelvedStudy, open_standing, open_study, studies
from app.shelf import shelve
from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.artefacts.artefact import Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.artefacts.reading import JSON
from dtinterp.foundation.errors import UserError
from dtinterp.model.published import Published
from dtinterp.model.storage import load_model, save_published


def test_a_study_is_found_by_its_parents_wherever_it_stands(small_study: Path) -> None:
    study = studies(shelve([small_study]))["novice"]
    assert study.equivalence.path == small_study / "equivalence" / "novice"
    assert study.model.path == small_study / "models" / "novice"
    assert study.demonstrations.path == small_study / "demonstrations" / "walks"


def test_results_and_checkpoints_are_read_together(small_study: Path, tmp_path: Path) -> None:
    apart = tmp_path / "results"
    shutil.copytree(small_study / "equivalence", apart / "study" / "classes")
    rest = tmp_path / "checkpoints"
    for name in ("models", "demonstrations"):
        shutil.copytree(small_study / name, rest / name)
    found = studies(shelve([rest, apart]))
    assert found["novice"].equivalence.path == apart / "study" / "classes" / "novice"
    assert found["novice"].dictionaries == ()
    assert found["novice"].comparison is None


def test_a_second_study_of_the_same_model_is_called_by_its_folder_too(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study / "equivalence", tmp_path / "again")
    found = studies(shelve([small_study, tmp_path]))
    second = max(small_study / "equivalence" / "novice", tmp_path / "again" / "novice")
    assert list(found) == ["novice", f"novice ({second})"]


def test_classes_without_their_model_are_left_out(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study / "equivalence", tmp_path / "equivalence")
    assert studies(shelve([tmp_path])) == {}


def test_an_opened_study_holds_what_its_artefacts_say(small_study: Path) -> None:
    opened = open_study(studies(shelve([small_study]))["novice"])
    assert len(opened.report.chosen.frame_id) == 12
    assert opened.n_slots == 10
    assert opened.equivalence.manifest.parents["model/novice"] == opened.model.manifest.digest


def test_a_model_that_was_trained_elsewhere_is_opened_with_the_demonstrations_it_was_tried_on(
    small_study: Path, tmp_path: Path
) -> None:
    ours = open_study(studies(shelve([small_study]))["novice"])
    model = load_model(small_study / "models" / "novice").model
    imported = save_published(tmp_path / "stranger", Published(model, {}, seed=0, sha256="none"))
    save(tmp_path / "equivalence", ours.report, seed=0, parents=(imported, ours.demonstrations))
    opened = open_study(studies(shelve([small_study, tmp_path]))["stranger"])
    assert (opened.model.name, opened.n_slots, opened.portrait) == ("stranger", 10, None)


def test_a_model_of_ours_is_refused_with_other_demonstrations(small_study: Path, tmp_path: Path) -> None:
    study = studies(shelve([small_study]))["novice"]
    ours = open_study(study)
    save_trajectories(tmp_path / "others", ours.trajectories, parent=ours.demonstrations, seed=1)
    (others,) = shelve([tmp_path]).artefacts
    with pytest.raises(UserError, match="novice was not made from"):
        open_study(replace(study, demonstrations=others))


def test_what_was_found_out_about_a_study_is_opened_with_it(small_study: Path) -> None:
    study = studies(shelve([small_study]))["novice"]
    assert study.comparison is not None
    assert study.comparison.path == small_study / "agreements" / "novice"  # not the comparison of dictionaries
    opened = open_study(study)
    assert list(opened.dictionaries) == ["topk-512-k4", "pca-4"]
    assert set(opened.labels) == {"topk-512-k4"}
    assert opened.portrait is not None
    assert opened.portrait.model == "novice"


def test_a_dictionary_of_the_untrained_twin_is_not_shown(small_study: Path, tmp_path: Path) -> None:
    source = small_study / "dictionaries" / "topk-512-k4"
    control = replace(load_dictionary(source), name="untrained topk-512-k4", of_untrained=True)
    parents = [read_artefact(small_study / "models" / "novice", kind="model")]
    save(tmp_path / "control", control, parents=parents, seed=0)
    study = studies(shelve([small_study, tmp_path]))["novice"]
    assert tmp_path / "control" in [each.path for each in study.dictionaries]
    assert list(open_study(study).dictionaries) == ["topk-512-k4", "pca-4"]


def test_a_study_is_another_one_once_any_of_its_artefacts_is(small_study: Path) -> None:
    study = studies(shelve([small_study]))["novice"]
    assert study.digest != replace(study, dictionaries=study.dictionaries[1:]).digest
    assert study.digest != replace(study, comparison=None).digest


def test_a_damaged_study_is_refused_in_one_sentence(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    study = studies(shelve([tmp_path]))["novice"]
    tensors = study.model.path / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=r"tensors\.safetensors is damaged"):
        open_study(study)


def _flip(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("folder", ["dictionaries/topk-512-k4", "labels/topk-512-k4", "agreements/novice"])
@pytest.mark.parametrize("name", ["tensors.safetensors", "config.json"])
def test_a_flipped_bit_beside_the_classes_leaves_out_that_artefact_with_its_sentence(
    small_study: Path, tmp_path: Path, folder: str, name: str
) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    kind = Path(folder).parts[0]
    (part,) = [each for each in (tmp_path / "checkpoints").glob(f"{kind}/*") if each.name == Path(folder).name]
    _flip(part / name)
    opened = open_study(studies(shelve([tmp_path]))["novice"])
    (sentence,) = opened.left_out
    assert str(part / name) in sentence
    assert "is damaged" in sentence
    assert ("topk-512-k4" in opened.dictionaries) == (kind != "dictionaries")
    assert (set(opened.labels) == set()) == (kind == "labels")
    assert (opened.portrait is None) == (kind == "agreements")


def _with_config(path: Path, source: Path, config: dict[str, JSON]) -> None:
    """Write the artefact anew, whole and sealed, with other settings."""
    old = read_artefact(source, kind=json.loads((source / "manifest.json").read_text())["kind"])
    parents = [
        read_artefact(each.path, kind=each.kind)
        for each in shelve([source.parents[1]]).artefacts
        if each.digest in old.manifest.parents.values()
    ]
    tensors = {name: tensor.clone() for name, tensor in old.tensors.items()}
    content = Content(old.manifest.kind, config, tensors, old.manifest.metrics)
    write_artefact(path, content, parents=parents, seed=0)


def test_a_dictionary_that_is_whole_and_sealed_but_nonsense_is_left_out_with_its_sentence(
    small_study: Path, tmp_path: Path
) -> None:
    _with_config(tmp_path / "odd", small_study / "dictionaries" / "topk-512-k4", {"name": ["x"], "width": None})
    opened = open_study(studies(shelve([small_study, tmp_path]))["novice"])
    (sentence,) = opened.left_out
    assert f"{tmp_path / 'odd'}" in sentence
    assert set(opened.dictionaries) == {"topk-512-k4", "pca-4"}


def test_a_model_that_is_whole_and_sealed_but_nonsense_is_refused_in_one_sentence(
    small_study: Path, tmp_path: Path
) -> None:
    study = studies(shelve([small_study]))["novice"]
    _with_config(tmp_path / "odd", study.model.path, {"model": [1, 2]})
    (odd,) = shelve([tmp_path]).artefacts
    with pytest.raises(UserError, match=r"odd is no model that this version can read \("):
        open_study(replace(study, model=odd))


def test_what_is_no_longer_as_it_was_found_is_not_shown_for_it(small_study: Path) -> None:
    study = studies(shelve([small_study]))["novice"]
    with pytest.raises(ReplacedError, match="was replaced while it was read: reload the page"):
        open_study(replace(study, model=replace(study.model, digest="of another")))
    (first, *rest) = study.dictionaries
    with pytest.raises(ReplacedError, match="was replaced while it was read: reload the page"):
        open_study(replace(study, dictionaries=(replace(first, digest="of another"), *rest)))


def test_a_study_that_is_replaced_is_opened_anew_and_not_for_ever(small_study: Path) -> None:
    opened: list[ShelvedStudy] = []

    def opener(study: ShelvedStudy) -> OpenStudy:
        opened.append(study)
        raise ReplacedError("replaced")

    with pytest.raises(ReplacedError, match="novice is replaced again and again while it is read: reload the page"):
        open_standing("novice", [small_study], opener)
    assert 1 < len(opened) < 100


def test_a_study_that_was_taken_away_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="novice was taken away while it was read: choose another model"):
        open_standing("novice", [tmp_path], open_study)
