"""The importer's command, and the published model's known answers: its behaviour and its published experiments.

Numbers are those that were read off the published weights with separate code, at the precision they were printed with.
Scenarios come in the order Key,Key-Ball · Key,Ball-Key · Ball,Ball-Key · Ball,Key-Ball.
"""

import json
from functools import cache
from hashlib import sha256
from typing import cast

import pytest
import torch
from torch.nn import functional

from dtinterp.agents.items import FrameItems
from dtinterp.commands.models.import_model import import_model
from dtinterp.dataset.packing import last_slots
from dtinterp.demonstrations.evaluate import play_episodes
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.directions import instruction_direction
from dtinterp.interventions.instruction_flip.scenarios import (
    INSTRUCTION_CELL,
    decision_points,
    logit_difference,
    with_complement,
)
from dtinterp.interventions.intervene import Intervention, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.slots import first_frame, slot_number
from dtinterp.model.policy import WindowPolicy
from dtinterp.model.published import OURS_ALONE, RENAMED, TRANSPOSED, read_published
from dtinterp.model.storage import load_model
from environments.graph.state_graph import state_graph
from environments.vocabulary import CHANNELS, one_hot
from environments.worlds import GraphWorlds

WORLD = "MiniGrid-MemoryS7FixedStart-v0"
SETTINGS = {"d_model": 16, "n_heads": 2, "d_mlp": 24, "n_ctx": 8, "layer_norm": "LN", "gated_mlp": True, "seed": 5}
INSTRUCTIONS = ((4, 2), (4, 3), (0, 5), INSTRUCTION_CELL)
TARGETS = ((1, 2), (5, 2), (1, 6), (5, 6))
LOGITS = torch.tensor(
    [
        [4.799, 1.033, 0.597, -1.081, -2.456, 0.501, -2.005],
        [0.938, 7.363, -1.026, -0.851, -1.734, -1.848, -2.137],
        [6.548, -0.714, -0.999, -1.818, -0.900, -2.293, -1.166],
        [-0.681, 7.062, -0.911, -1.436, -1.050, -1.935, -1.179],
    ]
)


@cache
def scenarios(*decoys):
    plain = decision_points(state_graph(WORLD), n_slots=9, target_return=0.892)
    return with_complement(plain, decoys) if decoys else plain


@torch.no_grad()
def difference(model, shown):
    return logit_difference(model(shown.windows, shown.items))


def unit_direction(model, cells):
    """The published analysis takes components of embeddings scaled to length 1."""
    return instruction_direction(functional.normalize(model.W_obs.detach(), dim=1), cells)


def test_the_logits_at_the_decision_point_are_the_published_models(published):
    with torch.no_grad():
        logits = published(scenarios().windows, scenarios().items)[:, -1]
    torch.testing.assert_close(logits, LOGITS, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("asked", "n_solved"), [(0.95, 4), (0.892, 4), (0.8, 4), (0.5, 1), (0.0, 0)])
def test_it_solves_as_many_configurations_in_six_steps_and_walks_to_the_wrong_target_in_the_others(
    published, asked, n_solved
):
    worlds = GraphWorlds(state_graph(WORLD), 40, generator=torch.Generator().manual_seed(0))
    starts = GraphWorlds(state_graph(WORLD), 40, generator=torch.Generator().manual_seed(0)).reset()
    policy = WindowPolicy(published, FrameItems(worlds), target_return=asked)
    played = play_episodes(policy, worlds, Greedy(), generator=torch.Generator())
    solved = [played.success[starts == start].unique().tolist() for start in starts.unique()]
    assert sorted(solved) == [[False]] * (4 - n_solved) + [[True]] * n_solved  # each configuration always ends alike
    assert played.terminated.all()
    assert (played.length == 6).all()


def test_decoys_restore_as_much_of_the_flipped_instruction(published):
    original, flipped = difference(published, scenarios()), difference(published, scenarios(INSTRUCTION_CELL))
    torch.testing.assert_close(original, torch.tensor([3.766, -6.425, 7.262, -7.743]), atol=1e-3, rtol=0)
    for decoys, expected in {
        ((0, 5),): [0.333, 0.531, 0.362, 0.582],
        ((4, 2),): [0.512, 0.652, 0.118, 0.174],
        ((0, 5), (4, 2)): [1.031, 0.975, 0.973, 1.048],
    }.items():
        restored = (difference(published, scenarios(*decoys)) - original) / (flipped - original)
        torch.testing.assert_close(restored, torch.tensor(expected), atol=1e-3, rtol=0)


def test_a_flipped_instruction_is_the_other_instruction(published):
    flipped = difference(published, scenarios(INSTRUCTION_CELL))
    torch.testing.assert_close(flipped, difference(published, scenarios())[[3, 2, 1, 0]], atol=1e-5, rtol=0)


def test_the_item_embeddings_have_the_published_components(published):
    found = unit_direction(published, INSTRUCTIONS)
    shares = 100 * found.variance_share
    torch.testing.assert_close(shares[:4], torch.tensor([75.61, 8.34, 6.75, 4.50]), atol=0.005, rtol=0)
    assert found.is_separating
    shares = 100 * unit_direction(published, TARGETS).variance_share
    torch.testing.assert_close(shares[:2], torch.tensor([45.38, 37.38]), atol=0.005, rtol=0)


