import numpy as np
import pytest
import torch

from dtinterp.interventions.directions.labelled_rows import LabelledRows
from dtinterp.interventions.directions.probe import probed


def test_a_probe_reads_the_planted_fact_and_beats_shuffled_values(find, planted_direction):
    found = find("probe", fact="instruction", frame="first", rows="training", n_windows=256)
    assert found.explains["held-out accuracy"] == 1
    assert found.explains["held-out accuracy, shuffled"] < 0.95
    assert float(found.vectors[0] @ planted_direction) > 0.3


def test_it_is_the_normal_of_the_plane_in_rows_as_they_are():
    """Columns of very different spread: weights on standardised rows would point elsewhere."""
    rng = torch.Generator().manual_seed(0)
    normal, spread = torch.tensor([3.0, 1.0, 0.0]), torch.tensor([0.1, 1.0, 10.0])
    rows = torch.randn(2000, 3, generator=rng) * spread
    found, judged = (LabelledRows(half, half @ normal > 0) for half in rows.chunk(2))
    weights, accuracy = probed(found, judged, np.arange(len(found.rows)))
    assert float(weights @ normal.double() / weights.norm() / normal.norm()) > 0.99
    assert accuracy > 0.97
    shuffled = np.random.default_rng(0).permutation(len(found.rows))
    assert probed(found, judged, shuffled)[1] == pytest.approx(0.5, abs=0.25)


def test_the_same_material_gives_the_same_bits(find):
    assert torch.equal(*(find("probe", fact="instruction", frame="first").vectors for _ in range(2)))
