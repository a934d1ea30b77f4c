import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dtinterp.dictionary.codes import nonnegative
from dtinterp.dictionary.kinds.baselines.ica import Ica
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca, principal_components
from dtinterp.dictionary.kinds.baselines.random import Random
from dtinterp.dictionary.kinds.baselines.semi_nmf import SemiNmf
from dtinterp.dictionary.kinds.computed import ComputedKind, directed
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.foundation.errors import UserError


def _rows() -> Tensor:
    return torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 5, 6]) + 7


def _batch(rows: Tensor, count: Tensor | None = None) -> Batch:
    weight = torch.ones(len(rows)) if count is None else count.float()
    return Batch(rows, weight / weight.sum())


def _made(batch: Batch, kind: ComputedKind, width: int = 5) -> dict[str, Tensor]:
    return kind.compute(batch, width=width, generator=torch.Generator().manual_seed(0))


def _matched(directions: Tensor, found: Tensor) -> float:
    """Mean cosine, but for the sign, of the best one-to-one matching."""
    cosine = (torch.nn.functional.normalize(directions, dim=1) @ torch.nn.functional.normalize(found, dim=1).T).abs()
    return float(cosine[linear_sum_assignment(cosine.numpy(), maximize=True)].mean())


def test_components_are_the_right_singular_vectors_of_the_centred_rows() -> None:
    rows = _rows()
    components = principal_components(_batch(rows), 4).numpy()
    right = np.linalg.svd((rows - rows.mean(dim=0)).numpy(), full_matrices=False)[2][:4]
    np.testing.assert_allclose(np.abs((components * right).sum(axis=1)), np.ones(4), rtol=1e-5)


def test_components_are_orthonormal() -> None:
    components = principal_components(_batch(_rows()), 6)
    torch.testing.assert_close(components @ components.T, torch.eye(6), rtol=0, atol=1e-5)


def test_weights_act_like_repetitions() -> None:
    rows = _rows()
    count = 1 + 9 * (rows[:, 5] > 10).long()  # the heavy rows lie on one side
    weighted = principal_components(_batch(rows, count), 3)
    repeated = principal_components(_batch(rows.repeat_interleave(count, dim=0)), 3)
    torch.testing.assert_close((weighted * repeated).sum(dim=1).abs(), torch.ones(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_independent_sources_are_unmixed(is_weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    sources = torch.rand(4000, 3, generator=generator).round(decimals=1) - 0.5
    mixing = torch.randn(3, 6, generator=generator)
    count = torch.arange(4000) % 2 + 1 if is_weighted else None
    made = _made(_batch(sources @ mixing + 2, count), Ica(3))
    assert _matched(mixing, made["W_dec"]) > 0.99
    torch.testing.assert_close(made["W_dec"].norm(dim=1), torch.ones(3))
    torch.testing.assert_close(made["W_dec"] @ made["W_enc"], torch.eye(3), rtol=0, atol=1e-4)


def test_clusters_that_lie_apart_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(4, 6, generator=generator)
    rows = centres[torch.arange(200) % 4] + 0.1 * torch.randn(200, 6, generator=generator)
    made = _made(_batch(rows), KMeans(4))
    distance = torch.cdist(made["W_dec"] + made["b_dec"], centres)
    assert distance.min(dim=0).values.max() < 0.1
    nearest = ((rows - made["b_dec"]) @ made["W_enc"] + made["b_enc"]).argmax(dim=1)
    assert torch.equal(nearest, torch.cdist(rows, made["W_dec"] + made["b_dec"]).argmin(dim=1))


def test_weights_move_the_centres_of_clusters() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [9.0, 10.0]])
    made = _made(_batch(rows, torch.tensor([3, 1, 1, 1])), KMeans(2))
    centres = made["W_dec"] + made["b_dec"]
    torch.testing.assert_close(centres.min(dim=0).values, torch.tensor([0.25, 0.0]))


def test_semi_nmf_leaves_less_than_the_clusters_that_it_starts_from() -> None:
    batch = _batch(_rows())
    unexplained = []
    for kind in (KMeans(4), SemiNmf(4)):
        made = _made(batch, kind)
        centred = batch.rows - made["b_dec"]
        if isinstance(kind, KMeans):
            code = torch.nn.functional.one_hot((centred @ made["W_enc"] + made["b_enc"]).argmax(dim=1), 4).float()
        else:
            code = nonnegative(centred, made["W_dec"])
        unexplained.append(float((centred - code @ made["W_dec"]).square().sum() / centred.square().sum()))
    assert unexplained[1] < 0.8 * unexplained[0]


def test_semi_nmf_knows_weights() -> None:
    rows, count = _rows(), torch.arange(50) % 3 + 1
    weighted = _made(_batch(rows, count), SemiNmf(2))["W_dec"]
    repeated = _made(_batch(rows.repeat_interleave(count, dim=0)), SemiNmf(2))["W_dec"]
    assert _matched(weighted, repeated) > 0.99
    assert _matched(weighted, _made(_batch(rows, torch.arange(50) % 2 * 20 + 1), SemiNmf(2))["W_dec"]) < 0.99


@pytest.mark.filterwarnings("ignore:FastICA did not converge")  # Gaussian rows have no independent components to find
@pytest.mark.parametrize(
    "kind", [Pca(3), Ica(3), SemiNmf(3), Random(2), Identity()], ids=lambda kind: type(kind).__name__
)
def test_directions_have_norm_one_and_b_dec_is_the_mean(kind: ComputedKind) -> None:
    batch = _batch(_rows(), torch.arange(50) + 1)
    made = _made(batch, kind)
    torch.testing.assert_close(made["W_dec"].norm(dim=1), torch.ones(len(made["W_dec"])))
    torch.testing.assert_close(made["b_dec"], batch.weight @ batch.rows)


def test_given_directions_are_kept_but_for_their_length() -> None:
    directions = torch.tensor([[3.0, 4.0], [0.0, -2.0]])
    made = directed(_batch(torch.eye(2)), directions)
    torch.testing.assert_close(made["W_dec"], torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
    torch.testing.assert_close(made["W_enc"], made["W_dec"].T)


def test_items_are_not_found_but_given() -> None:
    with pytest.raises(UserError, match="Items has no directions of its own: give them to `of_directions`"):
        _made(_batch(_rows()), Items(2))
