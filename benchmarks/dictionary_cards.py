"""Report cards of all kinds of dictionary for several models, the untrained and the published one among them.

    python benchmarks/dictionary_cards.py --imported FOLDER              all of them
    python benchmarks/dictionary_cards.py --models memory-dt --quick     one model, fewer windows and steps
    python benchmarks/dictionary_cards.py --without l1-128-c1            all but one
    python benchmarks/dictionary_cards.py --measures dictionaries        no maps, probes and truths

The numbers go to benchmarks/results/dictionary_cards.json, of which docs/results.py makes tables. FOLDER is what
`dtinterp import-model` made of the published checkpoint; without it that model is left out. What stands under --work
already is not made again, so an interrupted run goes on; models and measures that are not asked for keep their numbers.
Nothing is asserted.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from card_numbers import card_of, in_lines, map_numbers, truth_numbers

from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig
from dtinterp.commands.dictionaries.fit_transcoder import fit_transcoder
from dtinterp.commands.dictionaries.probe import probe
from dtinterp.commands.features.truth import truth
from dtinterp.commands.reading import read_dictionary
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.frozen_decoder import FrozenDecoder
from dtinterp.dictionary.kinds.baselines.frozen_encoder import FrozenEncoder
from dtinterp.dictionary.kinds.baselines.ica import Ica
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.baselines.random import Random
from dtinterp.dictionary.kinds.baselines.semi_nmf import SemiNmf
from dtinterp.features.describe import DescribeConfig, recovered_items
from dtinterp.features.probing import ProbeConfig
from dtinterp.features.truth.assessment import TRUTH
from dtinterp.features.truth.controlled import TruthConfig
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import Beside, load, save
from dtinterp.foundation.shipped import DEMONSTRATIONS, shipped
from dtinterp.interventions.replacements.scoring import Judging, score_fits
from dtinterp.interventions.replacements.transcoding import TranscoderConfig
from dtinterp.interventions.returns.model_returns import ActingConfig
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.subject.fitting import TrainingRows, fit_dictionaries
from dtinterp.subject.subject import Subject, open_subject

EMBEDDING, LAYER = "hook_obs_embed", "blocks.1.hook_resid_pre"
SITES = (EMBEDDING, LAYER)
FITS = (
    *(FitConfig(TopK(8), width=128, member=seed) for seed in range(3)),
    FitConfig(TopK(8), width=512),
    FitConfig(BatchTopK(8), width=128),
    FitConfig(Matryoshka(8), width=128),
    FitConfig(L1(1.0), width=128),
    FitConfig(JumpReLU(1.0), width=128),
    FitConfig(Gated(2.0), width=128),
    FitConfig(Pca(8)),
    FitConfig(Pca(32)),
    FitConfig(Ica(8)),
    FitConfig(SemiNmf(16)),
    FitConfig(KMeans(16)),
    FitConfig(KMeans(128)),
    FitConfig(FrozenDecoder(8), width=128),
    FitConfig(FrozenEncoder(8), width=128),
    FitConfig(Random(8), width=128),
    FitConfig(Identity()),
)
ITEMS = FitConfig(Items(8))
"""The item basis, at the embedding of models that read items."""
MAP_WINDOWS = 1024
"""Training windows that maps of MLPs are fitted to."""
OURS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2")
TOLD = ("topk-128-k8", "topk-512-k8", "random-128-k8")
"""Dictionaries that are held against the truth, each beside one of the same make in an untrained model."""
CONTROLLED = ("memory-dt", "memory-dt-small-0", "published")
"""Models beside which one of the same shape stands that never saw a window; that of memory-dt-small-0 has the shape of
the other two small ones as well."""


@dataclass(frozen=True)
class Contender:
    """A model, or a model of its shape that never saw a window."""

    name: str
    folder: Path
    untrained: bool = False


Measure = Callable[[Contender, argparse.Namespace], Mapping[str, object]]


def main() -> None:
    """Make what is missing, and write the numbers."""
    arguments = _arguments()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    known = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else "{}"
    found: dict[str, dict] = json.loads(known)
    contenders = list(_contenders(arguments))
    for name in arguments.measures:
        for contender in contenders:
            began = time.process_time()
            made = {part: numbers for part, numbers in MEASURES[name](contender, arguments).items() if numbers}
            found[contender.name] = {**found.get(contender.name, {}), **made}  # with --collect, made may lack parts
            arguments.output.write_text(in_lines(found), encoding="utf-8")
            seconds = time.process_time() - began
            print(f"{contender.name}, {name}: {seconds:.0f} s of processor time", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=OURS)
    parser.add_argument("--imported", type=Path, help="folder of the published model")
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--without", nargs="+", default=(), metavar="NAME", help="dictionaries that are not made")
    parser.add_argument("--windows", type=int, default=1024, help="held-out windows")
    parser.add_argument("--fitted-windows", type=int, help="training windows; none: what fit-dictionary takes")
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--collect", action="store_true", help="make nothing: gather what stands under --work")
    parser.add_argument("--work", type=Path, default=Path("results/dictionary-cards"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/dictionary_cards.json"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.windows, arguments.episodes = 64, 4
    return arguments


def _contenders(arguments: argparse.Namespace) -> Iterator[Contender]:
    folders = {name: shipped("checkpoints/models") / name for name in arguments.models}
    if arguments.imported is not None:
        folders["published"] = arguments.imported
    for name, folder in folders.items():
        yield Contender(name, folder)
        if name in CONTROLLED:
            yield Contender(f"{name} untrained", folder, untrained=True)


def _work(contender: Contender, arguments: argparse.Namespace) -> Path:
    return arguments.work / contender.name.replace(" ", "-")


def _dictionaries(contender: Contender, arguments: argparse.Namespace) -> dict[str, object]:
    """Return the cards; at the embedding with what each dictionary recovers of the items."""
    config = DictionaryConfig(
        untrained=contender.untrained,
        n_windows=arguments.fitted_windows,
        n_held_out_windows=arguments.windows,
        judging=Judging(ActingConfig(n_episodes=arguments.episodes)),
    )
    subject = open_subject(contender.folder, DEMONSTRATIONS, untrained=contender.untrained)
    work, cards = _work(contender, arguments), []
    for site in SITES:
        fits = _fits(subject, site)
        if not arguments.collect:
            wanted = [fit for fit in fits if fit.title not in arguments.without]
            _make(subject, wanted, replace(config, site=site), work / site)
        folders = [work / site / fit.title for fit in fits]
        cards += [_numbers(subject, folder) for folder in folders if folder.exists()]
    return {"dictionaries": cards}


def _fits(subject: Subject, site: str) -> Sequence[FitConfig]:
    knows_items = site == EMBEDDING and subject.model.cfg.n_items == ONE_HOT
    return (*FITS, ITEMS) if knows_items else FITS


def _make(subject: Subject, fits: Sequence[FitConfig], config: DictionaryConfig, work: Path) -> None:
    """Fit what is missing as one stack, in which each member is what `fit-dictionary` makes of it alone, and judge it.

    Of dictionaries that differ in their seed all are made where one is missing, since they are held against each other.
    """
    families = {replace(fit, member=0) for fit in fits if not (work / fit.title).exists()}
    missing = [fit for fit in fits if replace(fit, member=0) in families]
    if not missing:
        return
    (fitted,) = TrainingRows.of_sites(subject, (config.site,), n_windows=config.n_windows, seed=config.seed)
    given, found = [fit for fit in missing if fit == ITEMS], [fit for fit in missing if fit != ITEMS]
    unfinished = work.with_name(f"{work.name}.unfinished.safetensors")
    for stack in filter(None, (found, given)):
        (dictionaries,) = fit_dictionaries([fitted], stack, seed=config.seed, unfinished=unfinished)
        judged = score_fits(
            fitted, stack, dictionaries, config.judging, n_windows=config.n_held_out_windows, seed=config.seed
        )
        for fit, (dictionary, score) in zip(stack, judged, strict=True):
            parents, seed = subject.artefacts, config.seed
            beside = Beside(metrics=asdict(score))
            save(work / fit.title, dictionary, parents=parents, seed=seed, replace=True, beside=beside)
            unfinished.unlink(missing_ok=True)  # what is missing after an interruption is another stack


def _numbers(subject: Subject, folder: Path) -> dict[str, object]:
    is_told = folder.name.partition("-m")[0] in TOLD
    items = recovered_items(subject, read_dictionary(subject, folder)[0], DescribeConfig())
    return card_of(folder, items, with_hierarchies=is_told)


def _beyond(contender: Contender, arguments: argparse.Namespace) -> dict[str, object]:
    """Return what stands in for the MLPs, and what probes read."""
    work = _work(contender, arguments)
    maps = _maps(contender, work / "mlps", arguments)
    return {"mlps": maps, "probes": _probes(contender, work / "probes", arguments)}


def _truths(contender: Contender, arguments: argparse.Namespace) -> dict[str, object]:
    """Return what single features tell of items and facts; an untrained model stands beside each as its control."""
    if contender.untrained:
        return {}
    work = _work(contender, arguments)
    found = []
    for site in SITES:
        for name in TOLD:
            out = work / "truth" / site / name
            if not out.exists() and not arguments.collect:
                config = TruthConfig(n_fit_windows=arguments.fitted_windows)
                truth(config, work / site / name, out, model=contender.folder, demonstrations=DEMONSTRATIONS)
            if out.exists():
                found.append({"dictionary": name, "site": site, **truth_numbers(load(out, TRUTH))})
    return {"truth": found}


def _maps(contender: Contender, work: Path, arguments: argparse.Namespace) -> list[dict[str, object]]:
    config = TranscoderConfig(
        n_windows=MAP_WINDOWS,
        n_held_out_windows=arguments.windows,
        n_features=(128,),
        n_steps=50 if arguments.quick else 500,
        untrained=contender.untrained,
        acting=ActingConfig(n_episodes=0),
    )
    finished = work / "finished"
    if not finished.exists() and not arguments.collect:
        fit_transcoder(config, work, model=contender.folder, demonstrations=DEMONSTRATIONS, replace=True)
        finished.touch()
    return [map_numbers(folder) for folder in sorted(work.glob("*/*")) if folder.is_dir()]


def _probes(contender: Contender, work: Path, arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.collect and not work.exists():
        return {}
    config = ProbeConfig((*SITES, "blocks.1.hook_resid_post"), untrained=contender.untrained, n_windows=128)
    made = (
        read_artefact(work, kind="probes")
        if work.exists()
        else probe(config, work, model=contender.folder, demonstrations=DEMONSTRATIONS)
    )
    return dict(made.manifest.metrics)


MEASURES: Mapping[str, Measure] = {"dictionaries": _dictionaries, "beyond": _beyond, "truths": _truths}


if __name__ == "__main__":
    main()
