import torch

from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.scenarios import Scenarios
from dtinterp.interventions.intervene import Intervention, hooks, intervene
from dtinterp.interventions.parts.columns import Key, Neuron, OfHead
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.slots import every_frame, first_frame, last_frame, tokens_of
from dtinterp.model.network.transformer import DecisionTransformer

ROWS = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


def test_a_head_and_a_neuron_are_edited_alone() -> None:
    head = Setting(OfHead(1, 2, Whole()), 0.0).apply(ROWS)
    assert torch.equal(head[:, :4], ROWS[:, :4])
    torch.testing.assert_close(head[:, 4:], torch.zeros(5, 4), atol=1e-6, rtol=0)
    neuron = Setting(Neuron(3), 7.0).apply(ROWS)
    torch.testing.assert_close(neuron[:, 3], torch.full((5,), 7.0))
    others = [0, 1, 2, 4, 5, 6, 7]
    assert torch.equal(neuron[:, others], ROWS[:, others])


def test_the_entry_of_a_pattern_is_the_head_s_at_the_key_of_each_window(
    random_model: DecisionTransformer, scenarios: Scenarios
) -> None:
    """The first frames stand in slot 5: its observation is token 16, its action token 17."""
    site, seen = "blocks.0.attn.hook_pattern", []

    def look(pattern, hook):  # noqa: ARG001
        seen.append(pattern.clone())

    config = random_model.cfg
    for tokens, column in ((tokens_of(config, "observation"), 16), (tokens_of(config, "action"), 17)):
        part = OfHead(1, 2, Key(first_frame, tokens))
        edit = Intervention(site, last_frame, Setting(part, 0.25))
        fwd_hooks = [(site, look), *hooks(random_model, scenarios.windows, [edit]), (site, look)]
        seen.clear()
        random_model.run_with_hooks(scenarios.windows, scenarios.items, fwd_hooks=fwd_hooks)
        before, after = seen
        changed = (before != after).nonzero()
        assert {(int(head), int(query), int(key)) for _, head, query, key in changed} == {(1, 28, column)}
        torch.testing.assert_close(after[:, 1, 28, column], torch.full((4,), 0.25))


def test_a_key_that_has_left_the_window_leaves_the_pattern(
    random_model: DecisionTransformer, scenarios: Scenarios
) -> None:
    def nowhere(windows):
        return torch.zeros_like(windows.mask)

    part = OfHead(0, 2, Key(nowhere, tokens_of(random_model.cfg, "observation")))
    site = "blocks.1.attn.hook_pattern"
    edited, listened = (
        intervene(random_model, scenarios.windows, scenarios.items, [Intervention(site, slots, Setting(part, 0.9))])
        for slots in (every_frame, nowhere)
    )
    assert torch.equal(edited[scenarios.windows.mask], listened[scenarios.windows.mask])
