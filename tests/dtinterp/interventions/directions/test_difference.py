import torch


def test_the_difference_of_means_is_the_planted_direction_and_reads_held_out_rows(find, planted_direction):
    found = find("difference", fact="instruction", frame="first")
    assert float(found.vectors[0] @ planted_direction) > 0.99
    assert found.explains["held-out accuracy"] == 1
    assert found.explains["held-out majority"] < 0.8
    assert found.names == ("instruction difference",)


def test_it_is_the_difference_of_mean_rows(find, material):
    chosen = material.windows
    rows = chosen.items[chosen.windows.frame_id[:, 5]] @ material.subject.model.W_obs.detach()
    gap = rows[:2].mean(dim=0) - rows[2:].mean(dim=0)
    found = find("difference", fact="instruction", frame="first")
    torch.testing.assert_close(found.vectors[0], gap / gap.norm(), atol=1e-5, rtol=0)
    turned = find("difference", fact="instruction", frame="first", between=["ball", "key"])
    torch.testing.assert_close(turned.vectors, -found.vectors)
