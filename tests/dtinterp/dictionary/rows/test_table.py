import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.evaluation.card import held_out_cards, row_card
from dtinterp.dictionary.evaluation.score import score
from dtinterp.dictionary.fit import fit, of_directions
from dtinterp.dictionary.formats import read_foreign
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.rows.table import RowSource, as_rows, normalise, rows_at
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError

TABLE = torch.arange(24.0).view(6, 4)


def _sources(folder: Path) -> dict[str, RowSource]:
    np.save(folder / "rows.npy", TABLE.numpy())
    save_file({"rows": TABLE}, folder / "rows.safetensors")
    return {
        "tensor": TABLE,
        "tensor of integers": TABLE.long(),
        "tensor of positions in batches": TABLE.view(2, 3, 4),
        "half precision": TABLE.half(),
        "array": TABLE.double().numpy(),
        "npy file": folder / "rows.npy",
        "safetensors file": folder / "rows.safetensors",
        "iterator": iter(TABLE.split(4)),
        "list of arrays": [TABLE[:1].numpy(), TABLE[1:].numpy()],
    }


def test_the_same_rows_come_from_anywhere(tmp_path: Path) -> None:
    for name, source in _sources(tmp_path).items():
        found = as_rows(source)
        assert found.dtype == torch.float32, name
        assert torch.equal(found, TABLE), name


def test_rows_are_cut_off_from_the_network_that_made_them() -> None:
    assert not as_rows(TABLE.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            torch.ones(3),
            r"The activations have shape \(3,\) and type torch.float32, expected numbers with at least two",
        ),
        (torch.ones(3, 2, dtype=torch.bool), r"shape \(3, 2\) and type torch.bool, expected numbers"),
        ([], "The pieces have rows of length no length at all, expected one"),
        (
            [torch.ones(2, 3), torch.ones(2, 4)],
            "The pieces have rows of length 3 and 4, expected one: give activations",
        ),
        (Path("nowhere.npy"), "nowhere.npy is no file: give a .npy or .safetensors file of activations"),
        (Path(__file__), "ends in '.py', expected .npy or .safetensors: write it as one of these"),
    ],
)
def test_what_is_no_table_gets_one_sentence(source: RowSource, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        as_rows(source)


def test_a_file_with_many_tensors_is_refused(tmp_path: Path) -> None:
    save_file({"keys": TABLE, "queries": TABLE + 1}, tmp_path / "two.safetensors")
    with pytest.raises(UserError, match=r"two\.safetensors holds keys, queries, expected one tensor"):
        as_rows(tmp_path / "two.safetensors")


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[4] / "docs" / "your-own-activations.md"
    example = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "example.py").write_text(example)
    monkeypatch.chdir(tmp_path)
    made = runpy.run_path("example.py")
    assert made["rows"].shape == (6400, 32)
    assert [member.width for member in made["members"]] == [64] * 5
    assert read_foreign(tmp_path / "results" / "batchtopk").width == 64


def test_normalised_rows_have_a_mean_norm_of_root_d_model() -> None:
    batch, scale = normalise(TABLE, torch.arange(6))
    torch.testing.assert_close(batch.weight @ batch.rows.norm(dim=1), torch.tensor(2.0))
    torch.testing.assert_close(batch.rows * scale, TABLE)
    torch.testing.assert_close(batch.weight, torch.arange(6) / 15)


def _damaged(folder: Path) -> dict[str, tuple[Path, str]]:
    """Return files that hold no rows, each with what is said of it."""
    for name in ("text.npy", "empty.npy", "bad.safetensors"):
        (folder / name).write_text("" if name == "empty.npy" else "these are no rows")
    np.save(folder / "pickled.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with (folder / "several.npy").open("wb") as file:
        np.savez(file, one=TABLE.numpy())
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.save(folder / "narrow.npy", np.zeros((5, 0), dtype=np.float32))
    no_array, no_table = "is damaged or holds no array of numbers: write it anew", "expected numbers with at least two"
    return {
        "text": (folder / "text.npy", no_array),
        "empty": (folder / "empty.npy", no_array),
        "pickled": (folder / "pickled.npy", no_array),
        "several arrays": (folder / "several.npy", no_array),
        "words": (folder / "words.npy", no_table),
        "d_model 0": (folder / "narrow.npy", no_table),
        "no safetensors": (folder / "bad.safetensors", r"is damaged \(it is no safetensors file\)"),
    }


def test_a_damaged_file_gets_one_sentence(tmp_path: Path) -> None:
    for path, sentence in _damaged(tmp_path).values():
        with pytest.raises(UserError, match=sentence):
            as_rows(path)


def test_a_path_written_as_text_is_told_how_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match=r"are the text 'rows\.npy', expected rows or a Path: give Path\('rows\.npy'\)"):
        as_rows("rows.npy")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64])
def test_whole_numbers_of_any_type_are_numbers(dtype: type) -> None:
    assert torch.equal(as_rows(TABLE.numpy().astype(dtype)), TABLE)


def test_complex_numbers_are_no_rows() -> None:
    with pytest.raises(UserError, match=r"type torch\.complex64, expected numbers"):
        as_rows(TABLE.to(torch.complex64))


@pytest.fixture
def harvested(tmp_path: Path) -> Path:
    content = Content("activations", {"site": "blocks.1.hook_resid_pre"}, {"value": TABLE}, {})
    return write_artefact(tmp_path / "harvest", content, parents=(), seed=0).path


def test_a_harvest_knows_its_site_and_others_have_the_one_given(harvested: Path) -> None:
    assert rows_at(harvested, "")[1] == rows_at(harvested, "blocks.1.hook_resid_pre")[1] == "blocks.1.hook_resid_pre"
    assert rows_at(TABLE, "anywhere")[1] == "anywhere"


def test_a_harvest_of_another_site_is_refused_wherever_rows_are_taken(harvested: Path) -> None:
    rng, site = torch.Generator().manual_seed(0), "hook_obs_embed"
    fitted = fit(TABLE, FitConfig(Pca(2)), generator=rng, site=site)
    other = r"holds rows of 'blocks\.1\.hook_resid_pre', expected rows of 'hook_obs_embed': give rows and site"
    target, draws = torch.zeros(6, dtype=torch.int64), np.random.default_rng(0)
    for ask in (
        lambda: fit(harvested, FitConfig(Pca(2)), generator=rng, site=site),
        lambda: of_directions(torch.eye(4), harvested, FitConfig(Items(1)), site=site),
        lambda: row_card(fitted, harvested, generator=draws),
        lambda: held_out_cards(fitted, TABLE, fitted=harvested, generator=draws),
        lambda: score(fitted, harvested, target_action=target, logits_with=lambda _: TABLE, generator=draws),
    ):
        with pytest.raises(UserError, match=other):
            ask()
    own = fit(harvested, FitConfig(Pca(2)), generator=rng)
    assert own.site == "blocks.1.hook_resid_pre"
    assert row_card(own, harvested, generator=draws).inputs.n_rows == 6


def test_heads_are_not_taken_for_positions() -> None:
    with pytest.raises(UserError, match=r"have shape \(2, 3, 4, 5\), expected \(row, d_model\) or .*: lay heads side"):
        as_rows(torch.zeros(2, 3, 4, 5))


def test_the_file_of_a_harvest_is_of_its_site(harvested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtinterp.dictionary.rows.table.ROWS_FILE", "tensors.safetensors")
    with pytest.raises(UserError, match=r"holds rows of 'blocks\.1\.hook_resid_pre'"):
        rows_at(harvested / "tensors.safetensors", "blocks.0.attn.hook_z")
