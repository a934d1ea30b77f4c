"""A comparison becomes an artefact, and back."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood
from dtinterp.interventions.dictionary_comparison import (
    DictionaryComparison,
    DictionaryComparisonConfig,
    Example,
    LinearCost,
    PartShare,
)

ARTEFACT_KIND = "comparison"
N_DECIDING = 5
"""Parts whose share of flipped windows the manifest shows."""
TENSORS = ("error", "l0", "step", "slot", "last_step")


def save_comparison(
    path: Path,
    comparison: DictionaryComparison,
    config: DictionaryComparisonConfig,
    *,
    parents: Sequence[Artefact],
    replace: bool = False,
) -> Artefact:
    """Write the comparison to the folder `path`. Raises `UserError` where it exists and `replace` is not given."""
    findings = _Findings(comparison.parts, comparison.examples, comparison.linear)
    settings = _Settings(config, comparison.name, comparison.site, findings)
    content = Content(
        ARTEFACT_KIND,
        config=asdict(settings),
        tensors={name: getattr(comparison, name).contiguous() for name in TENSORS},
        metrics=_summary(comparison),
    )
    return write_artefact(path, content, parents=parents, seed=config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_comparison(path: Path, *, parent: Artefact | None = None) -> DictionaryComparison:
    """Read the comparison in the folder `path`; with `parent`, check that it was made from just that artefact.

    Raises `UserError` where it is missing, damaged, or of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    return DictionaryComparison(
        name=settings.name,
        site=settings.site,
        **{name: artefact.tensors[name] for name in TENSORS},
        parts=settings.findings.parts,
        examples=settings.findings.examples,
        linear=settings.findings.linear,
    )


@dataclass(frozen=True)
class _Findings:
    parts: tuple[PartShare, ...]
    examples: tuple[Example, ...]
    linear: tuple[LinearCost, ...]


@dataclass(frozen=True)
class _Settings:
    config: DictionaryComparisonConfig
    name: tuple[str, ...]
    site: tuple[str, ...]
    findings: _Findings


def _summary(comparison: DictionaryComparison) -> dict[str, JSON]:
    """Return the numbers that a manifest shows at a glance."""
    places = enumerate(zip(comparison.site, comparison.name, strict=True))
    deciding = sorted(comparison.parts, key=lambda each: -each.share.estimate)[:N_DECIDING]
    return {
        "fvu": {f"{name} at {site}": comparison.errors(place).fvu for place, (site, name) in places},
        "decides": {each.part: asdict(each.share) for each in deciding},
        "linear_minus_mlp": {f"MLP {each.layer}": asdict(each.excess) for each in comparison.linear},
        "n_examples": len(comparison.examples),
    }
