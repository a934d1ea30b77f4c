"""Report cards of the same dictionaries for several models, the untrained and the published one among them.

    python benchmarks/dictionary_cards.py --imported FOLDER              all of them
    python benchmarks/dictionary_cards.py --models memory-dt --quick     one model, fewer windows and steps

The numbers go to benchmarks/results/dictionary_cards.json, of which docs/dictionaries.py makes tables. FOLDER is what
`dtinterp import-model` made of the published checkpoint; without it that model is left out. What stands under --work
already is not made again, so an interrupted run goes on; models that are not asked for keep their numbers. Nothing is
asserted.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dtinterp.commands.fit_dictionary import DictionaryConfig, fit_dictionary
from dtinterp.commands.fit_transcoder import TranscoderConfig, fit_transcoder
from dtinterp.commands.probe import ProbeConfig, probe
from dtinterp.commands.scoring import Judging
from dtinterp.commands.subject import CHECKPOINTS, DEMONSTRATIONS
from dtinterp.commands.truth import TruthConfig, truth
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.gate import verdict_of
from dtinterp.dictionary.kinds import Pca, Random, TopK
from dtinterp.dictionary.map_card import load_map_card
from dtinterp.dictionary.score import DictionaryScore
from dtinterp.dictionary.storage import load_score
from dtinterp.dictionary.variations import Variations, varied
from dtinterp.features.truth import TruthStudy, summary_of
from dtinterp.features.truth_storage import load_truth
from dtinterp.foundation.artefact import read_artefact
from dtinterp.interventions.acting import ActingConfig

SITES = ("hook_obs_embed", "blocks.1.hook_resid_pre")
FITS = (
    (FitConfig(TopK(8)), Variations(n_features=(128,), seeds=(0, 1, 2))),
    (FitConfig(TopK(8)), Variations(n_features=(512,))),
    (FitConfig(Pca(32)), Variations(seeds=(0,))),
    (FitConfig(Random(8)), Variations(n_features=(128,))),
)
OURS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2")
TOLD = ("topk-128-k8", "topk-512-k8", "random-128-k8")
"""Dictionaries that are held against the truth, each beside one of the same make in an untrained model."""
CONTROLLED = ("memory-dt", "memory-dt-small-0")
"""Models beside which one of the same shape stands that never saw a window."""


@dataclass(frozen=True)
class Contender:
    """A model, or a model of its shape that never saw a window."""

    name: str
    folder: Path
    untrained: bool = False


def main() -> None:
    """Make what is missing, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=OURS)
    parser.add_argument("--imported", type=Path, help="folder of the published model")
    parser.add_argument("--windows", type=int, default=1024, help="held-out windows")
    parser.add_argument("--fitted-windows", type=int, default=4096, help="training windows")
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--collect", action="store_true", help="make nothing: gather what stands under --work")
    parser.add_argument("--work", type=Path, default=Path("results/dictionary-cards"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/dictionary_cards.json"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.windows, arguments.episodes = 64, 4
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    known = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else "{}"
    found: dict[str, dict] = json.loads(known)
    contenders = list(_contenders(arguments))
    for measure in (_dictionaries, _beyond, _truths):
        for contender in contenders:
            began = time.process_time()
            found[contender.name] = found.get(contender.name, {}) | measure(contender, arguments)
            arguments.output.write_text(_json(found), encoding="utf-8")
            seconds = time.process_time() - began
            print(f"{contender.name}, {measure.__name__.strip('_')}: {seconds:.0f} s of processor time")


def _contenders(arguments: argparse.Namespace) -> Iterator[Contender]:
    for name in arguments.models:
        folder = CHECKPOINTS / "models" / name
        yield Contender(name, folder)
        if name in CONTROLLED:
            yield Contender(f"{name} untrained", folder, untrained=True)
    if arguments.imported is not None:
        yield Contender("published", arguments.imported)


def _work(contender: Contender, arguments: argparse.Namespace) -> Path:
    return arguments.work / contender.name.replace(" ", "-")


def _dictionaries(contender: Contender, arguments: argparse.Namespace) -> dict[str, object]:
    cards = []
    for fit, vary in FITS:
        config = DictionaryConfig(
            fit=fit,
            vary=vary,
            untrained=contender.untrained,
            n_windows=arguments.fitted_windows,
            n_held_out_windows=arguments.windows,
            judging=Judging(ActingConfig(n_episodes=arguments.episodes)),
        )
        work = _work(contender, arguments)
        for site in SITES:
            folders = [work / site / each.title for each in varied(fit, vary)]
            if not arguments.collect and not all(folder.exists() for folder in folders):
                _make(replace(config, sites=(site,)), work, contender.folder)
            cards += [_named(folder) for folder in folders if folder.exists()]
    return {"dictionaries": cards}


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
                config = TruthConfig(n_windows=arguments.fitted_windows, n_fit_windows=arguments.fitted_windows)
                truth(config, work / site / name, out, model=contender.folder, demonstrations=DEMONSTRATIONS)
            if out.exists():
                found.append({"dictionary": name, "site": site, **_told(load_truth(out))})
    return {"truth": found}


def _told(study: TruthStudy) -> dict[str, object]:
    assert study.untrained is not None
    own, control = summary_of(study.report), study.untrained
    return {
        side: {"own": asdict(getattr(own, side)), "untrained": asdict(getattr(control, side))}
        for side in ("items", "facts")
    }


def _make(config: DictionaryConfig, work: Path, model: Path) -> None:
    fit_dictionary(config, work, model=model, demonstrations=DEMONSTRATIONS, replace=True)


def _named(folder: Path) -> dict[str, object]:
    score = load_score(folder)
    assert score is not None
    return {"dictionary": folder.name, "site": folder.parent.name, **_row(score)}


def _row(score: DictionaryScore) -> dict[str, object]:
    held_out, acting, decisions = score.held_out, score.acting, score.decisions
    assert held_out is not None
    assert acting is not None
    sampled = acting.played["temperature=1"]["spliced"]
    return {
        "width": score.width,
        "distinct": held_out.fitted.n_distinct,
        "effective_rank": held_out.fitted.effective_rank,
        "l0": asdict(score.l0),
        "fvu": asdict(score.fvu),
        "fvu_unseen": held_out.unseen and asdict(held_out.unseen.fvu),
        "fvu_unseen_frame": held_out.unseen_frame and asdict(held_out.unseen_frame.fvu),
        "dead": score.dead_share,
        "loss_recovered": score.loss_recovered_from_mean and asdict(score.loss_recovered_from_mean),
        "kl": asdict(score.spliced.kl),
        "accuracy": [score.clean.accuracy.estimate, score.spliced.accuracy.estimate],
        "decisions": decisions and _without_zeros(asdict(decisions)),
        "exact": {arm: asdict(earned) for arm, earned in acting.exact.items()},
        "sampled": asdict(sampled),
        "consistency": score.consistency and asdict(score.consistency),
        "hierarchies": [asdict(each) for each in score.hierarchies],
        "verdict": str(verdict_of(score)),
        "warnings": list(held_out.warnings),
    }


def _without_zeros(decisions: dict) -> dict:
    return {
        where: {name: value for name, value in effects.items() if "zero" not in name}
        for where, effects in decisions.items()
    }


def _maps(contender: Contender, work: Path, arguments: argparse.Namespace) -> list[dict[str, object]]:
    config = TranscoderConfig(
        n_windows=arguments.fitted_windows // 4,
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
    return [
        {"mlp": folder.parent.name, "map": folder.name, **asdict(load_map_card(folder))}
        for folder in sorted(work.glob("*/*"))
        if folder.is_dir()
    ]


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


def _json(found: dict[str, dict]) -> str:
    """Return the numbers as JSON, a line for each model."""
    lines = [f"{json.dumps(name)}: {json.dumps(_rounded(numbers))}" for name, numbers in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rounded(value: object) -> object:
    """Return the numbers with five digits: the artefacts have them all."""
    match value:
        case float():
            return float(f"{value:.5g}")
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case _:
            return value


if __name__ == "__main__":
    main()
