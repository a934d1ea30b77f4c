import pytest

from dtinterp.commands.data.export import export
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.errors import UserError


def test_demonstrations_are_named_after_their_artefact(folders, tmp_path):
    minari = pytest.importorskip("minari")
    folder = export(folders.demonstrations, out=tmp_path)
    assert folder == tmp_path / "demonstrations-v0"
    trajectories, _ = load_trajectories(folders.demonstrations)
    assert minari.MinariDataset(folder / "data").total_steps == trajectories.n_steps


def test_what_are_no_demonstrations_is_not_exported(folders, tmp_path):
    with pytest.raises(UserError, match="is of kind agent, expected demonstrations"):
        export(folders.agent, out=tmp_path)
    assert not any(tmp_path.iterdir())
