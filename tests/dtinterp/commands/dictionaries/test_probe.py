import pytest

from dtinterp.commands.dictionaries.probe import probe
from dtinterp.features.probing import PROBES, ProbeConfig
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError

SITE = "blocks.0.hook_resid_post"
SMALL = ProbeConfig((SITE,), ("direction", "instruction"), n_windows=48, n_held_out_windows=48)


@pytest.fixture
def subject(small_study):
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}


def test_facts_are_read_off_rows_that_the_probe_never_saw(tmp_path, subject):
    found = load(probe(SMALL, tmp_path / "probes", **subject).path, PROBES).probes
    assert set(found[SITE]) == {"direction", "instruction"}
    direction = found[SITE]["direction"]
    assert direction.accuracy.low > direction.shuffled.high
    assert direction.accuracy.n == direction.majority.n


def test_a_fact_of_another_world_is_refused(tmp_path, subject):
    with pytest.raises(UserError, match="the fact is 'weather', expected one of instruction"):
        probe(ProbeConfig((SITE,), ("weather",)), tmp_path / "probes", **subject)


def test_a_site_that_is_not_there_is_refused(tmp_path, subject):
    with pytest.raises(UserError, match=r"the site is 'blocks\.7\.hook_resid_pre', expected one of"):
        probe(ProbeConfig(("blocks.7.hook_resid_pre",)), tmp_path / "probes", **subject)
