from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.features.single_rows import token_errors
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.replacements.component_flips import component_flips, label_of
from dtinterp.interventions.replacements.dictionary_comparison import (
    FEATURE_COMPARISON,
    N_SHIFTS,
    ComparedWindows,
    DictionaryComparison,
    DictionaryComparisonConfig,
    compare,
)
from dtinterp.interventions.replacements.linear_mlp import linear_mlp
from dtinterp.model.network.transformer import DecisionTransformer

SITES = ("hook_obs_embed", "blocks.1.hook_resid_pre")
CONFIG = DictionaryComparisonConfig(n_draws=2, n_examples=3, n_listed=2)


@pytest.fixture
def shown(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], trajectories: Trajectories
) -> ComparedWindows:
    """A model that acts by what it is shown, since frames outweigh all else, and is mostly right."""
    with torch.no_grad():
        model.W_obs.mul_(4)
        model.b_U.zero_()
        right = model(windows, items)[:, -1].argmax(-1)
    action = windows.action.clone()
    action[:-8, -1] = right[:-8]
    told = replace(windows, action=action)
    return ComparedWindows(model, told, items, trajectories.episode[windows.step[windows.mask]])


@pytest.fixture
def dictionaries(shown: ComparedWindows) -> list[Dictionary]:
    def fitted(site: str, config: FitConfig) -> Dictionary:
        rows = harvest(shown.model, shown.windows, shown.items, site).value
        return fit(rows, config, generator=torch.Generator().manual_seed(0), site=site)

    return [fitted(SITES[0], FitConfig(Pca(6))), fitted(SITES[1], FitConfig(TopK(4), width=24, n_steps=40))]


@pytest.fixture
def comparison(dictionaries: Sequence[Dictionary], shown: ComparedWindows) -> DictionaryComparison:
    linear = linear_mlp(shown.model, shown.windows, shown.items, 0)
    return compare(dictionaries, shown, CONFIG, linear=[linear])


def test_rows_of_all_sites_stand_in_the_same_order(
    comparison: DictionaryComparison, dictionaries: Sequence[Dictionary], shown: ComparedWindows
) -> None:
    assert comparison.site == SITES
    assert torch.equal(comparison.step, shown.windows.step[shown.windows.mask])
    for place, each in enumerate(dictionaries):
        alone = token_errors(each, harvest(shown.model, shown.windows, shown.items, each.site).value)
        torch.testing.assert_close(comparison.errors(place).error, alone.error)
        assert torch.equal(comparison.errors(place).l0, alone.l0)


def test_every_row_names_the_window_that_it_stands_in(comparison: DictionaryComparison, shown: ComparedWindows) -> None:
    n_slots = shown.windows.n_slots
    assert torch.equal(comparison.last_step - comparison.step, n_slots - 1 - comparison.slot)


def test_examples_are_right_predictions_that_an_ablation_makes_wrong(
    comparison: DictionaryComparison, shown: ComparedWindows
) -> None:
    last = shown.windows.step[:, -1].tolist()
    for example in comparison.examples:
        assert int(shown.windows.action[last.index(example.last_step), -1]) == example.action
        assert example.lost > 0
        assert [seen.site for seen in example.seen] == list(SITES)
        assert all(len(seen.features) <= 2 for seen in example.seen)


def test_examples_name_the_part_whose_ablation_leads_to_another_action(comparison: DictionaryComparison) -> None:
    assert 0 < len(comparison.examples) <= CONFIG.n_examples
    names = [each.part for each in comparison.parts]
    for example in comparison.examples:
        assert example.part in names
        assert example.instead != example.action
    owed = [each.part for each in comparison.examples]
    assert max(owed.count(part) for part in owed) <= CONFIG.n_per_part


def test_parts_decide_as_often_as_they_flip_actions(comparison: DictionaryComparison, shown: ComparedWindows) -> None:
    rng = generator(CONFIG.seed, "comparison/donors")
    flips = component_flips(shown.model, shown.windows, shown.items, n_draws=CONFIG.n_draws, generator=rng)
    shares = {label_of(part): flips.share(place) for place, part in enumerate(flips.part)}
    assert {each.part: each.share for each in comparison.parts} == shares
    assert len({share.estimate for share in shares.values()}) > 1


def test_windows_that_are_asked_for_are_shown_instead(
    dictionaries: Sequence[Dictionary], shown: ComparedWindows, comparison: DictionaryComparison
) -> None:
    asked = compare(dictionaries, shown, CONFIG, asked=shown.windows[3:5])
    assert [each.last_step for each in asked.examples] == shown.windows.step[3:5, -1].tolist()
    assert all(each.part == "" and each.instead == each.action for each in asked.examples)
    assert torch.equal(asked.error, comparison.error)
    assert asked.linear == ()


def test_a_linear_map_is_judged_beside_each_dictionary(comparison: DictionaryComparison) -> None:
    assert [(each.layer, each.site) for each in comparison.linear] == [(0, SITES[0]), (0, SITES[1])]
    assert comparison.linear[0].excess == comparison.linear[1].excess
    for each in comparison.linear:
        assert len(each.by_chance) == (N_SHIFTS if each.features else 0)


def test_a_comparison_comes_back_from_disk_as_it_was(comparison: DictionaryComparison, tmp_path: Path) -> None:
    save(tmp_path / "comparison", comparison, seed=0)
    found = load(tmp_path / "comparison", FEATURE_COMPARISON)
    for name in ("error", "l0", "step", "slot", "last_step"):
        assert torch.equal(getattr(found, name), getattr(comparison, name))
    for name in ("name", "site", "parts", "examples", "linear"):
        assert getattr(found, name) == getattr(comparison, name)


def test_nothing_to_compare_is_refused(shown: ComparedWindows) -> None:
    with pytest.raises(UserError, match="no dictionary to compare"):
        compare([], shown, CONFIG)
