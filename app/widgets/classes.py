"""Classes at one epsilon: slider, tree and atlas beside one observation."""

from collections.abc import Sequence

import streamlit as st

from app.address import settle
from app.catalogue import OpenStudy
from app.pictures import address_of, title_of
from app.widgets.atlas import Group, Picture, show_atlas
from app.widgets.comparison import show_comparison
from app.widgets.observation import show_observation
from app.widgets.tree import choose_level, show_tree
from dtinterp.equivalence.levels import Level, class_order, frame_order
from dtinterp.report.style import CONTROL_2, class_colours
from dtinterp.report.words import plural

ATLAS_HEIGHT = 820
"""Pixels; a longer one scrolls, so that what a click shows stays in view."""


def show_classes(opened: OpenStudy) -> None:
    """Show slider, tree and atlas, and the chosen observation."""
    level = choose_level(opened)
    ordered, frame = settle_frame(opened, level)
    place = opened.frames.index(frame)
    show_tree(opened, level, place)
    left, right = st.columns([5, 6], gap="large")
    with left:
        frames = opened.trajectories.frames
        st.selectbox("Observation", ordered, key="frame", format_func=lambda frame: title_of(frames, int(frame)))
        st.caption("Each box is a class, in its colour in the tree. Click a picture, or a leaf of the tree.")
        with st.container(height=ATLAS_HEIGHT):
            show_atlas(groups(opened, level), chosen=frame, on_click=_choose_frame)
    with right:
        show_observation(opened, level, place)
    show_comparison(opened, level, place)


def settle_frame(opened: OpenStudy, level: Level) -> tuple[list[str], int]:
    """Return the observations in order of their classes, and the one that is chosen."""
    ordered = [str(opened.frames[place]) for place in frame_order(level.partition, opened.report.chosen).tolist()]
    return ordered, int(settle("frame", ordered, default=ordered[0]))


def groups(opened: OpenStudy, level: Level) -> tuple[Group, ...]:
    """Return the classes, largest first, and at the end one group of those observations that stand alone."""
    frames, partition, chosen = opened.trajectories.frames, level.partition, opened.report.chosen

    def pictures(places: Sequence[int]) -> tuple[Picture, ...]:
        return tuple(
            Picture(frame, title_of(frames, frame), address_of(frames, frame))
            for frame in chosen.frame_id[list(places)].tolist()
        )

    order, sizes, colours = frame_order(partition, chosen).tolist(), partition.sizes.tolist(), class_colours(partition)
    label = partition.label.tolist()
    found = [
        Group(f"class {each}", colours[each], pictures([place for place in order if label[place] == each]))
        for each in class_order(partition, chosen).tolist()
        if sizes[each] > 1
    ]
    alone = [place for place in order if sizes[label[place]] == 1]
    if alone:
        found.append(Group(f"{plural(len(alone), 'observation')} on their own", CONTROL_2, pictures(alone)))
    return tuple(found)


def _choose_frame(frame: int) -> None:
    st.session_state["frame"] = str(frame)
