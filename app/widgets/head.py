"""The head of a page: what could not be read, what a class is, and how far to trust it."""

import re
from collections.abc import Sequence

import streamlit as st

from app.catalogue import OpenStudy
from dtinterp.equivalence.behaviour.after_random import CLASSES, RANDOM
from dtinterp.equivalence.classes.joint_refinement import MEMBERS
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.rendering import caveats
from dtinterp.report.words import bits, count, plural

MOST = 5
"""Sentences that are shown; of a folder of somebody else's there may be hundreds."""
LONGEST = 400
"""Characters of one; a path may have thousands."""
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#|~$:!])")


def show_left_out(sentences: Sequence[str]) -> None:
    """Show why folders are left out; nothing where none is."""
    if not sentences:
        return
    shown = [f"- {plain(sentence)}" for sentence in sentences[:MOST]]
    if len(sentences) > MOST:
        shown.append(f"- and {len(sentences) - MOST} more.")
    st.warning("\n".join(["Left out, since it cannot be read:", "", *shown]))


def plain(sentence: str) -> str:
    """Return Markdown that shows a sentence as it stands: names of strangers' files draw no picture and no link."""
    clipped = sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]}…"
    return _MARKS.sub(r"\\\1", " ".join(clipped.split()))


def show_head(opened: OpenStudy) -> None:
    """Show the finding in a sentence, and the certificate in five numbers."""
    report = opened.report
    st.markdown(
        f"Of the {len(report.chosen.frame_id)} observations that {report.config.kind} steps show most, "
        f"**{opened.model.name}, {report.config.asks}, tells {plural(report.partition.n_classes, 'class', 'classes')} "
        f"apart**, in {report.config.population}. In those that classes are made from, any observation of a class "
        "stands in for any other, at any place in the window, and no decision moves by more than "
        f"**{report.config.epsilon:g} bits** (0 is nothing, 1 is no action in common)."
    )
    with st.container(border=True):
        for caveat in caveats(report):
            st.markdown(f"⚠ {caveat}")
    with st.container(horizontal=True):
        for label, value, explained in numbers(report):
            st.metric(label, value, help=explained, border=True, width="content")


def numbers(report: EquivalenceReport) -> list[tuple[str, str, str]]:
    """Return label, value and explanation of each number."""
    worst = max(report.totals, key=lambda each: each.maximum)
    kind = report.config.kind
    n_inside = sum(each.n_swaps for each in report.totals)
    behaviour = report.behaviour
    found = [
        (
            "observations",
            count(len(report.chosen.frame_id)),
            f"{report.chosen.coverage:.1%} of the {count(report.chosen.n_steps)} {kind} steps show one of them.",
        ),
        (
            "swaps tried",
            count(report.n_swaps),
            f"Each observation in the place of each other one, in {count(report.n_contexts)} {kind} contexts.",
        ),
        (
            "worst inside a class",
            bits(worst.maximum),
            f"The most that a swap inside a class moved a decision, of {count(n_inside)} that were tried: met in "
            f"{worst.stage}. Those that classes are formed from stay within {report.config.epsilon:g} bits.",
        ),
        (
            "return on classes",
            f"{behaviour.classes.earned.expected_return:.3f} of {behaviour.intact.expected_return:.3f}",
            "What the model earns greedily from the starts when it is shown one representative of each class, exactly; "
            f"on random classes of the same sizes {behaviour.classes.random_return}.",
        ),
    ]
    return found + _pairs(report) + _fresh(report) + _jointly(report) + _after_random_actions(report)


def _pairs(report: EquivalenceReport) -> list[tuple[str, str, str]]:
    if report.met is None:
        return []
    pairs = report.verdicts
    explained = (
        f"Pairs of observations in one class; {count(pairs.n_different)} were told apart by some swap, and "
        f"{count(pairs.n_undecided)} are undecided: nothing told them apart, but others come between."
    )
    return [("equivalent pairs", count(pairs.n_equivalent), explained)]


def _jointly(report: EquivalenceReport) -> list[tuple[str, str, str]]:
    drawn = {} if report.joint is None else {arm.shown: arm for arm in report.joint.arms}
    if MEMBERS not in drawn:
        return []
    arm = drawn[MEMBERS]
    explained = (
        f"Of {count(arm.n_histories)} histories that no class was chosen by, those in which a decision moved by more "
        "than ε when every observation was shown as a member of its class at once; at most "
        f"{arm.beyond.high:.1%}, at 95%."
    )
    return [("all replaced at once", f"{arm.beyond.estimate:.1%} beyond ε", explained)]


def _after_random_actions(report: EquivalenceReport) -> list[tuple[str, str, str]]:
    played = {} if report.wandering is None else {each.shown: each for each in report.wandering.played}
    shown = f"{CLASSES}, any members"
    if report.wandering is None or shown not in played:
        return []
    each, rival = played[shown], played.get(f"{RANDOM}, of these sizes")
    explained = (
        f"Mean return of plays that begin with up to {report.config.most_random} random actions, each observation "
        "shown as any member of its class, of the return intact; on random classes of the same sizes "
        f"{'not played' if rival is None else f'{rival.mean_return.estimate:.3f}'}."
    )
    intact = report.wandering.intact.estimate
    return [("return after random actions", f"{each.mean_return.estimate:.3f} of {intact:.3f}", explained)]


def _fresh(report: EquivalenceReport) -> list[tuple[str, str, str]]:
    if report.scrutiny is None or not report.scrutiny.bounds:
        return []
    bounds = report.scrutiny.bounds
    n_failures, n_contexts = (sum(getattr(each, name) for each in bounds) for name in ("n_failures", "n_contexts"))
    explained = "Contexts that no class was chosen by, in which some class-mate moved a decision by more than ε."
    return [("failed when unseen", f"{count(n_failures)} of {count(n_contexts)}", explained)]
