import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fit import SiteRows, fit, fit_sites, fit_stack
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.ica import Ica
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.foundation.errors import UserError

QUICK = {"n_steps": 60, "batch_rows": 64, "learning_rate": 5e-3, "silent_steps": 10}
KINDS: list[LearnedKind] = [TopK(3), BatchTopK(3), Matryoshka(3, 2), L1(1.0), JumpReLU(1.0), Gated(1.0)]


class Planted(Protocol):
    """What the fixture of that name offers."""

    rows: Float32[Tensor, "row d_model"]


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _family(kind: LearnedKind) -> list[FitConfig]:
    """Three seeds of one width, and another width."""
    configs = [FitConfig(kind, width=24, member=member, **QUICK) for member in range(3)]
    return [*configs[:1], FitConfig(kind, width=40, **QUICK), *configs[1:]]


def _assert_close(found: Dictionary, expected: Dictionary, tolerance: float) -> None:
    assert (found.name, found.kind, found.width) == (expected.name, expected.kind, expected.width)
    for name, tensor in expected.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensor, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_each_member_is_what_it_would_be_alone(kind: LearnedKind, planted: Planted) -> None:
    """Matrix products of several members may round otherwise than one's own; 60 steps let that grow to 1e-3 at most."""
    configs = _family(kind)
    together = fit_stack(planted.rows, configs, generator=_generator())
    for config, member in zip(configs, together, strict=True):
        _assert_close(member, fit(planted.rows, config, generator=_generator()), 1e-3)


def test_sparsities_of_one_stack_do_not_feel_each_other(planted: Planted) -> None:
    configs = [FitConfig(TopK(k), width=24, **QUICK) for k in (1, 5, 3)]
    together = fit_stack(planted.rows, configs, generator=_generator())
    for config, member in zip(configs, together, strict=True):
        _assert_close(member, fit(planted.rows, config, generator=_generator()), 1e-3)


