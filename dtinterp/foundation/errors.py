"""A user's mistake, told in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 900
"""Characters of a sentence; what a file says of itself may be as long as the file."""


class UserError(Exception):
    """A mistake that the user can mend; the command line prints its one sentence and exits with code 2.

    The sentence names the thing, its value, what was expected and what to do next. It is one line, whatever values are
    in it: what a terminal would obey is shown as text, and what is too long is cut in the middle.
    """

    def __str__(self) -> str:
        """Return the sentence."""
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Return a text of at most `LONGEST` printable characters, on one line."""
    if len(text) > LONGEST:
        half = LONGEST // 2 - 2
        text = f"{text[:half]} … {text[-half:]}"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def nearest(word: object, known: Iterable[str]) -> str:
    """Return `, the nearest is …` for the known word that looks most like this one, or nothing where none does."""
    alike = get_close_matches(str(word), [*known], n=1)
    return f", the nearest is {alike[0]}" if alike else ""
