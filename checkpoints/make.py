"""Make what ships again: everything that rests on our models, in the order in which one thing rests on another.

    .venv/bin/python checkpoints/make.py            # what is missing, or rests on something that has changed since
    .venv/bin/python checkpoints/make.py --list     # the commands of that
    .venv/bin/python checkpoints/make.py --only 'studies/memory-dt/*' --anew

Agents, demonstrations and models are made by the commands in README.md; the published model has to be imported.
"""

import argparse
import fnmatch
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtinterp.equivalence.levels import between_classes
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.artefact import label_at, read_artefact
from dtinterp.foundation.artefacts.codec import load

ROOT = Path(__file__).parents[1]
SHIPPED = Path("checkpoints")
AGENT, DEMONSTRATIONS = SHIPPED / "agents/memory-movable", SHIPPED / "demonstrations/memory-movable"
STUDIED = {"memory-dt": "large", "memory-dt-small-0": "small"}
"""Models of which there is a whole study, by the name that `dtinterp study` has for them."""
OTHERS = ("memory-dt-small-1", "memory-dt-small-2", "memory-gated-mlp")
SITES = ("hook_obs_embed", "blocks.1.hook_resid_pre")
DESCRIBED = "topk-128-k8"
FITS = {
    DESCRIBED: ["--width", "128"],
    "topk-512-k8": ["--width", "512"],
    "l1-128-c1": ["--width", "128", "config.fit:l1"],
    "pca-8": ["config.fit:pca", "--n-components", "8"],
    "pca-32": ["config.fit:pca", "--n-components", "32"],
}
"""The dictionaries that are compared, and how each is asked for."""
UNSHIPPED = Path("results/unshipped")
"""Where what shipped artefacts rest on is made, and made again when it is missing."""
POPULATIONS = {
    "attainable": ["--asked", "attainable"],
    "nothing": ["--target-return", "0"],
    "demonstrated": ["--contexts", "held-out"],
    "successful": ["--contexts", "successful"],
}
"""Other histories, and other returns, that classes are certified for."""
OWN_PLAY = ["--n-plays", "2048", "--n-tested", "1024"]
N_PAIRS = 4


@dataclass(frozen=True)
class Step:
    """One command, and what it writes."""

    out: Path
    words: list[str]
    """without `--out` where `out` is not the command's own"""
    inputs: tuple[Path, ...] = ()
    """artefacts that the result rests on, beside the model"""
    needs: tuple["Step", ...] = ()
    """what it rests on that does not ship, and is made for it where it is missing"""
    last: Path | None = None
    """the artefact by which it is judged, where `out` is a folder of several"""

    @property
    def is_current(self) -> bool:
        """Whether what stands was made from the inputs as they stand."""
        path = self.last or self.out
        made = label_at(path)
        if made is None:
            return False
        parents = read_artefact(path, kind=made.kind).manifest.parents.values()
        return all((label := label_at(path)) is not None and label.digest in parents for path in self.inputs)

    def run(self) -> None:
        """Run the command; what stands at its output is replaced."""
        for step in self.needs:
            if not step.is_current:
                step.run()
        replaces = ["--replace"] if self.last or label_at(self.out) else []
        subprocess.run([sys.executable, "-m", "dtinterp.cli", *self._line(replaces)], cwd=ROOT, check=True)

    @property
    def commands(self) -> Iterator[str]:
        """The command lines that make it, those of what it needs first."""
        for step in self.needs:
            yield from step.commands
        yield shlex.join(["dtinterp", *self._line()])

    def _line(self, more: Sequence[str] = ()) -> list[str]:
        """The command and its options; a choice such as `config.fit:pca` takes what follows it, and so stands last."""
        choice = next((at for at, word in enumerate(self.words) if word.startswith("config.")), len(self.words))
        return [*self.words[:choice], "--out", str(self.out), *more, *self.words[choice:]]


def steps() -> Iterator[Step]:
    """Yield all steps, each after what it rests on."""
    for name in (*STUDIED, *OTHERS):
        yield from _certificates(name)
    for name, size in STUDIED.items():
        yield from _studied(name, size)
    for name in OTHERS:
        yield from _explained(name)
    for name in (*STUDIED, *OTHERS):
        yield from _compared(name)
    for name in STUDIED:
        yield from _populations(name)
        yield Step(study_of(name) / "beliefs", ["regress-beliefs", *_model(name)])
    for name in (*STUDIED, *OTHERS):
        yield from _of_the_model(name)
    names = ("memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-dt", "memory-gated-mlp")
    certified = [study_of(name) / "equivalence" for name in names]
    models = [str(SHIPPED / "models" / name) for name in names]
    words = ["compare", "--n-draws", "2000", "--equivalence", *map(str, certified), "--model", *models]
    yield Step(SHIPPED / "comparisons/models", words, tuple(certified))


def study_of(name: str) -> Path:
    """Return where the results of a model are."""
    return SHIPPED / ("comparisons/published" if name == "memory-gated-mlp" else f"studies/{name}")


def _certificates(name: str) -> Iterator[Step]:
    out, model = study_of(name), _model(name)
    plays = ["certify", "--contexts", "plays", "--horizon", "3", "--n-fresh", "100000", "--n-wandered", "0", *model]
    yield Step(out / "plays", plays)
    own = ["certify", *OWN_PLAY, "--n-merges", "200", "--n-episodes", "2000", "--agent", str(AGENT)]
    yield Step(out / "equivalence", [*own, "--finer-than", str(out / "plays"), *model], (out / "plays",))


