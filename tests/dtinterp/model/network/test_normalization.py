import pytest
import torch
from torch.nn import functional

from dtinterp.model.network.normalization import NoNorm, RMSNormPre, norm_of

WIDTH = 12
SLOW = {
    "none": lambda row, *_: row,
    "LN": lambda row, w, b: centred(row) / size(centred(row)) * w + b,
    "LNPre": lambda row, *_: centred(row) / size(centred(row)),
    "RMS": lambda row, w, _: row / size(row) * w,
    "RMSPre": lambda row, *_: row / size(row),
}


def centred(row):
    return row - sum(row) / len(row)


def size(row):
    return (sum(value**2 for value in row) / len(row) + 1e-5) ** 0.5


def randomised(kind):
    norm = norm_of(kind, WIDTH)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_(generator=rng)
    return norm


@pytest.fixture
def x():
    return 3 * torch.randn(4, 5, WIDTH, generator=torch.Generator().manual_seed(1)) + 1


@pytest.mark.parametrize("kind", SLOW)
def test_both_paths_do_to_every_row_what_the_formula_says(kind, x):
    norm = randomised(kind)
    weights = dict(norm.named_parameters())
    w, b = weights.get("w", torch.ones(WIDTH)), weights.get("b", torch.zeros(WIDTH))
    expected = torch.stack([SLOW[kind](row, w, b) for row in x.flatten(0, 1)]).view_as(x)
    torch.testing.assert_close(norm.hooked(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.fused(x), expected, atol=1e-5, rtol=1e-5)


def test_the_layer_norm_is_torchs(x):
    norm = randomised("LN")
    weights = dict(norm.named_parameters())
    theirs = functional.layer_norm(x, (WIDTH,), weights["w"], weights["b"])
    torch.testing.assert_close(norm.hooked(x), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "names"), [("none", []), ("LN", ["w", "b"]), ("LNPre", []), ("RMS", ["w"]), ("RMSPre", [])]
)
def test_a_norm_has_the_weights_that_its_name_says(kind, names):
    assert [name for name, _ in norm_of(kind, WIDTH).named_parameters()] == names


@pytest.mark.parametrize("kind", ["LN", "LNPre", "RMS", "RMSPre"])
def test_the_hooks_show_the_scale_and_the_rows_before_they_are_weighed(kind, x):
    norm = randomised(kind)
    assert isinstance(norm, RMSNormPre)
    seen = {}
    norm.hook_scale.add_hook(lambda tensor, **_: seen.update(scale=tensor))
    norm.hook_normalized.add_hook(lambda tensor, **_: seen.update(normalized=tensor))
    norm.hooked(x)
    torch.testing.assert_close(seen["normalized"] * seen["scale"], norm.centre(x))
    torch.testing.assert_close(seen["normalized"].square().mean(-1), torch.ones(4, 5), atol=1e-3, rtol=1e-3)


def test_no_norm_has_no_hooks():
    assert not list(NoNorm().modules())[1:]
