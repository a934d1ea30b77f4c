"""What is kept while a work lasts, and only then."""

from dtinterp.foundation.jobs.kept import kept, once


def test_what_was_made_is_not_made_again_while_the_work_lasts() -> None:
    made: list[str] = []

    def make() -> int:
        made.append("made")
        return len(made)

    assert [once(make, "a"), once(make, "a")] == [1, 2]  # nothing is kept outside
    with kept():
        assert [once(make, "a"), once(make, "a"), once(make, "b", 1), once(make, "b", 1)] == [3, 3, 4, 4]
        with kept():
            assert once(make, "a") == 5
        assert once(make, "a") == 3
    assert once(make, "a") == 6
