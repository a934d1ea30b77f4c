"""Whether a hook listens, on which the path through a part of the model depends."""

from torch import nn
from transformer_lens.hook_points import HookPoint


def is_heard(point: HookPoint) -> bool:
    """Whether a hook would see or change the activation at a point."""
    return bool(point._forward_hooks or point._backward_hooks)


def is_listened_to(part: nn.Module) -> bool:
    """Whether a hook would see or change any activation inside a part."""
    return any(is_heard(module) for module in part.modules() if isinstance(module, HookPoint))
