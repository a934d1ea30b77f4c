"""A mistake about a world becomes one sentence."""


class WorldError(ValueError):
    """A world that is not there, or a value that it does not have; the sentence names it and what was expected."""
