from pathlib import Path

import pytest
import torch

from dtinterp.activations.harvest import harvest
from dtinterp.commands.dictionaries.dissection import Dissection, dissection_of
from dtinterp.dictionary.dictionary import reconstruct
from dtinterp.foundation.errors import UserError
from dtinterp.subject.subject import open_subject


@pytest.fixture(scope="module")
def dissection(small_study: Path) -> Dissection:
    subject = open_subject(small_study / "models" / "novice", small_study / "demonstrations" / "walks")
    return dissection_of(subject, small_study / "dictionaries" / "topk-512-k4")


def test_a_dictionary_comes_with_its_lineage_and_the_embedding_that_its_rows_are_sums_of(
    dissection: Dissection,
) -> None:
    assert [each.name for each in dissection.artefacts] == ["novice", "walks", "topk-512-k4"]
    assert dissection.W_obs is not None
    assert torch.equal(dissection.W_obs, dissection.subject.model.W_obs)


def test_its_rows_are_those_of_the_model_at_its_site(dissection: Dissection) -> None:
    subject = dissection.subject
    windows = subject.held_out_windows(8, seed=0)
    expected = harvest(subject.model, windows, subject.items, "hook_obs_embed")
    assert torch.equal(dissection.rows(windows).value, expected.value)


def test_the_twin_is_of_the_same_make_and_fitted_to_the_untrained_model(dissection: Dissection) -> None:
    twin, like = dissection.untrained_twin(n_windows=32, seed=0), dissection.dictionary
    assert (twin.dictionary.kind, twin.dictionary.width, twin.dictionary.site) == (like.kind, like.width, like.site)
    assert twin.W_obs is not None
    assert torch.equal(twin.W_obs, dissection.subject.untrained.W_obs)
    rows = twin.rows(twin.subject.train_windows(32, seed=0)).value
    spread = (rows - rows.mean(dim=0)).square().sum()
    error, without = ((rows - reconstruct(each, rows)).square().sum() / spread for each in (twin.dictionary, like))
    assert error < 0.1
    assert error < without


def test_what_is_no_dictionary_of_the_model_is_refused(dissection: Dissection, small_study: Path) -> None:
    with pytest.raises(UserError, match="dictionary"):
        dissection_of(dissection.subject, small_study / "features" / "topk-512-k4")
