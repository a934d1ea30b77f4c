import gc
from itertools import pairwise

import pytest
import torch

from dtinterp.activations import harvest as harvest_module
from dtinterp.activations.harvest import Activations, harvest
from dtinterp.activations.storage import HarvestSource, load_harvest, record_harvest
from dtinterp.dictionary.rows.table import as_rows
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import TrainConfig
from dtinterp.model.storage import load_model, save_model


@pytest.fixture(autouse=True)
def _several_batches(monkeypatch):
    monkeypatch.setattr(harvest_module, "BATCH", 23)


@pytest.fixture
def record(model, windows, items, tmp_path):
    demonstrations = write_artefact(tmp_path / "walks", Content("demonstrations", {}, {}, {}), parents=(), seed=0)
    save_model(tmp_path / "model", model, TrainConfig(model=model.cfg), parent=demonstrations, metrics={})
    trained = load_model(tmp_path / "model")

    def recorded(site, parts=None):
        source = HarvestSource(trained, demonstrations, [windows] if parts is None else parts, items)
        return record_harvest(tmp_path / "rows", source, site=site, settings={"side": "train"}, seed=7)

    return recorded


@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_post", "blocks.0.attn.hook_pattern"])
def test_what_was_streamed_is_what_is_harvested_in_memory(model, windows, items, record, site):
    artefact = record(site)
    rows, again = load_harvest(artefact.path)
    expected = harvest(model, windows, items, site)
    for name in ("value", "step", "slot"):
        assert torch.equal(getattr(rows, name), getattr(expected, name))
    assert rows.site == site
    assert again.manifest.metrics["n_rows"] == len(rows.value)


def test_rows_know_their_model_their_demonstrations_and_their_settings(record, tmp_path):
    artefact = record("hook_obs_embed")
    assert artefact.config == {"side": "train", "site": "hook_obs_embed"}
    assert artefact.manifest.seed == 7
    digests = {load_model(tmp_path / "model").artefact.manifest.digest}
    assert digests < set(artefact.manifest.parents.values())
    assert len(artefact.manifest.parents) == 2


def test_a_harvest_and_its_file_of_values_are_tables_that_a_dictionary_is_fitted_to(model, windows, items, record):
    artefact = record("blocks.0.hook_resid_pre")
    expected = harvest(model, windows, items, "blocks.0.hook_resid_pre").value
    for source in (artefact.path, artefact.path / "tensors.value.safetensors"):
        assert torch.equal(as_rows(source), expected)


def test_no_more_rows_are_held_than_those_of_a_few_batches(windows, record):
    held = []

    def counting():
        for start in range(0, 60, 6):
            yield windows[start : start + 6]
            gc.collect()
            held.append(sum(len(each.value) for each in gc.get_objects() if type(each) is Activations))

    record("hook_obs_embed", parts=counting())
    assert max(held) <= 6 * 10
    assert all(abs(after - before) <= 60 for before, after in pairwise(held))


def test_there_must_be_windows(record, tmp_path):
    with pytest.raises(UserError, match="there are no windows to run the model on"):
        record("hook_obs_embed", parts=[])
    assert not (tmp_path / "rows").exists()
