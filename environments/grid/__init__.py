"""One step of a gridworld in tensors: what cells hold, what actions do to them, and what the agent sees."""
