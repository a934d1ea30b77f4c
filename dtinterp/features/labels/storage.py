"""Labels become an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.features.labels.table import (
    Counterexamples,
    Counts,
    LabelConfig,
    Labels,
    LabelStudy,
    LabelSummary,
    summary_of,
)
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "labels"
COUNTS = ("searched", "judged", "shuffled")
EXAMPLES = ("missed", "spurious")


def save_labels(
    path: Path,
    study: LabelStudy,
    *,
    parents: Sequence[Artefact],
    replace: bool = False,
    known: Mapping[str, JSON] = MappingProxyType({}),
) -> Artefact:
    """Write the labels to the folder `path`, with how the features fared as its metrics.

    `known` are more metrics, such as the verdict on the dictionary. Raises `UserError` where `path` exists and
    `replace` is not given.
    """
    labels = study.labels
    settings = _Settings(labels.name, labels.site, labels.words, labels.config, _n_inputs(labels))
    tensors = {
        f"{group}.{field.name}": getattr(getattr(labels, group), field.name)
        for group in (*COUNTS, *EXAMPLES)
        for field in fields(getattr(labels, group))
        if isinstance(getattr(getattr(labels, group), field.name), Tensor)
    }
    metrics = {"trained": asdict(summary_of(labels)), "untrained": asdict(study.untrained), **known}
    content = Content(
        ARTEFACT_KIND, config=asdict(settings), tensors={"worth": labels.worth, **tensors}, metrics=metrics
    )
    return write_artefact(path, content, parents=parents, seed=labels.config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_labels(path: Path, *, parent: Artefact | None = None) -> LabelStudy:
    """Read the labels in the folder `path`; with `parent`, check that they were made from just that artefact.

    Raises `UserError` where they are missing, damaged, or of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)

    def counts(side: str) -> Counts:
        return Counts(**_group(artefact.tensors, side), n_inputs=settings.n_inputs[side])

    labels = Labels(
        words=settings.words,
        worth=artefact.tensors["worth"],
        searched=counts("searched"),
        judged=counts("judged"),
        missed=Counterexamples(**_group(artefact.tensors, "missed")),
        spurious=Counterexamples(**_group(artefact.tensors, "spurious")),
        shuffled=counts("shuffled"),
        config=settings.config,
        name=settings.name,
        site=settings.site,
    )
    return LabelStudy(labels, TypeAdapter(LabelSummary).validate_python(artefact.manifest.metrics["untrained"]))


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    words: tuple[str, ...]
    config: LabelConfig
    n_inputs: Mapping[str, int]


def _n_inputs(labels: Labels) -> dict[str, int]:
    return {group: getattr(labels, group).n_inputs for group in COUNTS}


def _group(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{group}."): tensor for name, tensor in tensors.items() if name.startswith(f"{group}.")}
