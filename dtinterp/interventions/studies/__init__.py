"""Studies of several edits beside each other: the published experiments, retargeting, what is left of a direction."""
