"""Fitting and judging of maps that can stand in for a model's MLPs: linear maps and transcoders."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import logits_with_hooks
from dtinterp.activations.mlps import MlpRows, MlpSplice, check_layer, harvest_mlps
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.config import FitProgress, MapConfig, Watch
from dtinterp.dictionary.dictionary import RowMap, reconstruct
from dtinterp.dictionary.evaluation.behaviour import ConstantRow, RowEdit, effects
from dtinterp.dictionary.evaluation.map_card import MapCard, map_card
from dtinterp.dictionary.fit import LayerPairs, fit_maps
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder, Transcoder
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.dictionary.rows.table import Pairs
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.ranges import require_at_least, require_each_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.returns.model_returns import ActingConfig, ModelReturns
from dtinterp.subject.fitting import note_of
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class TranscoderConfig:
    """Which MLPs are replaced, and by what."""

    layers: tuple[int, ...] = ()
    """blocks whose MLP is replaced, one at a time; empty: each of them"""
    n_features: tuple[int, ...] = (512,)
    """widths of the transcoders, with and without a linear path; the linear map is always fitted beside them"""
    k: tuple[int, ...] = (8,)
    """features that a row may use"""
    seeds: tuple[int, ...] = (0,)
    """seeds of the first weights"""
    n_steps: int = 1000
    """steps of Adam"""
    n_windows: int = 2048
    """training windows whose rows are learnt, at all tokens"""
    n_held_out_windows: int = 512
    """held-out windows on which they are judged"""
    acting: ActingConfig = field(default_factory=ActingConfig)
    """how the model is made to act with a map in place of its MLP"""
    untrained: bool = False
    """take a model of the same shape that never saw a window: the control"""
    seed: int = 0
    """seed of the windows"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_steps", "n_windows", "n_held_out_windows")
        require_each_at_least(self, 0, "layers", "seeds")
        require_each_at_least(self, 1, "n_features", "k")
        require_sensible(self)

    def fits(self) -> Iterator[MapConfig]:
        """Yield the maps that are fitted to each MLP. Raises `UserError` for impossible ones."""
        yield MapConfig(Linear())
        for width in self.n_features:
            for k in self.k:
                for member in self.seeds:
                    for kind in (Transcoder(k), SkipTranscoder(k)):
                        yield MapConfig(kind, width, n_steps=self.n_steps, member=member)


@dataclass(frozen=True)
class JudgedMap:
    """What can stand in for an MLP, and how well it does."""

    row_map: RowMap
    card: MapCard

    def __str__(self) -> str:
        """Return the card in a line."""
        assert self.card.effects is not None
        assert self.card.acting is not None
        recovered, kept = self.card.effects.loss_recovered_from_mean, self.card.acting.return_kept
        unseen = self.card.fvu_unseen
        return ", ".join(
            [
                f"FVU {self.card.fvu.estimate:.3f}",
                "nothing unseen" if unseen is None else f"unseen {unseen.estimate:.3f}",
                "the mean costs nothing" if recovered is None else f"loss recovered {recovered.estimate:.3f}",
                f"KL {self.card.effects.spliced.kl.estimate:.4f}",
                "no return to keep" if kept is None else f"return kept {kept:.3f}",
                *self.card.warnings,
            ]
        )


def names_of(subject: Subject, config: TranscoderConfig) -> list[str]:
    """Return what the maps are called, such as `blocks.0.mlp/linear`. Raises `UserError` for a layer not there."""
    return [f"{_site(layer)}/{fit.title}" for layer in _layers(subject, config) for fit in config.fits()]


def fit_transcoders(
    subject: Subject, config: TranscoderConfig = TranscoderConfig(), *, unfinished: Path | None = None
) -> list[JudgedMap]:
    """Fit all maps to all MLPs as one computation, and judge each, in the order of `names_of`.

    With `unfinished`, an interrupted fit goes on from that file.
    """
    mlps = _mlps(subject, _layers(subject, config), config)
    found = _fitted(mlps, list(config.fits()), unfinished)
    judged = []
    with progress("judging maps", sum(map(len, found))) as bar:
        for mlp, maps in zip(mlps, found, strict=True):
            for row_map in maps:
                bar.advance(note=f"{row_map.name} at {row_map.site}")
                judged.append(JudgedMap(row_map, mlp.card(row_map)))
    return judged