def _sites(planted: Planted, configs: list[FitConfig]) -> list[SiteRows]:
    """Two sites whose rows are many, so that they share computations, and one whose few rows are seen whole."""
    tables = {"early": planted.rows, "late": planted.rows.roll(3, dims=1).square(), "small": planted.rows[:50]}
    return [
        SiteRows(rows, configs, _generator(seed), site, torch.arange(1, len(rows) + 1))
        for seed, (site, rows) in enumerate(tables.items())
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_each_member_of_several_sites_is_what_it_would_be_alone(kind: LearnedKind, planted: Planted) -> None:
    """Fewer steps than elsewhere: a row whose k-th and next features are nearly equal turns rounding into a step."""
    configs = [replace(FitConfig(kind, width=24, member=member, **QUICK), n_steps=25) for member in range(2)]
    together = fit_sites(_sites(planted, configs))
    assert [[each.site for each in found] for found in together] == [[site] * 2 for site in ("early", "late", "small")]
    for site, found in zip(_sites(planted, configs), together, strict=True):
        for config, member in zip(configs, found, strict=True):
            fresh = _sites(planted, configs)[["early", "late", "small"].index(site.site)].generator
            alone = fit(site.rows, config, generator=fresh, site=site.site, weights=site.weights)
            _assert_close(member, alone, 2e-3)


def test_sites_that_are_interrupted_go_on_to_the_same_bits(planted: Planted, tmp_path: Path) -> None:
    configs, file = _family(L1(1.0)), tmp_path / "unfinished.safetensors"

    def cut(progress: FitProgress) -> None:
        if progress.step == 31:
            raise _PowerCutError

    with pytest.raises(_PowerCutError):
        fit_sites(_sites(planted, configs), watch=Watch(cut, file))
    resumed = fit_sites(_sites(planted, configs), watch=Watch(None, file))
    for found, expected in zip(resumed, fit_sites(_sites(planted, configs)), strict=True):
        for one, other in zip(found, expected, strict=True):
            assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_sites_agree_on_their_batches(planted: Planted) -> None:
    sites = [replace(site, configs=[FitConfig(n_steps=5 + place)]) for place, site in enumerate(_sites(planted, []))]
    with pytest.raises(UserError, match="have n_steps 5 and 6 and 7, expected one value"):
        fit_sites(sites)


def test_the_order_of_a_stack_does_not_matter(planted: Planted) -> None:
    configs = [config for kind in KINDS for config in _family(kind)]
    there = fit_stack(planted.rows, configs, generator=_generator())
    back = fit_stack(planted.rows, configs[::-1], generator=_generator())[::-1]
    for one, other in zip(there, back, strict=True):
        _assert_close(one, other, 1e-3)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_the_same_seed_gives_the_same_bits(kind: LearnedKind, planted: Planted) -> None:
    first, second = (fit_stack(planted.rows, _family(kind), generator=_generator()) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_members_of_one_kind_give_different_dictionaries(planted: Planted) -> None:
    members = fit_stack(planted.rows, _family(TopK(3)), generator=_generator())
    assert not torch.equal(members[0].W_dec, members[2].W_dec)


def test_autoencoders_and_baselines_may_stand_together(planted: Planted) -> None:
    configs = [FitConfig(Pca(3), n_steps=7), FitConfig(TopK(3), width=24, **QUICK), FitConfig(KMeans(4))]
    with pytest.raises(UserError, match="have n_steps 7 and 60 and 1000, expected one value: fit them in separate"):
        fit_stack(planted.rows, configs, generator=_generator())
    configs = [replace(config, **QUICK) for config in configs]
    assert [member.kind for member in fit_stack(planted.rows, configs, generator=_generator())] == [
        config.kind for config in configs
    ]


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_an_interrupted_stack_goes_on_to_the_same_bits(kind: LearnedKind, planted: Planted, tmp_path: Path) -> None:
    configs, file = _family(kind), tmp_path / "unfinished.safetensors"

    def cut(progress: FitProgress) -> None:
        if progress.step == 31:
            raise _PowerCutError

    with pytest.raises(_PowerCutError):
        fit_stack(planted.rows, configs, generator=_generator(), watch=Watch(cut, file))
    steps: list[int] = []
    watch = Watch(lambda progress: steps.append(progress.step), file)
    resumed = fit_stack(planted.rows, configs, generator=_generator(), watch=watch)
    assert steps == list(range(31, 61))
    for one, other in zip(resumed, fit_stack(planted.rows, configs, generator=_generator()), strict=True):
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_a_finished_stack_is_read_back_without_a_step(planted: Planted, tmp_path: Path) -> None:
    configs, file = _family(TopK(3)), tmp_path / "unfinished.safetensors"
    first = fit_stack(planted.rows, configs, generator=_generator(), watch=Watch(None, file))
    steps: list[FitProgress] = []
    again = fit_stack(planted.rows, configs, generator=_generator(), watch=Watch(steps.append, file))
    assert not steps
    assert all(torch.equal(one.W_dec, other.W_dec) for one, other in zip(first, again, strict=True))


def test_progress_is_told_about_a_hundred_times(planted: Planted) -> None:
    reports: list[FitProgress] = []
    config = FitConfig(TopK(2), width=12, n_steps=250, batch_rows=16)
    fit_stack(planted.rows, [config], generator=_generator(), watch=Watch(reports.append))
    steps = [report.step for report in reports]
    assert steps == sorted(set(steps))
    assert steps[-1] == 250
    assert 100 <= len(steps) <= 126


def test_progress_is_the_mean_over_members(planted: Planted) -> None:
    def last(configs: list[FitConfig]) -> FitProgress:
        reports: list[FitProgress] = []
        fit_stack(planted.rows, configs, generator=_generator(), watch=Watch(reports.append))
        return reports[-1]

    configs = _family(TopK(3))
    alone = [last([config]) for config in configs]
    for measure in ("fvu", "l0", "loss"):
        mean = sum(getattr(report, measure) for report in alone) / len(alone)
        assert getattr(last(configs), measure) == pytest.approx(mean, rel=1e-3)


def test_no_dictionary_is_refused(planted: Planted) -> None:
    with pytest.raises(UserError, match="The stack has 0 dictionaries, expected at least 1"):
        fit_stack(planted.rows, [], generator=_generator())


def test_two_dictionaries_of_one_name_are_refused(planted: Planted) -> None:
    with pytest.raises(UserError, match="2 dictionaries called 'topk-512-k8', expected 1: ask for it once"):
        fit_stack(planted.rows, [FitConfig(), FitConfig()], generator=_generator())


@pytest.mark.parametrize("kind", [Ica(33), Pca(33)], ids=lambda kind: type(kind).__name__)
def test_more_components_than_dimensions_are_refused(kind: Ica | Pca, planted: Planted) -> None:
    with pytest.raises(UserError, match="has n_components=33, expected at most 32 for 10000 rows of length 32"):
        fit_stack(planted.rows, [FitConfig(kind)], generator=_generator())


def test_more_clusters_than_rows_are_refused(planted: Planted) -> None:
    with pytest.raises(UserError, match="KMeans has n_clusters=9, expected at most 5 for 5 rows of length 32"):
        fit_stack(planted.rows[:5], [FitConfig(KMeans(9))], generator=_generator())


def test_another_stack_under_way_is_refused(planted: Planted, tmp_path: Path) -> None:
    file = tmp_path / "unfinished.safetensors"
    fit_stack(planted.rows, _family(TopK(3)), generator=_generator(), watch=Watch(None, file))
    with pytest.raises(UserError, match="is a stack under way with another configuration: ask for the same again"):
        fit_stack(planted.rows, _family(TopK(2)), generator=_generator(), watch=Watch(None, file))
    with pytest.raises(UserError, match="is a stack under way with another rows, seed"):
        fit_stack(planted.rows[1:], _family(TopK(3)), generator=_generator(2), watch=Watch(None, file))


def test_a_file_that_is_no_stack_is_refused(planted: Planted, tmp_path: Path) -> None:
    file = tmp_path / "unfinished.safetensors"
    file.write_text(json.dumps({}))
    with pytest.raises(UserError, match=r"is damaged .*: remove it to begin that work anew"):
        fit_stack(planted.rows, _family(TopK(3)), generator=_generator(), watch=Watch(None, file))
