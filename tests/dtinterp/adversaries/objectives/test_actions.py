import torch

from dtinterp.adversaries.objectives.actions import FlipAction, FlipLogits
from dtinterp.adversaries.problem import Problem

NOTHING = torch.tensor([[-1]])


def test_values_are_above_zero_as_things_are_and_below_where_the_order_is_another(problem):
    for objective in (FlipLogits(0, 1), FlipLogits(1, 0), FlipLogits(4, 2), FlipAction(), FlipAction(3)):
        made: Problem = problem(objective)
        logits = made.window.original
        chosen = int(logits.argmax())
        if objective == FlipAction(chosen):
            continue
        assert made.original >= 0
        singles = torch.arange(len(made.table))[:, None]
        added = made.differences
        with torch.no_grad():
            after = made.window.logits(added, made.table.first)
        values = made.values(singles)
        match objective:
            case FlipLogits(first, second):
                is_flipped = (after[:, first] > after[:, second]) != (logits[first] > logits[second])
            case FlipAction(None):
                is_flipped = after.argmax(1) != chosen
            case FlipAction(wanted):
                is_flipped = after[:, wanted] > after[:, chosen]
        assert torch.equal(values < 0, is_flipped)


def test_titles_name_what_is_flipped():
    assert FlipLogits(0, 1).title == "logit(left) − logit(right) changes its sign"
    assert FlipAction(2).title == "forward is likelier than the action chosen"
    assert FlipAction().title == "another action is likelier than the action chosen"
