"""A report on the truth becomes an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.truth.assessment import Subspace, TruthReport, TruthStudy, TruthSummary, summary_of
from dtinterp.features.truth.detection import Detection
from dtinterp.features.truth.structure import CorrelationStructure, EffectiveDimension
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "truth"
SIDES = ("items", "facts")


def save_truth(
    path: Path,
    study: TruthStudy,
    config: LabelConfig,
    *,
    parents: Sequence[Artefact],
    replace: bool = False,
    known: Mapping[str, JSON] = MappingProxyType({}),
) -> Artefact:
    """Write the report, with the control's numbers among the metrics, to the folder `path`.

    `known` are more metrics, such as the verdict on the dictionary. Raises `UserError` where it exists and `replace` is
    not given.
    """
    report = study.report
    findings = _Findings(
        report.items.truth,
        report.facts.truth,
        report.structure,
        report.dimension,
        report.subspace,
        report.n_searched,
        report.n_judged,
    )
    tensors = {
        f"{side}.{field.name}": getattr(getattr(report, side), field.name)
        for side in SIDES
        for field in fields(Detection)
        if field.name != "truth"
    }
    settings = _Settings(report.name, report.site, config, findings)
    content = Content(ARTEFACT_KIND, config=asdict(settings), tensors=tensors, metrics={**_metrics(study), **known})
    return write_artefact(path, content, parents=parents, seed=config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_truth(path: Path, *, parent: Artefact | None = None) -> TruthStudy:
    """Read the report, and the control where there is one, in the folder `path`.

    With `parent`, check that it was made from just that artefact. Raises `UserError` where it is missing, damaged, or
    of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    found = settings.findings
    report = TruthReport(
        items=Detection(truth=found.items, **_group(artefact.tensors, "items")),
        facts=Detection(truth=found.facts, **_group(artefact.tensors, "facts")),
        structure=found.structure,
        dimension=found.dimension,
        subspace=found.subspace,
        name=settings.name,
        site=settings.site,
        n_searched=found.n_searched,
        n_judged=found.n_judged,
    )
    untrained = artefact.manifest.metrics.get("untrained")
    return TruthStudy(report, TypeAdapter(TruthSummary | None).validate_python(untrained))


def _metrics(study: TruthStudy) -> dict[str, JSON]:
    """Return what a manifest shows: the dictionary's numbers, and those of the control under a name of their own."""
    own = asdict(summary_of(study.report))
    return own if study.untrained is None else {**own, "untrained": asdict(study.untrained)}


@dataclass(frozen=True)
class _Findings:
    items: tuple[str, ...]
    facts: tuple[str, ...]
    structure: Mapping[str, CorrelationStructure]
    dimension: EffectiveDimension
    subspace: Subspace | None
    n_searched: int
    n_judged: int


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    config: LabelConfig
    findings: _Findings


def _group(tensors: Mapping[str, Tensor], side: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{side}."): tensor for name, tensor in tensors.items() if name.startswith(f"{side}.")}
