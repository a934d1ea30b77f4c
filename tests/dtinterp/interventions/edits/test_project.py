import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.project import Projecting
from dtinterp.interventions.parts.along import Along


def test_projecting_twice_is_projecting_once(rows: Tensor, directions: Tensor) -> None:
    project = Projecting(Along(torch.linalg.qr(directions.T).Q.T.contiguous()))
    once = project.apply(rows)
    torch.testing.assert_close(project.apply(once), once)
    assert torch.linalg.matrix_rank(once) == 2
    torch.testing.assert_close((rows - once) @ directions.T, torch.zeros(len(rows), 2), atol=1e-5, rtol=0)


def test_a_feature_is_nothing_to_project_on(bound) -> None:
    with pytest.raises(UserError, match="a row is projected on a direction or subspace"):
        bound({"project": {"feature": 1}, "at": "blocks.0.hook_resid_pre"})
