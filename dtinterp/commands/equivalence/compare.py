"""Certified classes on disk become one comparison with the world and with each other, on disk."""

from dataclasses import dataclass
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.storage import ARTEFACT_KIND as DICTIONARY
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.equivalence.compared_partitions import Certified
from dtinterp.equivalence.exhaustive_contexts import refuse_plays
from dtinterp.equivalence.model_comparison import ModelComparisonConfig, compare_models
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.tables import against_table, write_tables
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.shipped import DEMONSTRATIONS, MODEL
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True)
class Compared:
    """What is compared: folders, in the same order."""

    equivalence: tuple[Path, ...] = (Path("results/equivalence"),)
    """certified classes, as certify wrote them"""
    model: tuple[Path, ...] = (MODEL,)
    """their models"""
    dictionary: tuple[Path, ...] = ()
    """a dictionary of each model's observation embedding, or none at all"""
    demonstrations: Path = DEMONSTRATIONS
    """what all of them were certified on"""

    def __post_init__(self) -> None:
        """Refuse classes without models, and a dictionary for some of them only."""
        n = len(self.equivalence)
        if not n:
            raise UserError("no certified classes were given: name at least one folder that dtinterp certify wrote.")
        if len(self.model) != n:
            raise UserError(f"{n} certified classes and {len(self.model)} models were given: name one model for each.")
        if len(self.dictionary) not in (0, n):
            raise UserError(
                f"{n} certified classes and {len(self.dictionary)} dictionaries were given: name one for each, or none."
            )


@claims_out
def compare(
    config: ModelComparisonConfig,
    compared: Compared,
    out: Path = Path("results/comparison"),
    *,
    tables: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Hold certified classes against the world's own partitions, and the models against each other.

    Args:
        config: how they are compared.
        compared: what is compared.
        out: folder to write.
        tables: folder for the comparison as Parquet; none without.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subjects = [open_subject(model, compared.demonstrations) for model in compared.model]
    dictionaries = compared.dictionary or (None,) * len(subjects)
    certified = [
        _certified(subject, classes, dictionary, config)
        for subject, classes, dictionary in zip(subjects, compared.equivalence, dictionaries, strict=True)
    ]
    report = compare_models([each for each, _ in certified], subjects[0].trajectories, config)
    if tables is not None:
        write_tables(tables, {"against": against_table(report)})
    parents = [subjects[0].demonstrations, *(parent for _, found in certified for parent in found)]
    return save(out, report, parents=parents, seed=report.config.seed, replace=replace)


def _certified(
    subject: Subject, classes: Path, dictionary: Path | None, config: ModelComparisonConfig
) -> tuple[Certified, list[Artefact]]:
    """Return one model as it is compared, and the artefacts that it rests on."""
    model = subject.trained.artefact
    report = load(classes, EQUIVALENCE, parent=model)
    refuse_plays(report.config, str(classes))
    parents = [model, read_artefact(classes, kind=EQUIVALENCE.name)]
    if dictionary is not None:
        parents.append(read_artefact(dictionary, kind=DICTIONARY))
    certified = Certified(
        name=model.name,
        model=subject.model,
        untrained=subject.untrained,
        report=report,
        items=subject.items,
        windows=subject.held_out_windows(config.n_windows, seed=config.seed),
        dictionary=None if dictionary is None else load_dictionary(dictionary, parent=model),
    )
    return certified, parents
