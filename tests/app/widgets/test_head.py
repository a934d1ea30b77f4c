from pathlib import Path

from streamlit.testing.v1 import AppTest

from app.widgets.head import LONGEST, numbers, plain
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load


def _shown(n_sentences: int) -> list[str]:
    def script(n_sentences: int) -> None:
        from app.widgets.head import show_left_out

        show_left_out([f"number {each} is damaged" for each in range(n_sentences)])

    app = AppTest.from_function(script, args=(n_sentences,)).run()
    assert not app.exception
    return [warning.value for warning in app.warning]


def test_every_sentence_is_a_line_and_of_hundreds_a_few_are_shown() -> None:
    assert _shown(0) == []
    assert _shown(2) == ["Left out, since it cannot be read:\n\n- number 0 is damaged\n- number 1 is damaged"]
    (said,) = _shown(300)
    assert said.count("is damaged") == 5
    assert said.endswith("- and 295 more.")


def test_the_name_of_a_file_draws_no_picture_and_stays_short() -> None:
    assert plain("![x](http://a/b) is `odd`\nhere") == r"\!\[x\]\(http\://a/b\) is \`odd\` here"
    assert len(plain("x" * 5000)) == LONGEST + 1


def test_a_certificate_of_own_play_says_what_holds_jointly_and_after_random_actions() -> None:
    report = load(Path("checkpoints/studies/memory-dt/equivalence"), EQUIVALENCE)
    shown = {name: value for name, value, _ in numbers(report)}
    assert report.wandering is not None
    assert shown["equivalent pairs"] == f"{report.verdicts.n_equivalent:,}"
    assert shown["all replaced at once"].endswith("% beyond ε")
    assert shown["return after random actions"].endswith(f"of {report.wandering.intact.estimate:.3f}")
