"""Ranks: processes that torchrun started, which train one model together."""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from dtinterp.foundation.errors import UserError

WAIT = timedelta(minutes=30)
"""How long a rank waits for another one that is alive: longer than any measurement takes. One that died is noticed at
once."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train one model; by default it is alone.

    Rank 0 keeps model, optimiser and files. The others lend it gradients and take over its weights.
    """

    rank: int = 0
    """from 0"""
    count: int = 1
    device: torch.device = CPU
    """where this process has its model, and what it says to the others"""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that keeps everything."""
        return self.rank == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace rank 0's tensors by their sums over the ranks.

        Raises `UserError` where another rank is gone.
        """
        if self.count > 1:
            whole = _flat(tensors)
            with self._together():
                distributed.reduce(whole, dst=0)
            if self.is_first:
                _unflatten(whole, tensors)

    def take_over(self, tensors: Sequence[Tensor]) -> None:
        """Replace the tensors of the other ranks by those of rank 0. Raises `UserError` where another rank is gone."""
        if self.count > 1:
            whole = _flat(tensors)
            with self._together():
                distributed.broadcast(whole, src=0)
            _unflatten(whole, tensors)

    def agree_on_any(self, holds: bool) -> bool:
        """Return on every rank whether it holds on any. Raises `UserError` where another rank is gone."""
        if self.count == 1:
            return holds
        heard = torch.tensor([float(holds)], device=self.device)
        with self._together():
            distributed.all_reduce(heard)
        return bool(heard.item())

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # of gloo and nccl alike
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"rank {self.rank} of {self.count} lost another one ({reason}): see what stopped it, "
                "then give the same command again to go on."
            ) from None


ALONE = Ranks()


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes of this torchrun, with gloo on the processor and nccl on CUDA; outside torchrun, be alone.

    On CUDA each process takes a device of its own, its rank's `device`. Raises `UserError` where there are too few.
    """
    if not distributed.is_torchelastic_launched():
        yield Ranks(device=device)
        return
    if device.type == "cuda":
        device = _own_device(int(os.environ["LOCAL_RANK"]))
    # The first optimiser would import it, and its functions keep, as a default argument, the group that they find then.
    # Imported before there is one they keep none, so that the threads of ours end with it.
    importlib.import_module("torch.distributed.nn")
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=WAIT)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def _own_device(local_rank: int) -> torch.device:
    n_devices = torch.cuda.device_count()
    if local_rank >= n_devices:
        raise UserError(
            f"process {local_rank + 1} of this machine finds {n_devices} CUDA devices: give torchrun --nproc-per-node "
            f"{n_devices}, or --device cpu."
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


@torch.no_grad()
def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


@torch.no_grad()
def _unflatten(whole: Tensor, tensors: Sequence[Tensor]) -> None:
    for tensor, part in zip(tensors, whole.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))
