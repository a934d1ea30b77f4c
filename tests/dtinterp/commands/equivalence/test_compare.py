from pathlib import Path

import pandas as pd
import pytest

from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.compare import Compared, compare
from dtinterp.commands.equivalence.run_options import CertifyOptions
from dtinterp.equivalence.comparisons.model_comparison import MODEL_COMPARISON, ModelComparisonConfig
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.tables import against_table
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model

QUICK = EquivalenceConfig(
    n_frames=6,
    n_contexts=2,
    n_draws=10,
    n_quotient_draws=1,
    n_rounds=1,
    n_fresh=1,
    n_verified=1,
    n_plays=32,
    n_tested=16,
    n_joint=32,
    n_searched=4,
    n_abstracted=0,
    n_wandered=0,
)


def test_a_comparison_rests_on_all_that_was_compared(folders, tmp_path):
    certify(
        QUICK,
        tmp_path / "classes",
        model=folders.model,
        demonstrations=folders.demonstrations,
        run=CertifyOptions(tables=tmp_path),
    )
    compared = Compared((tmp_path / "classes",), (folders.model,), (), folders.demonstrations)
    config = ModelComparisonConfig(n_draws=10, n_shown=1, n_windows=20)
    artefact = compare(config, compared, tmp_path / "comparison", tables=tmp_path / "tables")
    assert load_model(folders.model).artefact.manifest.digest in artefact.manifest.parents.values()
    assert len(artefact.manifest.parents) == 3
    report = load(tmp_path / "comparison", MODEL_COMPARISON)
    written = pd.read_parquet(tmp_path / "tables" / "against.parquet")
    pd.testing.assert_frame_equal(written, against_table(report))
    assert {"pairs", "classes", "frames"} <= {file.stem for file in tmp_path.glob("*.parquet")}
    assert len(pd.read_parquet(tmp_path / "pairs.parquet")) == 6 * 5


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"equivalence": ()}, "no certified classes were given"),
        ({"model": ()}, "1 certified classes and 0 models were given"),
        ({"dictionary": (Path("a"), Path("b"))}, "1 certified classes and 2 dictionaries were given"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        Compared(**settings)