def _layers(subject: Subject, config: TranscoderConfig) -> Sequence[int]:
    layers = tuple(dict.fromkeys(config.layers)) or tuple(range(subject.model.cfg.n_layers))
    for layer in layers:
        check_layer(subject.model, layer)
    return layers


def _site(layer: int) -> str:
    return f"blocks.{layer}.mlp"


@dataclass(frozen=True)
class _Mlp:
    """One MLP, and the rows on which what stands in for it is fitted and judged."""

    subject: Subject
    config: TranscoderConfig
    pairs: Pairs
    held_out: MlpRows
    windows: Windows
    trial: ModelReturns
    """the model in its world: all maps of all MLPs stand beside what it earns intact"""

    def wanted(self, fits: Sequence[MapConfig]) -> LayerPairs:
        """Return what is learnt, and by which maps."""
        return LayerPairs(self.pairs, fits, generator(self.config.seed, f"map/{self.pairs.site}"))

    def card(self, row_map: RowMap) -> MapCard:
        """Judge one map on held-out rows, by the next action, and by what the model earns."""
        subject, rows, seed = self.subject, self.held_out, self.config.seed
        episode = subject.trajectories.episode
        mean, apply = rows.outputs.mean(dim=0), partial(reconstruct, row_map)
        card = map_card(
            row_map,
            rows.inputs,
            rows.outputs,
            fitted=self.pairs.inputs,
            cluster=episode[rows.step],
            generator=numpy_generator(seed, "map/cards"),
        )
        spliced = partial(MlpSplice, subject.model, rows.layer)
        arms = {
            "clean": spliced(None),
            "spliced": spliced(apply),
            "zero": spliced(torch.zeros_like),
            "mean": spliced(ConstantRow(mean)),
        }

        def logits_with(edit: RowEdit | None) -> Float32[Tensor, "row action"]:
            return logits_with_hooks(subject.model, self.windows, subject.items, spliced(edit))

        judged = effects(
            apply,
            mean,
            logits_with=logits_with,
            target_action=self.windows.action[self.windows.mask],
            cluster=episode[self.windows.step[self.windows.mask]],
            generator=numpy_generator(seed, "map/bootstrap"),
        )
        return dataclasses.replace(card, effects=judged, acting=self.trial.under(arms))


def _mlps(subject: Subject, layers: Sequence[int], config: TranscoderConfig) -> list[_Mlp]:
    """Harvest the rows of all MLPs in one pass over the windows to learn from, and one over those to judge by."""
    model, items, seed = subject.model, subject.items, config.seed
    learnt = harvest_mlps(model, subject.train_windows(config.n_windows, seed=seed), items, layers)
    windows = subject.held_out_windows(config.n_held_out_windows, seed=seed)
    held_out = harvest_mlps(model, windows, items, layers)
    trial = ModelReturns(model, subject.trajectories.env_id, config.acting, seed)
    return [
        _Mlp(subject, config, _pairs(rows), judging, windows, trial)
        for rows, judging in zip(learnt, held_out, strict=True)
    ]


def _pairs(rows: MlpRows) -> Pairs:
    """Return the distinct inputs with their counts: they are enough, since equal inputs have equal outputs."""
    distinct = distinct_rows(rows.inputs)
    first = torch.full((len(distinct.value),), len(rows.inputs))
    first = first.scatter_reduce(0, distinct.member, torch.arange(len(rows.inputs)), "amin")
    return Pairs(distinct.value, rows.outputs[first], _site(rows.layer), distinct.count)


def _fitted(mlps: Sequence[_Mlp], fits: Sequence[MapConfig], unfinished: Path | None) -> list[list[RowMap]]:
    """Fit all maps of all MLPs; those of the model's control say in their names what they are."""
    with progress(f"fitting {len(fits)} maps in place of {len(mlps)} MLPs", mlps[0].config.n_steps) as bar:

        def show(state: FitProgress) -> None:
            bar.reach(state.step, note_of(state))

        found = fit_maps([mlp.wanted(fits) for mlp in mlps], watch=Watch(show, unfinished))
    prefix = "untrained " if mlps[0].subject.is_untrained else ""
    return [[dataclasses.replace(each, name=f"{prefix}{each.name}") for each in of_layer] for of_layer in found]
