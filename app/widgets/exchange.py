"""The smallest exchange of features that makes two observations one to the model, searched and applied live."""

import pandas as pd
import streamlit as st

from app.address import settle
from app.catalogue import OpenStudy
from app.live import Answer, Question, answer, decisions
from app.pictures import album
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.equivalence.explain.decisions import most_telling
from dtinterp.equivalence.explain.smallest_set import PairExplanation
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.report.figures.decisions import decision_figure
from dtinterp.report.filmstrip import filmstrip, slot_name, window_slots
from dtinterp.report.style import CONFIG
from dtinterp.report.words import bits, plural, verb

SEARCH = "Find the smallest set of features"


def show_exchange(opened: OpenStudy, epsilon: float, first: int, second: int) -> None:
    """Offer the search, and show what it found once it was asked for; frames are rows of the frame table."""
    st.subheader("Which features keep them apart?")
    if not opened.dictionaries:
        st.info(
            f"No dictionary of {opened.model.name}'s observation embedding stands here: `dtinterp fit-dictionary` "
            "makes one."
        )
        return
    names = list(opened.dictionaries)
    if "dictionary" in st.session_state:
        settle("dictionary", names, default=names[0])
    chooser, button = st.columns([3, 2], vertical_alignment="bottom")
    wanted = chooser.selectbox(
        "Dictionary", names, index=names.index(st.session_state.get("dictionary", names[0])), key="dictionary/wanted"
    )
    st.caption(gate_line(opened.verdicts[wanted]))
    button.button(SEARCH, on_click=_ask, args=(wanted,), type="primary", width="stretch")
    if "dictionary" not in st.session_state:
        st.caption(
            "Features that differ are exchanged: either observation gets them as the other has them. The search looks "
            f"for the fewest that leave no more than ε, in {opened.report.config.population} of both; it takes some "
            "seconds."
        )
        return
    question = Question(first, second, st.session_state["dictionary"], epsilon)
    with st.spinner("Exchanging sets of features", show_time=True):
        found = answer(opened, question)
    if question.dictionary != wanted:
        st.caption(f"Shown is {question.dictionary}. {gate_line(opened.verdicts[question.dictionary])}")
    _show_found(opened, question, found)


def gate_line(verdict: str) -> str:
    """Say whether a dictionary passes its gate, and what that means for what is said of its features."""
    if verdict == "passes":
        return (
            "This dictionary passes its gate of sparsity, error on unseen rows and frames, loss, accuracy and return."
        )
    return f"⚠ This dictionary does not pass its gate: what is said of its features is no claim ({verdict})."


def _ask(name: str) -> None:
    st.session_state["dictionary"] = name


def _show_found(opened: OpenStudy, question: Question, found: Answer) -> None:
    st.markdown(verdict(found.explanation, question.epsilon))
    controls = control_table(found.explanation)
    if len(controls):
        st.dataframe(controls, hide_index=True, width="stretch")
    table = feature_table(opened, question, found)
    if len(table):
        st.dataframe(table, hide_index=True, width="stretch")
    _show_applied(opened, question, found)


def verdict(found: PairExplanation, epsilon: float) -> str:
    """Return what the search found, in a sentence or two."""
    apart = f"In {found.n_contexts} contexts the two are up to {bits(found.divergence)} apart"
    if found.is_interchangeable:
        return f"**Nothing has to be exchanged.** {apart}, within ε = {epsilon:g}."
    if found.features is None:
        return (
            f"**No set of features is enough.** {apart}; exchanging all {len(found.differing)} that differ leaves "
            f"{bits(found.left_by_all)}: the dictionary does not say what keeps them apart."
        )
    size = "the smallest such set" if found.is_smallest else "smaller sets were not all tried"
    return (
        f"**{plural(len(found.features), 'feature')} of the {len(found.differing)} that differ "
        f"{verb(len(found.features), 'makes', 'make')} them one.** {apart}; with "
        f"{verb(len(found.features), 'it', 'these')} exchanged, {bits(found.left)}, within ε = {epsilon:g} ({size})."
    )


def control_table(found: PairExplanation) -> pd.DataFrame:
    """Return how often chance does as well; empty where nothing was exchanged."""
    controls = {
        "random directions of any kind, as far": found.random_directions,
        "random directions in which observations differ, as far": found.random_differences,
        "random sets of as many differing features": found.random_features,
        "the same sets, moved as far": found.random_features_as_far,
    }
    return pd.DataFrame(
        {
            "control": name,
            "share that is enough, too": f"{share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}]",
            "tried": share.n,
        }
        for name, share in controls.items()
        if share is not None
    )


def feature_table(opened: OpenStudy, question: Question, found: Answer) -> pd.DataFrame:
    """Return one row per exchanged feature: how active it is in either, and its label; empty where there is none."""
    dictionary = opened.dictionaries[question.dictionary]
    codes = encode_dense(dictionary, found.pair.embedding)
    return pd.DataFrame(
        {
            "feature": feature,
            f"in frame {question.first}": round(float(codes[0, feature]), 2),
            f"in frame {question.second}": round(float(codes[1, feature]), 2),
            "fires when": _label(opened, dictionary, feature),
        }
        for feature in found.explanation.features or ()
    )


def _label(opened: OpenStudy, dictionary: Dictionary, feature: int) -> str:
    """Return the good label of a feature; a dash where it has none, or none was searched."""
    labels = opened.labels.get(dictionary.name)
    return (labels.good(feature) if labels is not None else "") or "–"


def _show_applied(opened: OpenStudy, question: Question, found: Answer) -> None:
    """Show a window that is chosen here, and the model's decision there with and without the exchange."""
    contexts = found.pair.contexts
    options = [str(context + 1) for context in range(len(contexts))]
    settle("window", options, default=str(most_telling(found.pair) + 1))
    st.subheader("The exchange, applied")
    name = st.selectbox("Held-out window", options, key="window", format_func=lambda name: _said(contexts, name))
    context = int(name) - 1
    rows = decisions(opened, question, context)
    decision = int(rows[1].divergence.argmax())  # of the swap without any exchange
    slot, own = int(contexts.slot[context]), int(contexts.frame_id[context])
    swap = WorstSwap(
        frame=own,
        stand_in=question.second if own == question.first else question.first,
        step=int(contexts.windows.step[context, -1]),
        slot=slot,
        decision=slot + decision,
        divergence=float(rows[1].divergence[decision]),
    )
    shown = contexts.windows[context : context + 1]
    st.html(filmstrip(window_slots(shown, swap=swap), album(opened.trajectories.frames)))
    st.caption(f"What the model decides at {slot_name(shown, swap.decision)}, where the swap as it is moved it most:")
    st.plotly_chart(decision_figure(rows, decision), theme=None, config=CONFIG, key="decisions")


def _said(contexts: Contexts, name: str) -> str:
    context = int(name) - 1
    place = slot_name(contexts.windows[context : context + 1], int(contexts.slot[context]))
    return f"{name}: frame {int(contexts.frame_id[context])} at {place}"
