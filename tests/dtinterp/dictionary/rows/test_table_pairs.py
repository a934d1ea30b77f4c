from dataclasses import replace

import pytest
import torch

from dtinterp.dictionary.rows.table import Pairs
from dtinterp.foundation.errors import UserError

D = 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(3, D)}, "There are 3 inputs and 10 outputs, expected as many"),
        ({"inputs": torch.ones(10, D)}, "All 10 inputs are the same vector"),
        ({"inputs": torch.full((10, D), torch.nan)}, "10 of 10 rows hold NaN"),
        ({"outputs": torch.full((10, D), torch.inf)}, "10 of 10 rows hold NaN or infinity"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(change, message):
    pairs = Pairs(torch.randn(10, D), torch.randn(10, D))
    with pytest.raises(UserError, match=message):
        replace(pairs, **change)
