from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dtinterp.commands.dictionaries.fit_transcoder import fit_transcoder
from dtinterp.dictionary.dictionary import MAP
from dtinterp.dictionary.evaluation.map_card import load_map_card
from dtinterp.dictionary.training.batched_training import Run
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import suspend
from dtinterp.interventions.replacements import transcoding as module
from dtinterp.interventions.replacements.transcoding import TranscoderConfig
from dtinterp.interventions.returns.model_returns import ActingConfig, ModelReturns

SMALL = TranscoderConfig(
    n_features=(16,),
    k=(2,),
    n_steps=5,
    n_windows=16,
    n_held_out_windows=16,
    acting=ActingConfig(n_episodes=2),
)


@pytest.fixture
def subject(small_study):
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small_study):
    """Maps that nothing interrupted, and what their fit returned."""
    out = tmp_path_factory.mktemp("whole") / "maps"
    where = {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}
    return out, fit_transcoder(SMALL, out, **where)


def test_each_mlp_gets_a_linear_map_and_transcoders_with_their_cards(whole):
    maps, told = whole
    names = ["linear", "transcoder-16-k2", "skip-transcoder-16-k2"]
    assert list(told) == [str(maps / "blocks.0.mlp" / name) for name in names]
    for name in names:
        folder = maps / "blocks.0.mlp" / name
        card = load_map_card(folder)
        assert load(folder, MAP).site == "blocks.0.mlp"
        assert card.effects is not None
        assert card.effects.clean.kl.estimate == pytest.approx(0, abs=1e-9)
        assert card.acting is not None
        assert set(card.acting.exact) == {"clean", "spliced", "zero", "mean"}


@pytest.mark.usefixtures("acted_once")
def test_the_control_says_in_its_name_that_it_is_one(tmp_path, subject):
    fit_transcoder(replace(SMALL, untrained=True), tmp_path / "maps", **subject)
    assert load(tmp_path / "maps" / "blocks.0.mlp" / "linear", MAP).name == "untrained linear"


def test_a_layer_that_is_not_there_is_refused_before_any_work(tmp_path, subject):
    with pytest.raises(UserError, match="the layer is 3, expected 0 to 0"):
        fit_transcoder(TranscoderConfig(layers=(3,)), tmp_path / "maps", **subject)
    assert not (tmp_path / "maps").exists()


def test_what_exists_is_not_written_over(whole, subject):
    maps, _ = whole
    with pytest.raises(UserError, match="linear exists already"):
        fit_transcoder(SMALL, maps, **subject)


@pytest.fixture
def acted_once(monkeypatch):
    """What the model earns matters to none of the tests that ask for this: it is found out once."""
    under, found = ModelReturns.under, []

    def remembering(*given):
        if not found:
            found.append(under(*given))
        return found[0]

    monkeypatch.setattr(ModelReturns, "under", remembering)


@pytest.mark.usefixtures("acted_once")
def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path, whole, subject, monkeypatch):
    taken = []

    def interrupting(path: Path, run: Run, step: int) -> None:
        suspend(path, run, step)
        taken.append(step)
        if taken == [1, 2, 3]:
            raise KeyboardInterrupt

    monkeypatch.setattr("dtinterp.dictionary.training.batched_training.suspend", interrupting)
    unfinished = tmp_path / "maps.unfinished.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_transcoder(SMALL, tmp_path / "maps", **subject)
    assert unfinished.exists()
    assert not (tmp_path / "maps").exists()
    fit_transcoder(SMALL, tmp_path / "maps", **subject)
    assert taken == [1, 2, 3, 4, 5]
    assert not unfinished.exists()
    for name in ("linear", "transcoder-16-k2", "skip-transcoder-16-k2"):
        one, other = (load(maps / "blocks.0.mlp" / name, MAP) for maps in (whole[0], tmp_path / "maps"))
        assert all(torch.equal(one.tensors[part], other.tensors[part]) for part in other.tensors)


@pytest.mark.usefixtures("acted_once")
def test_an_interrupted_judgement_leaves_nothing_half_done(tmp_path, subject, monkeypatch):
    judge, judged = module.map_card, []

    def interrupting(*arguments, **settings):
        if len(judged) == 1:
            judged.append("interrupted")
            raise KeyboardInterrupt
        judged.append("judged")
        return judge(*arguments, **settings)

    monkeypatch.setattr(module, "map_card", interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit_transcoder(SMALL, tmp_path / "maps", **subject)
    assert not (tmp_path / "maps").exists()
    assert len(fit_transcoder(SMALL, tmp_path / "maps", **subject)) == 3


def test_other_maps_under_way_are_refused(tmp_path, subject, monkeypatch):
    def interrupting(path: Path, run: Run, step: int) -> None:
        suspend(path, run, step)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dtinterp.dictionary.training.batched_training.suspend", interrupting)
        with pytest.raises(KeyboardInterrupt):
            fit_transcoder(SMALL, tmp_path / "maps", **subject)
    with pytest.raises(UserError, match=r"maps.unfinished.safetensors is a stack under way with another configuration"):
        fit_transcoder(replace(SMALL, k=(3,)), tmp_path / "maps", **subject)
    assert not (tmp_path / "maps").exists()
