from torch import nn
from transformer_lens.hook_points import HookPoint

from dtinterp.model.network.hooks_active import is_heard, is_listened_to


def test_a_point_is_heard_while_a_hook_is_on_it():
    point = HookPoint()
    assert not is_heard(point)
    point.add_hook(lambda *_, **__: None)
    assert is_heard(point)
    point.remove_hooks()
    assert not is_heard(point)


def test_a_gradient_can_be_listened_to_as_well():
    point = HookPoint()
    point.add_hook(lambda *_, **__: None, dir="bwd")
    assert is_heard(point)


def test_a_part_is_listened_to_wherever_inside_it_the_hook_is():
    inner, outer = HookPoint(), HookPoint()
    part = nn.Sequential(nn.Sequential(inner), outer)
    assert not is_listened_to(part)
    inner.add_hook(lambda *_, **__: None)
    assert is_listened_to(part)
    assert not is_listened_to(outer)
