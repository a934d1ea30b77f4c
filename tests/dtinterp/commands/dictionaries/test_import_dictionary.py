import json

import pytest
import torch

from dtinterp.commands.data.export import export
from dtinterp.commands.dictionaries.import_dictionary import import_dictionary
from dtinterp.dictionary.dictionary import reconstruct
from dtinterp.dictionary.formats import FORMATS, read_foreign
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.errors import UserError


@pytest.fixture
def exported(small_study, tmp_path):
    return export(small_study / "dictionaries" / "topk-512-k4", to="saelens", out=tmp_path / "exports")


def test_what_is_exported_is_imported_again(small_study, exported, tmp_path):
    assert sorted(path.name for path in exported.iterdir()) == ["cfg.json", "sae_weights.safetensors"]
    import_dictionary(exported, model=small_study / "models" / "novice", out=tmp_path / "back")
    ours, back = load_dictionary(small_study / "dictionaries" / "topk-512-k4"), load_dictionary(tmp_path / "back")
    assert (back.kind, back.site, back.name) == (ours.kind, ours.site, ours.name)
    rows = torch.randn(20, ours.d_model)
    torch.testing.assert_close(reconstruct(back, rows), reconstruct(ours, rows), atol=1e-5, rtol=1e-5)


def test_a_site_may_be_given(small_study, exported, tmp_path):
    site = "blocks.0.hook_resid_mid"
    import_dictionary(exported, site=site, model=small_study / "models" / "novice", out=tmp_path / "back")
    assert load_dictionary(tmp_path / "back").site == site


def test_a_site_that_the_model_has_not_is_refused(small_study, exported, tmp_path):
    model = small_study / "models" / "novice"
    with pytest.raises(UserError, match=r"the site is 'blocks\.8\.hook_resid_pre', expected one of"):
        import_dictionary(exported, site="blocks.8.hook_resid_pre", model=model, out=tmp_path / "back")


def test_rows_of_another_length_are_refused(small_study, tmp_path):
    from dtinterp.dictionary.config import FitConfig
    from dtinterp.dictionary.fit import fit
    from dtinterp.dictionary.formats.saelens import export_saelens
    from dtinterp.dictionary.kinds.autoencoders.topk import TopK

    rows = torch.randn(30, 5)
    config = FitConfig(TopK(2), width=8, n_steps=2)
    short = fit(rows, config, generator=torch.Generator(), site="hook_obs_embed")
    folder = export_saelens(tmp_path / "short", short)
    with pytest.raises(UserError, match=r"reads rows of length 5, .* has rows of length 16"):
        import_dictionary(folder, model=small_study / "models" / "novice", out=tmp_path / "back")


def test_a_baseline_cannot_go_to_saelens(small_study, tmp_path):
    with pytest.raises(UserError, match="SAELens knows no Pca"):
        export(small_study / "dictionaries" / "pca-4", to="saelens", out=tmp_path)


def test_a_dictionary_of_the_stream_is_none_of_the_heads_although_its_rows_are_as_long(small_study, exported, tmp_path):
    model, heads = small_study / "models" / "novice", "blocks.0.attn.hook_z"
    with pytest.raises(UserError, match=r"at blocks\.0\.attn\.hook_z there is one of .* numbers of blocks"):
        import_dictionary(exported, site=heads, model=model, out=tmp_path / "back")
    settings = json.loads((exported / "cfg.json").read_text())
    settings["metadata"]["hook_name"] = "blocks.0.attn.hook_result"
    (exported / "cfg.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"reads rows of length 16, .* at blocks\.0\.attn\.hook_result"):
        import_dictionary(exported, model=model, out=tmp_path / "back")


def test_a_folder_whose_site_the_model_has_not_is_told(small_study, exported, tmp_path):
    config = exported / "cfg.json"
    config.write_text(config.read_text().replace("hook_obs_embed", "blocks.8.hook_resid_pre"))
    with pytest.raises(
        UserError, match=r"has rows of 'blocks\.8\.hook_resid_pre', which .*novice lacks: give --site, one"
    ):
        import_dictionary(exported, model=small_study / "models" / "novice", out=tmp_path / "back")


def test_a_folder_without_a_site_wants_one(small_study, exported, tmp_path):
    config = exported / "cfg.json"
    config.write_text(config.read_text().replace('"hook_obs_embed"', '""'))
    with pytest.raises(UserError, match="names no site of a model: give --site, one of hook_obs_embed, "):
        import_dictionary(exported, model=small_study / "models" / "novice", out=tmp_path / "back")


def test_a_folder_of_nothing_known_is_told_what_is_known(tmp_path):
    with pytest.raises(
        UserError,
        match=r"holds no autoencoder, expected .*; cfg\.json and sae_weights\.safetensors \(SAELens\); cfg\.json",
    ):
        read_foreign(tmp_path)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("sae_weights.safetensors", "SAELens"),
        ("sae.safetensors", "sparsify"),
        ("ae.safetensors", "dictionary_learning"),
        ("ae.pt", "dictionary_learning"),
    ],
)
def test_a_format_is_recognised_by_its_weights_and_wants_its_settings(file, name, tmp_path):
    (tmp_path / file).write_bytes(b"x")
    assert [each.NAME for each in FORMATS if each.recognises(tmp_path)] == [name]
    with pytest.raises(UserError, match=r"(cfg|config)\.json is missing"):
        read_foreign(tmp_path)
