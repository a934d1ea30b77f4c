import pytest
import torch
from torch import nn

from dtinterp.agents.recurrent_cells import gru, lstm


@pytest.fixture
def cell_inputs():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(9, 5, generator=rng), torch.randn(9, 6, generator=rng), torch.randn(9, 6, generator=rng)


@torch.no_grad()
def test_the_gru_is_torchs(cell_inputs):
    seen, hidden, _ = cell_inputs
    cell = nn.GRUCell(5, 6)
    frame = seen @ cell.weight_ih.T + cell.bias_ih
    own = hidden @ cell.weight_hh.T + cell.bias_hh
    torch.testing.assert_close(gru(frame, own, hidden), cell(seen, hidden))


@torch.no_grad()
def test_the_lstm_is_torchs(cell_inputs):
    seen, hidden, carried = cell_inputs
    cell = nn.LSTMCell(5, 6)
    frame = seen @ cell.weight_ih.T + cell.bias_ih
    own = hidden @ cell.weight_hh.T + cell.bias_hh
    ours = lstm(frame, own, torch.cat([hidden, carried], dim=1))
    torch.testing.assert_close(ours, torch.cat(cell(seen, (hidden, carried)), dim=1))
