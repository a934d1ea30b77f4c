"""Two observations and what tells them apart: by swaps, in the world, and in features."""

import pandas as pd
import streamlit as st

from app.address import settle
from app.catalogue import OpenStudy
from app.pictures import album, boxed, title_of
from app.widgets.exchange import show_exchange
from app.widgets.observation import show_swap
from app.widgets.tree import chosen_level
from dtinterp.equivalence.levels import Level, frame_order, nearest_beyond, worst_swap
from dtinterp.report.words import bits, count


def show_pair(opened: OpenStudy) -> None:
    """Show two observations that are chosen here, how far apart they are, and which features keep them apart."""
    level = chosen_level(opened)
    first, second = _choose(opened, level)
    if first == second:
        st.info(f"Frame {opened.frames[first]} is chosen twice: nothing keeps it from itself. Choose another one.")
        return
    _show_divergence(opened, level, first, second)
    _show_world(opened, first, second)
    st.markdown("**The swap that told them apart most**")
    show_swap(opened, worst_swap(opened.report, first, second))
    show_exchange(opened, level.epsilon, opened.frames[first], opened.frames[second])


def _choose(opened: OpenStudy, level: Level) -> tuple[int, int]:
    """Show both with their pictures, and return their rows among the compared ones."""
    frames, places = opened.trajectories.frames, frame_order(level.partition, opened.report.chosen).tolist()
    ordered = [str(opened.frames[place]) for place in places]
    usual = st.session_state.get("frame")
    first = settle("first", ordered, default=usual if usual in ordered else ordered[0])
    other = nearest_beyond(opened.report, opened.frames.index(int(first)), level.epsilon)
    fallback = next(frame for frame in ordered if frame != first)
    settle("second", ordered, default=fallback if other is None else str(opened.frames[other]))
    chosen = []
    for column, name in zip(st.columns(2, gap="large"), ("first", "second"), strict=True):
        with column:
            frame = st.selectbox(
                name.capitalize(),
                ordered,
                key=name,
                format_func=lambda frame: title_of(frames, int(frame)),
                on_change=_forget_search,
            )
            place = opened.frames.index(int(frame))
            label = int(level.partition.label[place])
            size = int(level.partition.sizes[label])
            picture, words = st.columns([2, 3])
            picture.html(boxed("large", album(frames)(int(frame))))
            words.markdown(f"Class {label}" + (f", one of {size}" if size > 1 else ", alone"))
            words.caption(title_of(frames, int(frame)).partition(": ")[2])
            chosen.append(place)
    return chosen[0], chosen[1]


def _show_divergence(opened: OpenStudy, level: Level, first: int, second: int) -> None:
    relation, swaps = opened.report.relation, opened.report.swaps
    n_flips = int(swaps.n_flips[first, second] + swaps.n_flips[second, first])
    n_swaps = int(relation.n_contexts[first, second])
    is_same = int(level.partition.label[first]) == int(level.partition.label[second])
    with st.container(horizontal=True):
        st.metric("largest divergence", bits(float(relation.maximum[first, second])), border=True, width="content")
        st.metric("mean", bits(float(relation.mean[first, second])), border=True, width="content")
        st.metric("contexts tried", count(int(relation.n_contexts[first, second])), border=True, width="content")
        st.metric("actions flipped", f"{count(n_flips)} of {count(n_swaps)}", border=True, width="content")
        st.metric(f"class at ε = {level.epsilon:g}", "the same" if is_same else "two", border=True, width="content")


def _show_world(opened: OpenStudy, first: int, second: int) -> None:
    rows = {
        world.name: "the same" if world.label[first] == world.label[second] else "not the same"
        for world in opened.report.worlds
    }
    st.dataframe(pd.DataFrame([rows], index=["what the world says of the two"]), width="stretch")


def _forget_search() -> None:
    """Search again only when asked: the pair is another one now."""
    for stale in ("dictionary", "window"):
        st.session_state.pop(stale, None)
