import pytest

from dtinterp.dictionary.config import FitConfig, MapConfig
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.dictionary.training.batched_training import Member, together


def _members(*configs: FitConfig, n_rows: int = 64, source: int = 0) -> list[Member]:
    return [Member(config, source, n_rows, lengths=(32, 32)) for config in configs]


def test_bundles_hold_one_type_and_one_width() -> None:
    kinds = [(TopK(2), 8), (L1(), 8), (TopK(3), 16), (TopK(4), 8), (Matryoshka(2, 2), 8), (Matryoshka(2, 3), 8)]
    members = _members(*(FitConfig(kind, width=width) for kind, width in kinds))
    assert sorted(together(members, "cpu")) == [[0, 3], [1], [2], [4], [5]]


def test_bundles_hold_several_sites_where_these_have_as_many_rows() -> None:
    config = FitConfig(TopK(2), width=8)
    members = [*_members(config), *_members(config, source=1), *_members(config, source=2, n_rows=20)]
    assert sorted(together(members, "cpu")) == [[0, 1], [2]]


def test_bundles_are_no_larger_than_a_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtinterp.dictionary.training.batched_training.TOGETHER", {"cpu": 64 * 8 * 2})
    configs = [FitConfig(L1(), width=8, member=member) for member in range(5)]
    assert list(together(_members(*configs), "cpu")) == [[0, 1], [2, 3], [4]]
    assert list(together(_members(*configs, n_rows=6400), "cpu")) == [[0], [1], [2], [3], [4]]


def test_bundles_hold_transcoders_of_one_kind() -> None:
    configs = [MapConfig(kind, 16) for kind in (Transcoder(2), SkipTranscoder(2), Transcoder(3))]
    members = [Member(config, source, 64, lengths=(32, 32)) for source in range(2) for config in configs]
    assert sorted(together(members, "cpu")) == [[0, 2, 3, 5], [1, 4]]


def test_bundles_hold_maps_between_rows_of_one_length() -> None:
    members = [Member(MapConfig(Transcoder(2), 16), 0, 64, lengths) for lengths in ((6, 4), (4, 6), (6, 4))]
    assert sorted(together(members, "cpu")) == [[0, 2], [1]]
