import pytest
import torch

from dtinterp.foundation.devices import device_of
from dtinterp.foundation.errors import UserError


@pytest.mark.parametrize(
    ("has_cuda", "name", "kind"), [(False, "auto", "cpu"), (True, "auto", "cuda"), (True, "cpu", "cpu")]
)
def test_auto_takes_cuda_where_there_is_one(monkeypatch, has_cuda, name, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    assert device_of(name).type == kind


def test_cuda_that_is_not_there_is_a_mistake(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch finds no CUDA device here: give --device cpu, or auto"):
        device_of("cuda")
