import pytest
import torch

from dtinterp.equivalence.classes.certificates import Later, WorstSwap, certificates, total
from dtinterp.equivalence.partition import classes, partition_of
from dtinterp.equivalence.swaps.interchange import Swaps
from dtinterp.foundation.seeding import generator

LABEL = torch.tensor([0, 0, 1, 0, 2, 2])


@pytest.fixture(scope="module")
def swaps() -> Swaps:
    """Made-up swaps of six frames, rows 10 to 15 of the table; every step tells its pair."""
    n = 6
    random = generator(0, "swaps")
    maximum = torch.rand(n, n, generator=random).fill_diagonal_(0)
    pair = torch.arange(n * n).view(n, n)
    return Swaps(
        frame_id=torch.arange(10, 10 + n),
        n_contexts=torch.arange(1, 1 + n),
        n_decisions=torch.arange(1, 1 + n) * 5,
        mean=maximum * torch.rand(n, n, generator=random),
        maximum=maximum,
        n_flips=torch.randint(3, (n, n), generator=random).fill_diagonal_(0),
        worst_step=1000 + pair,
        worst_slot=pair % 10,
        worst_decision=9 - pair % 3,
    )


def test_a_certificate_counts_the_swaps_inside_its_class(swaps: Swaps) -> None:
    for certificate in certificates(swaps, partition_of(LABEL, "toy")):
        members = [frame for frame in range(6) if LABEL[frame] == certificate.label]
        pairs = [(a, b) for a in members for b in members if a != b]
        n_swaps = sum(int(swaps.n_contexts[a]) for a, _ in pairs)
        total = sum(int(swaps.n_contexts[pair[0]]) * float(swaps.mean[pair]) for pair in pairs)
        assert certificate.size == len(members)
        assert certificate.n_swaps == n_swaps
        assert certificate.n_flips == sum(int(swaps.n_flips[pair]) for pair in pairs)
        assert certificate.mean == pytest.approx(total / n_swaps if pairs else 0, rel=1e-6)
        assert certificate.maximum == max((float(swaps.maximum[pair]) for pair in pairs), default=0)


def test_the_worst_swap_names_the_pair_and_where_to_open_it(swaps: Swaps) -> None:
    first = certificates(swaps, partition_of(LABEL, "toy"))[0]
    pairs = [(a, b) for a in (0, 1, 3) for b in (0, 1, 3) if a != b]
    a, b = max(pairs, key=lambda pair: float(swaps.maximum[pair]))
    assert first.worst is not None
    assert (first.worst.frame, first.worst.stand_in) == (10 + a, 10 + b)
    assert first.worst.step == 1000 + 6 * a + b
    assert first.worst.slot == (6 * a + b) % 10
    assert first.worst.decision == 9 - (6 * a + b) % 3
    assert first.worst.divergence == first.maximum


def test_a_class_of_one_frame_was_never_tried(swaps: Swaps) -> None:
    alone = certificates(swaps, partition_of(LABEL, "toy"))[1]
    assert (alone.size, alone.n_swaps, alone.mean, alone.maximum, alone.n_flips) == (1, 0, 0, 0, 0)
    assert alone.worst is None


def test_frames_that_nothing_tells_apart_still_have_a_worst_pair(swaps: Swaps) -> None:
    nothing = torch.zeros(6, 6)
    same = Swaps(**{**vars(swaps), "mean": nothing, "maximum": nothing})
    only = certificates(same, partition_of(torch.zeros(6, dtype=torch.int64), "toy"))[0]
    assert only.worst is not None
    assert only.worst.frame != only.worst.stand_in


def test_no_certificate_exceeds_epsilon(swaps: Swaps) -> None:
    for epsilon in (0.2, 0.5, 0.9):
        partition = classes(swaps.relation("toy"), epsilon)
        found = certificates(swaps, partition)
        assert [certificate.label for certificate in found] == list(range(partition.n_classes))
        assert max(certificate.maximum for certificate in found) <= epsilon


def test_a_partition_of_other_frames_is_refused(swaps: Swaps) -> None:
    with pytest.raises(ValueError, match="3 labels for 6 frames"):
        certificates(swaps, partition_of(LABEL[:3], "toy"))


def test_a_total_counts_what_was_tried_later_and_opens_the_worst_of_all(swaps: Swaps) -> None:
    first = certificates(swaps, partition_of(LABEL, "toy"))[0]
    worst = WorstSwap(frame=10, stand_in=11, step=7, slot=3, decision=4, divergence=first.maximum + 0.1)
    later = [
        Later(0, "refinement", 5, first.maximum / 2, None),
        Later(0, "verification", 7, worst.divergence, worst),
        Later(1, "verification", 100, 1.0, None),
    ]
    found = total(first, later)
    assert found.n_swaps == first.n_swaps + 5 + 7
    assert (found.maximum, found.stage, found.worst) == (worst.divergence, "verification", worst)


def test_without_anything_later_a_total_is_what_the_class_was_formed_from(swaps: Swaps) -> None:
    for certificate in certificates(swaps, partition_of(LABEL, "toy")):
        found = total(certificate, ())
        assert (found.n_swaps, found.maximum, found.stage) == (certificate.n_swaps, certificate.maximum, "formation")
        assert found.worst == certificate.worst
