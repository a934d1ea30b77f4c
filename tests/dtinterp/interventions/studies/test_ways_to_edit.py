from dataclasses import replace

import pytest
import torch

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.studies.exchange import Exchange
from dtinterp.interventions.studies.ways_to_edit import WayToEdit, telling_feature, ways_to_edit
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.subject.subject import Subject

WIDTH = 32
PLANTED = 0


@pytest.fixture(scope="module")
def dictionary(planted_direction: torch.Tensor) -> Dictionary:
    """An orthonormal one, the first of whose features is the planted direction."""
    drawn = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    drawn[:, 0] = planted_direction
    basis = torch.linalg.qr(drawn).Q
    basis[:, 0] = planted_direction
    return Dictionary(
        W_enc=basis.contiguous(),
        b_enc=torch.zeros(WIDTH),
        W_dec=basis.T.contiguous(),
        b_dec=torch.zeros(WIDTH),
        kind=Pca(WIDTH),
        scale=torch.tensor(1.0),
        site="hook_obs_embed",
        name="planted",
    )


@pytest.fixture(scope="module")
def ways(planted_subject: Subject, dictionary: Dictionary) -> dict[str, WayToEdit]:
    return {each.name: each for each in ways_to_edit(planted_subject, dictionary, n_draws=3)}


def test_the_feature_that_tells_is_found(planted_subject: Subject, dictionary: Dictionary) -> None:
    exchange = Exchange.of(planted_subject, DecisionPoints().choose(planted_subject, 0))
    assert telling_feature(exchange, dictionary) == PLANTED
    blind = replace(dictionary, W_enc=torch.zeros_like(dictionary.W_enc))
    with pytest.raises(UserError, match="no feature of 'planted' tells the instruction"):
        telling_feature(exchange, blind)


def test_where_features_are_orthogonal_all_ways_of_one_feature_agree(ways: dict[str, WayToEdit]) -> None:
    decoder, oblique, rewritten = (
        ways[f"one feature, {name}"] for name in ("along its decoder row", "oblique", "encode, edit, decode")
    )
    assert decoder.restored == pytest.approx(oblique.restored, abs=0.01)
    assert decoder.restored == pytest.approx(rewritten.restored, abs=0.01)
    assert decoder.other_codes == oblique.other_codes == 0
    assert decoder.restored > 0.8


def test_a_direction_oblique_to_the_targets_leaves_them_alone(ways: dict[str, WayToEdit]) -> None:
    plain, oblique = ways["one direction"], ways["one direction, oblique to the targets'"]
    assert oblique.other_fact < 1e-3
    assert plain.other_fact > oblique.other_fact
    assert plain.restored > 0.8


def test_random_directions_do_less_than_the_subspace(ways: dict[str, WayToEdit]) -> None:
    random = ways["random directions of the things' span, mean of 3"]
    assert ways["subspace of all it changes"].restored > abs(random.restored)
    assert random.turned.n == 3 * ways["one direction"].turned.n
    assert random.moved == pytest.approx(ways["one direction"].moved, rel=1e-3)


def test_nothing_changes_on_the_way(ways: dict[str, WayToEdit]) -> None:
    """Forward is right there, whatever the instruction."""
    assert ways["subspace of all it changes"].elsewhere_changed.estimate == 0
    assert ways["subspace of all it changes"].elsewhere < 0.05