def test_the_item_embeddings_have_the_published_lengths(published):
    length = published.W_obs.detach().norm(dim=1)
    key, ball = (length.view(20, 49)[CHANNELS[0].index(thing)].median().item() for thing in ("key", "ball"))
    assert (key, ball) == (pytest.approx(0.771, abs=1e-3), pytest.approx(0.737, abs=1e-3))
    is_silent = ~one_hot(torch.tensor(state_graph(WORLD).frames)).any(dim=0)
    assert length[is_silent].median().item() == pytest.approx(0.22, abs=6e-3)


@pytest.mark.parametrize(
    ("coefficient", "expected"),
    [
        (-2.0, [-7.74, 7.27, 7.50, -7.66]),
        (-1.0, [-7.99, 6.06, 6.29, -7.69]),
        (0.0, [-3.11, 0.06, -0.67, -2.19]),
        (1.0, [3.60, -6.12, -7.06, 4.10]),
        (2.0, [3.48, -6.58, -7.19, 4.17]),
    ],
)
def test_setting_the_first_component_turns_the_model(published, coefficient, expected):
    direction = unit_direction(published, INSTRUCTIONS).vector
    setting = Intervention("blocks.0.hook_resid_pre", first_frame, Setting(along(direction), coefficient))
    logits = intervene(published, scenarios().windows, scenarios().items, [setting])
    torch.testing.assert_close(logit_difference(logits), torch.tensor(expected), atol=0.006, rtol=0)


@pytest.mark.parametrize(
    ("decoys", "expected"),
    [((), [1.546, 1.171, -1.619, -1.244]), (((0, 5), (4, 2)), [-1.052, -1.427, 0.478, 0.853])],
)
def test_the_first_frame_holds_as_much_of_the_direction(published, decoys, expected):
    shown = scenarios(*decoys)
    _, seen = published.run_with_cache(shown.windows, shown.items, names_filter="hook_embed")
    first = slot_number(first_frame(shown.windows))
    token = seen["hook_embed"][torch.arange(4), 3 * first + 1]
    held = token @ unit_direction(published, INSTRUCTIONS).vector
    torch.testing.assert_close(held, torch.tensor(expected), atol=1e-3, rtol=0)


@pytest.fixture
def file(tmp_path, draw_model):
    """A checkpoint as the published code would have written one of our models."""
    model = draw_model(n_slots=3, act_fn="relu", gated_mlp=True, position_embedding=True, max_time=50)
    weights = model.state_dict()
    inside = {f"transformer.{name}": weight for name, weight in weights.items() if name.startswith(("blocks.", "ln_"))}
    named = {theirs: weights[name].T if name in TRANSPOSED else weights[name] for name, theirs in RENAMED.items()}
    contents = {
        "model_state_dict": {
            name: weight for name, weight in (inside | named).items() if not name.endswith(OURS_ALONE)
        },
        "model_config": json.dumps(SETTINGS),
        "environment_config": json.dumps({"env_id": WORLD, "one_hot_obs": True, "max_steps": 50}),
        "offline_config": json.dumps({"model_type": "decision_transformer"}),
    }
    torch.save(contents, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_an_imported_model_is_an_artefact_like_any_other(file, tmp_path, windows, items):
    artefact = import_model(file, out=tmp_path / "model")
    opened = load_model(tmp_path / "model")
    assert artefact.manifest.metrics["imported_sha256"] == sha256(file.read_bytes()).hexdigest()
    assert artefact.manifest.seed == 5
    assert artefact.manifest.parents == {}
    assert cast(dict, opened.artefact.config["published"])["model_config"] == SETTINGS
    shown = last_slots(windows, 3)
    with torch.no_grad():
        assert torch.equal(opened.model(shown, items), read_published(file).model(shown, items))


def test_an_imported_model_needs_no_file_but_its_own(file, tmp_path):
    import_model(file, out=tmp_path / "model")
    file.unlink()
    assert load_model(tmp_path / "model").model.cfg.attend_to_padding


def test_an_imported_model_has_no_demonstrations_here(file, tmp_path):
    import_model(file, out=tmp_path / "model")
    others = write_artefact(tmp_path / "others", Content("demonstrations", {}, {}, {}), parents=(), seed=0)
    with pytest.raises(UserError, match=r"model was not made from .*others"):
        load_model(tmp_path / "model", parent=others)
    with pytest.raises(UserError, match="model was trained elsewhere, on demonstrations that are not here: use a"):
        _ = load_model(tmp_path / "model").config


def test_what_stands_at_the_place_is_not_overwritten(file, tmp_path):
    written = import_model(file, out=tmp_path / "model")
    with pytest.raises(UserError, match="model exists already: give another --out, or --replace"):
        import_model(file, out=tmp_path / "model")
    assert import_model(file, out=tmp_path / "model", replace=True).manifest == written.manifest


def test_a_mistake_leaves_nothing_behind(file, tmp_path):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="is truncated"):
        import_model(file, out=tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]
