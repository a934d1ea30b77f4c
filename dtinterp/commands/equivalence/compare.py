"""The command that holds certified classes against the world and each other."""

from dataclasses import dataclass
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_classes, read_dictionary
from dtinterp.equivalence.comparisons.compared_partitions import Certified
from dtinterp.equivalence.comparisons.model_comparison import ModelComparisonConfig, compare_models
from dtinterp.equivalence.observations import certified
from dtinterp.equivalence.tables import against_table, write_tables
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.shipped import MODEL
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
    demonstrations: Path | None = None
    """what all of them were certified on; none: what the first one records"""

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
    first = open_subject(compared.model[0], compared.demonstrations)
    subjects = [first, *(open_subject(model, first.demonstrations.path) for model in compared.model[1:])]
    dictionaries = compared.dictionary or (None,) * len(subjects)
    read = [
        _certified(subject, classes, dictionary, config)
        for subject, classes, dictionary in zip(subjects, compared.equivalence, dictionaries, strict=True)
    ]
    found = compare_models([each for each, _ in read], first.trajectories, config)
    if tables is not None:
        write_tables(tables, {"against": against_table(found)})
    parents = [first.demonstrations, *(parent for _, parents in read for parent in parents)]
    return save(out, found, parents=parents, seed=config.seed, replace=replace)


def _certified(
    subject: Subject, path: Path, dictionary: Path | None, config: ModelComparisonConfig
) -> tuple[Certified, list[Artefact]]:
    """Return one model as it is compared, and the artefacts that it rests on."""
    report, classes = read_classes(subject, path)
    parents = [subject.trained.artefact, classes]
    if dictionary is None:
        return certified(subject, report, config), parents
    features, source = read_dictionary(subject, dictionary)
    return certified(subject, report, config, features), [*parents, source]
