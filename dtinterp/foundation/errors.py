"""A user's mistake becomes one sentence."""


class UserError(Exception):
    """A mistake that the user can mend; the command line prints its one sentence and exits with code 2.

    The sentence names the thing, its value, what was expected and what to do next.
    """
