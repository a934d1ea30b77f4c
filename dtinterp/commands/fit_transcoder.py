"""A model on disk becomes what can stand in for each of its MLPs: linear maps and transcoders, with report cards."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import logits_with_hooks
from dtinterp.activations.mlps import MlpRows, MlpSplice, check_layer, harvest_mlp
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.behaviour import ConstantRow, RowEdit, effects
from dtinterp.dictionary.config import FitProgress, Watch
from dtinterp.dictionary.distinct import distinct_rows
from dtinterp.dictionary.map_card import MapCard, map_card, save_map
from dtinterp.dictionary.maps import Linear, RowMap, SkipTranscoder, Transcoder, apply_map
from dtinterp.dictionary.transcoding import MapConfig, Pairs, fit_map
from dtinterp.foundation.artefact import refuse_existing
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.acting import ActingConfig, Trial


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

    def fits(self) -> Iterator[MapConfig]:
        """Yield the maps that are fitted to each MLP. Raises `UserError` for impossible ones."""
        yield MapConfig(Linear())
        for width in self.n_features:
            for k in self.k:
                for member in self.seeds:
                    for kind in (Transcoder(k), SkipTranscoder(k)):
                        yield MapConfig(kind, width, n_steps=self.n_steps, member=member)


def fit_transcoder(
    config: TranscoderConfig,
    out: Path = Path("results/transcoders"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> dict[str, str]:
    """Fit transcoders, skip-transcoders and a linear map to a model's MLPs, and let it act with each in their place.

    Args:
        config: which MLPs, and by what.
        out: folder to write into, one artefact for each MLP and map.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        replace: write them anew where they exist.
    """
    subject = load_subject(model, demonstrations, untrained=config.untrained)
    layers = config.layers or tuple(range(subject.model.cfg.n_layers))
    fits = list(config.fits())
    for layer in layers:
        check_layer(subject.model, layer)
        for fit in fits:
            refuse_existing(_folder(out, layer, fit), replace=replace)
    told = {}
    for layer in layers:
        trial = _Trial.of(subject, layer, config)
        for fit in fits:
            row_map = trial.fitted(fit)
            card, folder = trial.card(row_map), _folder(out, layer, fit)
            save_map(folder, row_map, card, parents=subject.artefacts, seed=config.seed, replace=replace)
            told[str(folder)] = _told(card)
    return told


@dataclass(frozen=True)
class _Trial:
    """One MLP, and the rows on which what stands in for it is fitted and judged."""

    subject: Subject
    config: TranscoderConfig
    pairs: Pairs
    held_out: MlpRows
    windows: Windows

    @classmethod
    def of(cls, subject: Subject, layer: int, config: TranscoderConfig) -> "_Trial":
        """Harvest the MLP's rows; equal inputs have equal outputs, so distinct ones with their counts are enough."""
        model, items, seed = subject.model, subject.items, config.seed
        rows = harvest_mlp(model, subject.train_windows(config.n_windows, seed=seed), items, layer)
        distinct = distinct_rows(rows.inputs)
        first = torch.full((len(distinct.value),), len(rows.inputs))
        first = first.scatter_reduce(0, distinct.member, torch.arange(len(rows.inputs)), "amin")
        pairs = Pairs(distinct.value, rows.outputs[first], f"blocks.{layer}.mlp", distinct.count)
        windows = subject.held_out_windows(config.n_held_out_windows, seed=seed)
        return cls(subject, config, pairs, harvest_mlp(model, windows, items, layer), windows)

    def fitted(self, fit: MapConfig) -> RowMap:
        """Fit one map, and name it after the model's control where it is one."""
        site = self.pairs.site
        with progress(f"fitting {fit.title} at {site}", fit.n_steps) as bar:

            def show(state: FitProgress) -> None:
                bar.reach(state.step, f"FVU {state.fvu:.3f} L0 {state.l0:.1f} {state.silent_share:.0%} dead")

            found = fit_map(self.pairs, fit, generator=generator(self.config.seed, f"map/{site}"), watch=Watch(show))
        return replace(found, name=f"untrained {found.name}") if self.subject.is_untrained else found

    def card(self, row_map: RowMap) -> MapCard:
        """Judge one map on held-out rows, by the next action, and by what the model earns."""
        subject, rows, seed = self.subject, self.held_out, self.config.seed
        episode = subject.trajectories.episode
        mean, apply = rows.outputs.mean(dim=0), partial(apply_map, row_map)
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
        earned = Trial(subject.model, subject.trajectories.env_id, self.config.acting, seed).act(arms)
        return replace(card, effects=judged, acting=earned)


def _folder(out: Path, layer: int, fit: MapConfig) -> Path:
    return out / f"blocks.{layer}.mlp" / fit.title


def _told(card: MapCard) -> str:
    """Return a card in a line."""
    assert card.effects is not None
    assert card.acting is not None
    recovered, kept = card.effects.loss_recovered_from_mean, card.acting.return_kept
    return ", ".join(
        [
            f"FVU {card.fvu.estimate:.3f}",
            "nothing unseen" if card.fvu_unseen is None else f"unseen {card.fvu_unseen.estimate:.3f}",
            "the mean costs nothing" if recovered is None else f"loss recovered {recovered.estimate:.3f}",
            f"KL {card.effects.spliced.kl.estimate:.4f}",
            "no return to keep" if kept is None else f"return kept {kept:.3f}",
            *card.warnings,
        ]
    )
