"""A pair, an exchange and one window become what the model decides before and after."""

import streamlit as st

from app.address import settle
from app.library import OpenStudy
from app.live import Answer, Question, decisions
from app.pictures import album
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.equivalence.explain.decisions import most_telling
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.report.figures.decisions import decision_figure
from dtinterp.report.filmstrip import filmstrip, slot_name
from dtinterp.report.style import CONFIG


def show_applied(opened: OpenStudy, question: Question, found: Answer) -> None:
    """Show a window that is chosen here, and the model's decision there with and without the exchange."""
    contexts = found.pair.contexts
    options = [str(context + 1) for context in range(len(contexts))]
    settle("window", options, default=str(most_telling(found.pair.bench) + 1))
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
    st.html(filmstrip(shown, album(opened.trajectories.frames), swap=swap))
    st.caption(f"What the model decides at {slot_name(shown, swap.decision)}, where the swap as it is moved it most:")
    st.plotly_chart(decision_figure(rows, decision), theme=None, config=CONFIG, key="decisions")


def _said(contexts: Contexts, name: str) -> str:
    context = int(name) - 1
    place = slot_name(contexts.windows[context : context + 1], int(contexts.slot[context]))
    return f"{name}: frame {int(contexts.frame_id[context])} at {place}"
