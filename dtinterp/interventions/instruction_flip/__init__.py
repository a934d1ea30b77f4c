"""The instruction flip: the experiment that turns the instruction at the decision point."""