def _studied(name: str, size: str) -> Iterator[Step]:
    out, model = study_of(name), _model(name)
    classes = out / "equivalence"
    words = ["study", "--model", size, "--equivalence", str(classes)]
    yield Step(out, words, (classes,), last=out / "explanation")
    yield _machine(name)
    rivals = tuple(_population(name, each) for each in ("nothing", "demonstrated"))
    all_plays = ["check-plays", "--horizon", "9", "--equivalence", str(classes), *model]
    beside = ["--rivals", *(str(step.out) for step in rivals)]
    yield Step(out / "all-plays", [*all_plays, *beside], (classes,), rivals)
    for site in SITES:
        for title in FITS:
            yield from _meanings(name, out / "dictionaries" / site / title)


def _explained(name: str) -> Iterator[Step]:
    out, model = study_of(name), _model(name)
    classes = out / "equivalence"
    yield _machine(name)
    for site in SITES:
        yield _fitted(name, site, DESCRIBED, out / "dictionaries" / site / DESCRIBED)
        yield from _meanings(name, out / "dictionaries" / site / DESCRIBED)
    dictionary = out / "dictionaries" / SITES[0] / DESCRIBED
    given = ["--dictionary", str(dictionary), *model]
    yield Step(
        out / "explanation",
        ["explain-classes", "--equivalence", str(classes), *given],
        (classes, dictionary),
    )
    if label_at(classes):
        for pair in between_classes(load(classes, EQUIVALENCE), N_PAIRS):
            yield _pair(out, pair, ["--n-sets", "500", "--n-draws", "100", *given], dictionary)


def _compared(name: str) -> Iterator[Step]:
    """Yield the comparison of ten dictionaries; those that do not ship are made for it."""
    out, model = study_of(name), _model(name)
    if name in OTHERS:
        shipped = tuple(out / "dictionaries" / site / DESCRIBED for site in SITES)
        made = tuple(
            _fitted(name, site, title, UNSHIPPED / name / "dictionaries" / site / title)
            for site in SITES
            for title in FITS
            if title != DESCRIBED
        )
        given = ["--dictionary", *map(str, shipped), *(str(step.out) for step in made), *model]
        yield Step(out / "comparison", ["compare-features", *given], shipped, made)
    if name == "memory-dt":
        dictionaries = [out / "dictionaries" / site / title for site in SITES for title in FITS]
        given = ["--untrained", "--dictionary", *map(str, dictionaries), *model]
        yield Step(out / "comparison-untrained", ["compare-features", *given], tuple(dictionaries))


def _of_the_model(name: str) -> Iterator[Step]:
    out, model = study_of(name), _model(name)
    reachable = ["certify", "--only-reachable", "--contexts", "held-out", "--n-joint-rounds", "0", "--n-wandered", "0"]
    yield Step(out / "reachable", [*reachable, *model])
    if name != "memory-gated-mlp":
        world = ["screen", "--contexts", "world", "--n-probes", "64", "--n-rounds", "6", "--n-fresh", "8"]
        yield Step(out / "screening", [*world, *model])
        yield Step(out / "validation", ["validate", *model])
        yield Step(out / "calibration", ["calibrate", *model])


def _populations(name: str) -> Iterator[Step]:
    shipped = (study_of(name) / "equivalence", study_of(name) / "plays")
    made = tuple(_population(name, each) for each in POPULATIONS)
    words = ["compare-partitions", *map(str, shipped), *(str(step.out) for step in made)]
    yield Step(study_of(name) / "populations", words, shipped, made)


def _population(name: str, population: str) -> Step:
    words = ["certify", *OWN_PLAY, "--n-wandered", "0", *POPULATIONS[population], *_model(name)]
    return Step(UNSHIPPED / name / population, words)


def _meanings(name: str, dictionary: Path) -> Iterator[Step]:
    """Yield what a dictionary's features mean, in words and in facts of the world."""
    given = ["--dictionary", str(dictionary), *_model(name)]
    for kind, command in (("labels", "label"), ("truth", "truth")):
        out = study_of(name) / kind / dictionary.parent.name / dictionary.name
        yield Step(out, [command, *given], (dictionary,))


def _fitted(name: str, site: str, title: str, out: Path) -> Step:
    return Step(out, ["fit-dictionary", "--site", site, *_model(name), *FITS[title]])


def _machine(name: str) -> Step:
    classes = study_of(name) / "equivalence"
    words = ["extract-machine", "--equivalence", str(classes), *_model(name)]
    return Step(study_of(name) / "machine", words, (classes,))


def _pair(out: Path, pair: tuple[int, int], words: list[str], dictionary: Path) -> Step:
    one, other = map(str, pair)
    classes = out / "equivalence"
    words = ["explain-pair", one, other, "--equivalence", str(classes), *words]
    return Step(out / "pairs" / f"{one}-{other}", words, (dictionary, classes))


def _model(name: str) -> list[str]:
    return ["--model", str(SHIPPED / "models" / name)]


def main() -> None:
    """Run the steps that are asked for and needed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="a pattern of paths below checkpoints/ (default: all)")
    parser.add_argument("--anew", action="store_true", help="also what is current")
    parser.add_argument("--list", action="store_true", help="only write the commands")
    asked = parser.parse_args()
    for step in steps():
        path = str(step.out.relative_to(SHIPPED)) if SHIPPED in step.out.parents else str(step.out)
        if fnmatch.fnmatch(path, asked.only) and (asked.anew or not step.is_current):
            sys.stdout.write("".join(f"{line}\n" for line in step.commands))
            sys.stdout.flush()
            if not asked.list:
                step.run()


if __name__ == "__main__":
    main()
