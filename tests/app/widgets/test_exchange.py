from dataclasses import replace
from pathlib import Path

import pytest

from app.catalogue import OpenStudy, open_study, studies
from app.live import Answer, Question, answer
from app.shelf import shelve
from app.widgets.exchange import control_table, feature_table, gate_line, verdict
from dtinterp.dictionary.dictionary import encode_dense
from dtinterp.equivalence.explain.smallest_set import PairExplanation
from dtinterp.foundation.statistics import Interval

FOUND = PairExplanation(
    divergence=0.5,
    n_contexts=16,
    differing=(1, 4, 7),
    left_by_all=0.2,
    features=(4, 7),
    left=0.04,
    is_smallest=True,
    random_directions=Interval(0.0, 0.0, 0.04, 100),
    random_features=Interval(0.02, 0.01, 0.07, 90),
    random_differences=Interval(0.03, 0.01, 0.08, 100),
    random_features_as_far=Interval(0.1, 0.05, 0.18, 90),
)


@pytest.fixture(scope="module")
def opened(small_study: Path) -> OpenStudy:
    return open_study(studies(shelve([small_study]))["novice"])


@pytest.fixture(scope="module")
def question(opened: OpenStudy) -> Question:
    return Question(opened.frames[0], opened.frames[2], "topk-512-k4", 0.01)


@pytest.fixture(scope="module")
def found(opened: OpenStudy, question: Question) -> Answer:
    return answer(opened, question)


def test_the_verdict_says_how_many_features_make_the_two_one():
    said = verdict(FOUND, 0.05)
    assert said.startswith("**2 features of the 3 that differ make them one.**")
    assert "up to 0.5 bits apart" in said
    assert "0.04 bits, within ε = 0.05 (the smallest such set)" in said
    assert "smaller sets were not all tried" in verdict(replace(FOUND, is_smallest=False), 0.05)
    assert "1 feature of the 3 that differ makes them one" in verdict(replace(FOUND, features=(4,)), 0.05)


def test_a_pair_that_is_one_already_needs_no_exchange():
    assert verdict(replace(FOUND, features=(), divergence=0.01), 0.05).startswith("**Nothing has to be exchanged.**")


def test_a_dictionary_that_does_not_explain_the_pair_is_said_not_to():
    said = verdict(replace(FOUND, features=None, left=0.1), 0.05)
    assert "exchanging all 3 that differ leaves 0.2 bits: the dictionary does not say" in said


def test_controls_come_with_their_interval_and_number():
    table = control_table(FOUND)
    assert table.set_index("control")["share that is enough, too"].to_dict() == {
        "random directions of any kind, as far": "0.0% [0.0%, 4.0%]",
        "random directions in which observations differ, as far": "3.0% [1.0%, 8.0%]",
        "random sets of as many differing features": "2.0% [1.0%, 7.0%]",
        "the same sets, moved as far": "10.0% [5.0%, 18.0%]",
    }
    assert table["tried"].tolist() == [100, 100, 90, 90]


def test_controls_that_were_not_tried_are_left_out():
    before = replace(FOUND, random_differences=None, random_features_as_far=None)
    assert len(control_table(before)) == 2
    assert control_table(replace(before, random_directions=None, random_features=None)).empty


def test_each_exchanged_feature_is_shown_as_active_as_it_is_in_either(opened, question, found):
    table = feature_table(opened, question, found)
    assert table["feature"].tolist() == list(found.explanation.features or ())
    dictionary = opened.dictionaries["topk-512-k4"]
    codes = encode_dense(dictionary, found.pair.embedding)
    for row in table.itertuples(index=False):
        assert row[1] == pytest.approx(float(codes[0, row[0]]), abs=0.006)
        assert row[2] == pytest.approx(float(codes[1, row[0]]), abs=0.006)


def test_a_dictionary_says_whether_it_passes_its_gate(opened):
    assert gate_line("passes").startswith("This dictionary passes its gate")
    assert opened.verdicts.keys() == opened.dictionaries.keys()
    missed = opened.verdicts["topk-512-k4"]
    assert missed.startswith(("fails: ", "not judged: "))
    assert gate_line(missed) == (
        f"⚠ This dictionary does not pass its gate: what is said of its features is no claim ({missed})."
    )


def test_only_good_labels_are_shown(opened, question, found):
    labels = opened.labels["topk-512-k4"]
    table = feature_table(opened, question, found)
    assert table["fires when"].tolist() == [labels.good(feature) or "–" for feature in table["feature"]]
    bare = replace(opened, labels={})
    assert set(feature_table(bare, question, found)["fires when"]) == {"–"}
