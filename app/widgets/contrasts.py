"""Pairs that distract the model, ranked by what they cost, with pictures."""

from collections.abc import Sequence

import streamlit as st

from app.address import compare_frames
from app.catalogue import OpenStudy
from app.pictures import album, boxed, gallery
from dtinterp.equivalence.truth.disagreements import NO_CONFUSIONS, Contrast
from dtinterp.report.rendering import render
from dtinterp.report.words import NOTHING, bits, loss, plural


def show_contrasts(opened: OpenStudy) -> None:
    """Show the ranking; one sentence where the classes were never compared with the world."""
    if opened.portrait is None:
        st.info(
            f"The classes of {opened.model.name} were not compared with the world's own: `dtinterp compare` does that, "
            "and prices each difference."
        )
        return
    found = opened.portrait.contrasts
    st.subheader("Distractions")
    st.markdown(
        f"The world joins {plural(found.n_alike, 'pair')} that nothing ever paid tells apart. The model keeps "
        f"**{found.n_distractions}** of them in different classes. {render('distractions.html', found=found)}"
    )
    _show_ranking(opened, found.distractions)
    st.caption(NO_CONFUSIONS)


def _show_ranking(opened: OpenStudy, ranked: Sequence[Contrast]) -> None:
    draw = album(opened.trajectories.frames)
    if not ranked:
        st.info("There is no distraction to show.")
    for rank, contrast in enumerate(ranked, start=1):
        with st.container(border=True):
            pictures, words = st.columns([4, 5])
            pictures.html(boxed("pair", gallery(draw, [contrast.frame, contrast.other])))
            words.markdown(said(contrast, rank=rank))
            words.button(
                "Compare the two",
                key=f"distraction/{rank}",
                on_click=compare_frames,
                args=(contrast.frame, contrast.other),
            )


def said(contrast: Contrast, *, rank: int) -> str:
    """Return what a pair costs, in words."""
    lost = loss(contrast.lost)
    said_lost = lost if lost == NOTHING else f"**{lost}** of its return"
    return (
        f"{rank}. Frames {contrast.frame} and {contrast.other}: {bits(contrast.divergence)} apart. Shown one for the "
        f"other, the model loses {said_lost}."
    )
