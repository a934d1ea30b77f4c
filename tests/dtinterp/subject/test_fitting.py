from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dtinterp.activations.storage import HarvestSource, record_harvest
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import reconstruct
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.errors import UserError
from dtinterp.subject.fitting import TrainingRows, fit_dictionaries, fit_like
from dtinterp.subject.items import item_rate
from dtinterp.subject.subject import Subject, open_subject

SITE = "blocks.0.hook_resid_mid"


@pytest.fixture(scope="module")
def subject(small_study: Path) -> Subject:
    return open_subject(small_study / "models" / "novice", small_study / "demonstrations" / "walks")


def _recorded(subject: Subject, path: Path, *, site: str = SITE, side: str = "train") -> Path:
    """Write the rows of 24 training windows as `dtinterp harvest` does, in two pieces."""
    windows = subject.train_windows(24, seed=0)
    source = HarvestSource(subject.trained, subject.demonstrations, [windows[:10], windows[10:]], subject.items)
    return record_harvest(path, source, site=site, settings={"side": side}, seed=0).path


def test_the_rows_of_a_fit_are_distinct_and_know_their_frames(subject: Subject) -> None:
    fitted = TrainingRows.of(subject, "hook_obs_embed", n_windows=24, seed=0)
    windows = subject.train_windows(24, seed=0)
    assert torch.equal(fitted.frame_id, windows.frame_id[windows.mask])
    assert len(fitted.rows.value) == len(fitted.frame_id.unique())  # at the embedding a row is a frame
    assert int(fitted.rows.count.sum()) == len(fitted.frame_id)


def test_the_embedding_is_fitted_to_every_frame_of_training_alike_unless_told_otherwise(subject: Subject) -> None:
    steps = subject.trajectories.frame_id[subject.split.train].long()
    fitted = TrainingRows.of(subject, "hook_obs_embed", seed=0)
    assert torch.equal(fitted.frame_id, steps.unique())
    assert (fitted.weight == 1).all()
    windows = subject.train_windows(8, seed=0)
    place = torch.searchsorted(fitted.frame_id, windows.frame_id[windows.mask].long())
    harvested = subject.rows("hook_obs_embed", windows).value
    torch.testing.assert_close(fitted.rows.value[fitted.rows.member[place]], harvested)


def test_visits_are_counted_where_they_are_asked_for_and_at_deeper_sites(subject: Subject) -> None:
    steps = subject.trajectories.frame_id[subject.split.train].long()
    by_visits = TrainingRows.of(subject, "hook_obs_embed", weighting="visits", seed=0)
    assert torch.equal(by_visits.weight, torch.bincount(steps)[by_visits.shown])
    deeper, embedding = TrainingRows.of_sites(subject, (SITE, "hook_obs_embed"), n_windows=24, seed=0)
    assert (deeper.site, deeper.weighting, embedding.weighting) == (SITE, "visits", "alike")
    assert int(deeper.weight.sum()) == len(deeper.frame_id) > len(deeper.weight)


def test_items_are_told_about_the_mean_of_rows_weighted_as_the_fit_weighs_them(subject: Subject) -> None:
    for weighting in ("alike", "visits"):
        fitted = TrainingRows.of(subject, "hook_obs_embed", weighting=weighting, seed=0)
        ((found,),) = fit_dictionaries([fitted], [FitConfig(Items(2))], seed=0)
        share = fitted.weight / fitted.weight.sum()
        torch.testing.assert_close(found.scale * found.b_dec, share @ fitted.rows.value, rtol=1e-4, atol=1e-6)
        rate = item_rate(subject.items, fitted.shown, fitted.weight)
        torch.testing.assert_close(rate, share @ subject.items[fitted.shown])


@pytest.mark.parametrize("kind", [TopK(2), Items(2)], ids=lambda kind: type(kind).__name__)
def test_rows_on_disk_fit_as_the_same_rows_from_the_model(subject: Subject, tmp_path: Path, kind: TopK | Items) -> None:
    site = SITE if isinstance(kind, TopK) else "hook_obs_embed"
    on_disk = TrainingRows.read(subject, site, _recorded(subject, tmp_path / "rows", site=site))
    from_model = TrainingRows.of(subject, site, n_windows=24, seed=0)
    fits = [FitConfig(kind, width=8, n_steps=5)]
    ((one,), (other,)) = fit_dictionaries([on_disk, from_model], fits, seed=1)
    assert torch.equal(on_disk.frame_id, from_model.frame_id)
    assert [each.path for each in on_disk.source] == [tmp_path / "rows"]
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name


def test_rows_that_do_not_belong_to_the_fit_are_refused(subject: Subject, tmp_path: Path) -> None:
    rows, judging = (_recorded(subject, tmp_path / side, side=side) for side in ("train", "held_out"))
    with pytest.raises(UserError, match=rf"holds rows of '{SITE}', and the site is 'hook_obs_embed': give --site"):
        TrainingRows.read(subject, "hook_obs_embed", rows)
    with pytest.raises(UserError, match="holds rows of episodes that judge dictionaries: harvest with --split train"):
        TrainingRows.read(subject, SITE, judging)
    with pytest.raises(UserError, match="holds rows of the trained model"):
        TrainingRows.read(replace(subject, is_untrained=True), SITE, rows)


def test_rows_of_another_model_are_refused(subject: Subject, tmp_path: Path) -> None:
    rows = _recorded(subject, tmp_path / "rows")
    artefact = subject.trained.artefact
    changed = replace(artefact, manifest=replace(artefact.manifest, seed=99))
    other = replace(subject, trained=replace(subject.trained, artefact=changed))
    with pytest.raises(UserError, match="was not made from"):
        TrainingRows.read(other, SITE, rows)


def test_a_dictionary_of_the_control_is_of_the_same_make_and_fitted_to_the_untrained_model(
    subject: Subject, small_study: Path
) -> None:
    like = load_dictionary(small_study / "dictionaries" / "topk-512-k4")
    twin = fit_like(like, subject.control, n_windows=32, seed=0)
    assert (twin.kind, twin.width, twin.site, twin.of_untrained) == (like.kind, like.width, like.site, True)
    rows = subject.control.rows(twin.site, subject.train_windows(32, seed=0)).value
    spread = (rows - rows.mean(dim=0)).square().sum()
    error, without = ((rows - reconstruct(each, rows)).square().sum() / spread for each in (twin, like))
    assert error < 0.1
    assert error < without
