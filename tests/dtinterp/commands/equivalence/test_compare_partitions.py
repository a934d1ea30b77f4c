import shutil
from pathlib import Path

import pandas as pd
import pytest

from dtinterp.commands.equivalence.compare_partitions import compare_partitions
from dtinterp.commands.reading import read_classes_of_one_model
from dtinterp.equivalence.comparisons.partition_comparison import PARTITION_COMPARISON, PartitionComparisonConfig
from dtinterp.equivalence.tables import judged_table
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError

STUDIES = Path(__file__).parents[4] / "checkpoints" / "studies"
SMALL = STUDIES / "memory-dt-small-0"
QUICK = PartitionComparisonConfig(n_draws=20)


def test_a_comparison_rests_on_the_certificates_and_names_them_by_their_folders(tmp_path: Path) -> None:
    paths = (SMALL / "equivalence", SMALL / "plays", SMALL / "reachable")
    artefact = compare_partitions(paths, QUICK, tmp_path / "populations", tables=tmp_path)
    found = load(tmp_path / "populations", PARTITION_COMPARISON)
    assert [each.name for each in found.certificates] == ["equivalence", "plays", "reachable"]
    digests = {read_artefact(path, kind="equivalence").manifest.digest for path in paths}
    assert set(artefact.manifest.parents.values()) == digests
    own_by_plays, _ = found.differences[0].judged
    assert own_by_plays.n_told_apart == 0  # they were refined so that they are finer
    table = pd.read_parquet(tmp_path / "judged.parquet")
    pd.testing.assert_frame_equal(table, judged_table(found))
    assert len(table) == 3 * 2


def test_namesakes_are_named_by_their_paths(tmp_path: Path) -> None:
    one, other = SMALL / "equivalence", tmp_path / "equivalence"
    shutil.copytree(SMALL / "plays", other)
    assert list(read_classes_of_one_model([one, other])) == [str(one), str(other)]
    assert list(read_classes_of_one_model([one, SMALL / "plays"])) == ["equivalence", "plays"]


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        (("memory-dt-small-0/equivalence", "memory-dt/plays"), "is of model/memory-dt .* of .*small-0 .*"),
        (("memory-dt/plays", "memory-dt/plays"), "is given twice, or its copy is: name different certificates"),
        (("memory-dt/plays",), "certificates: 1 given, expected two at least"),
        ((), "certificates: 0 given, expected two at least"),
        (("memory-dt/plays", "memory-dt/machine"), "is of kind machine, expected equivalence"),
    ],
)
def test_what_cannot_be_compared_is_refused(paths: tuple[str, ...], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=complaint):
        compare_partitions(tuple(STUDIES / path for path in paths), QUICK, tmp_path / "out")
    assert not (tmp_path / "out").exists()
