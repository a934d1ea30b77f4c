import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError


def test_what_is_read_of_the_direction_beside_it_stays(applied, names, there: Tensor) -> None:
    one, other = (names.directions[name][0][0] for name in ("one", "other"))
    assert abs(float(one @ other)) > 0.1, "the law is empty where they are orthogonal"
    oblique = applied({"oblique": {"direction": "one", "beside": ["other"]}, "to": 3.0})
    torch.testing.assert_close(oblique @ one, torch.full((4,), 3.0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(oblique @ other, there @ other, atol=1e-4, rtol=1e-4)
    plain = applied({"set": {"direction": "one"}, "to": 3.0})
    assert not torch.allclose(plain @ other, there @ other, atol=0.05)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"direction": "one"}, "direction 'one' stands beside none: name in `beside` those to leave alone"),
        ({"token": "whole"}, "an oblique edit is of {feature: N} or"),
    ],
)
def test_a_part_without_others_beside_it_is_refused(applied, what: object, told: str) -> None:
    with pytest.raises(UserError, match=told):
        applied({"oblique": what, "to": 1.0})
