import pytest

from dtinterp.demonstrations.minari import format as minari_format
from dtinterp.demonstrations.minari.format import require_minari
from dtinterp.foundation.errors import UserError


def test_an_extra_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(minari_format, "find_spec", lambda name: None if name == "h5py" else object())
    with pytest.raises(UserError, match=r"^h5py is not installed: run pip install 'dtinterp\[minari\]' first\.$"):
        require_minari()
    monkeypatch.setattr(minari_format, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="minari and h5py is not installed"):
        require_minari()


def test_nothing_is_said_where_all_is_there(monkeypatch):
    monkeypatch.setattr(minari_format, "find_spec", lambda _: object())
    require_minari()
