import torch

from dtinterp.interventions.measures.decision import DecisionFlip, Divergence

UNTOUCHED = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
EDITED = torch.tensor([[0.0, 2.0, 0.0], [0.0, 2.0, 5.0]])[None]


def test_a_decision_is_flipped_where_another_action_is_likeliest() -> None:
    assert DecisionFlip(flip="any").change(EDITED, UNTOUCHED).tolist() == [[1.0, 1.0]]
    assert DecisionFlip(flip="right").change(EDITED, UNTOUCHED).tolist() == [[1.0, 0.0]]
    assert DecisionFlip(flip="any").change(UNTOUCHED[None], UNTOUCHED).tolist() == [[0.0, 0.0]]


def test_the_divergence_is_kl_in_bits_row_by_row() -> None:
    found = Divergence(kl="bits").change(EDITED, UNTOUCHED)[0]
    for window in range(2):
        p, q = UNTOUCHED[window].softmax(0), EDITED[0, window].softmax(0)
        by_hand = sum(float(a) * (torch.log2(a) - torch.log2(b)) for a, b in zip(p, q, strict=True))
        torch.testing.assert_close(found[window], by_hand)
    assert (Divergence(kl="bits").change(UNTOUCHED[None], UNTOUCHED) == 0).all()
