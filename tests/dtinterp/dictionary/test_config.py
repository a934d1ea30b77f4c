import pytest
import tyro

from dtinterp.dictionary.config import FitConfig, MapConfig
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.foundation.errors import UserError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"width": 0}, "The dictionary's width is 0, expected at least 1"),
        ({"kind": TopK(9), "width": 8}, "TopK has k=9, expected at most the width 8"),
        ({"n_steps": 0}, "n_steps is 0, expected at least 1: give a larger number"),
        ({"batch_rows": 0}, "batch_rows is 0, expected at least 1"),
        ({"silent_steps": -1}, "silent_steps is -1, expected at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0, expected between 0 and 1: give another one"),
        ({"learning_rate": float("nan")}, "learning_rate is nan, expected between 0 and 1"),
        ({"kind": SkipTranscoder(8), "width": 4}, "k=8, expected at most the width 4"),
        ({"warmup": 1.5}, r"warmup is 1\.5, expected a share from 0 to 1: give another one"),
    ],
)
def test_impossible_settings_get_one_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        (MapConfig if isinstance(settings.get("kind"), Transcoder) else FitConfig)(**settings)


def test_a_pca_has_as_many_features_as_components() -> None:
    assert FitConfig(Pca(3), width=512).n_features == 3
    assert FitConfig(TopK(3), width=512).n_features == 512


def test_a_dictionary_is_named_after_what_it_is() -> None:
    assert FitConfig(TopK(8), width=64).title == "topk-64-k8"
    assert FitConfig(L1(0.5), width=64).title == "l1-64-c0.5"
    assert FitConfig(Pca(3)).title == "pca-3"
    assert FitConfig(Pca(3), name="mine").title == "mine"


def test_the_configuration_is_a_command_line() -> None:
    chosen = tyro.cli(FitConfig, args=["--width", "64", "kind:l1", "--kind.coefficient", "0.5"])
    assert chosen == FitConfig(L1(0.5), width=64)
    assert tyro.cli(FitConfig, args=[]) == FitConfig()


def test_titles_tell_maps_apart():
    titles = [
        MapConfig(Linear()).title,
        MapConfig(Transcoder(4), 64).title,
        MapConfig(SkipTranscoder(4), 64, member=2).title,
    ]
    assert titles == ["linear", "transcoder-64-k4", "skip-transcoder-64-k4-m2"]
