"""The command that holds one model's certified classes of several populations and returns against each other."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_classes_of_one_model
from dtinterp.equivalence.comparisons.partition_comparison import PartitionComparisonConfig
from dtinterp.equivalence.comparisons.partition_comparison import compare_partitions as compare
from dtinterp.equivalence.tables import judged_table, write_tables
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save


@claims_out
def compare_partitions(
    certificates: tuple[Path, ...],
    /,
    config: PartitionComparisonConfig,
    out: Path = Path("results/populations"),
    *,
    tables: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Hold one model's certified classes against each other: of several populations of histories, or returns asked.

    Of each two: how far they agree, and which pairs one joins that the other tells apart. Then what all of them join.

    Args:
        certificates: folders of certified classes of one model, as certify wrote them.
        config: how they are compared.
        out: folder to write.
        tables: folder for the comparison as Parquet; none without.
        replace: write it anew where it exists.
    """
    read = read_classes_of_one_model(certificates)
    found = compare({name: report for name, (report, _) in read.items()}, config)
    if tables is not None:
        write_tables(tables, {"judged": judged_table(found)})
    return save(out, found, parents=[artefact for _, artefact in read.values()], seed=config.seed, replace=replace)
