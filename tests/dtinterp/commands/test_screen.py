import pandas as pd

from dtinterp.commands.handling import Handling
from dtinterp.commands.screen import screen
from dtinterp.equivalence.screen import ScreenConfig
from dtinterp.equivalence.screen_storage import load_screening


def test_many_observations_are_sorted_and_nothing_unfinished_is_left(folders, tmp_path):
    config = ScreenConfig(n_frames=20, n_probes=3, n_verified=10, n_draws=5, n_quotient_draws=1)
    out = tmp_path / "screening"
    handling = Handling(tables=tmp_path / "tables")
    screen(config, out, model=folders.model, demonstrations=folders.demonstrations, handling=handling)
    found = load_screening(out)
    assert len(found.partition.label) == len(found.chosen.frame_id) <= 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["screening", "tables"]
    table = pd.read_parquet(tmp_path / "tables" / "screening.parquet")
    assert table["class"].tolist() == found.partition.label.tolist()
