"""Pairs that the model confuses, and pairs that distract it, ranked by what they cost, with pictures."""

from collections.abc import Sequence

import streamlit as st

from app.address import compare_frames
from app.catalogue import OpenStudy
from app.pictures import album, boxed, gallery
from dtinterp.equivalence.truth.disagreements import Contrast
from dtinterp.report.rendering import render
from dtinterp.report.words import NOTHING, bits, loss, plural


def show_contrasts(opened: OpenStudy) -> None:
    """Show both rankings; one sentence where the classes were never compared with the world."""
    if opened.portrait is None:
        st.info(
            f"The classes of {opened.model.name} were not compared with the world's own: `dtinterp compare` does that, "
            "and prices each difference."
        )
        return
    found = opened.portrait.contrasts
    st.subheader("Confusions")
    st.markdown(render("confusions.html", found=found))
    if found.stakes is not None:
        _say_order(found.n_costly_confusions, "those with most at stake")
        _show_ranking(opened, found.confusions, kind="confusion")
    st.subheader("Distractions")
    st.markdown(
        f"The world joins {plural(found.n_alike, 'pair')} that nothing ever paid tells apart. The model keeps "
        f"**{found.n_distractions}** of them in different classes."
    )
    _say_order(found.n_costly_distractions, "those that it tells apart most")
    _show_ranking(opened, found.distractions, kind="distraction")


def _say_order(n_costly: int | None, order: str) -> None:
    st.caption(render("ranked.html", n_costly=n_costly, order=order))


def _show_ranking(opened: OpenStudy, ranked: Sequence[Contrast], *, kind: str) -> None:
    draw = album(opened.trajectories.frames)
    if not ranked:
        st.info(f"There is no {kind} to show.")
    for rank, contrast in enumerate(ranked, start=1):
        with st.container(border=True):
            pictures, words = st.columns([4, 5])
            pictures.html(boxed("pair", gallery(draw, [contrast.frame, contrast.other])))
            words.markdown(said(contrast, kind=kind, rank=rank))
            words.button(
                "Compare the two",
                key=f"{kind}/{rank}",
                on_click=compare_frames,
                args=(contrast.frame, contrast.other),
            )


def said(contrast: Contrast, *, kind: str, rank: int) -> str:
    """Return what a pair costs, in words."""
    at_stake = f"**{loss(contrast.stake)}** at stake, " if kind == "confusion" else ""
    lost = loss(contrast.lost)
    said_lost = lost if lost == NOTHING else f"**{lost}** of its return"
    return (
        f"{rank}. Frames {contrast.frame} and {contrast.other}: {at_stake}{bits(contrast.divergence)} apart. Shown one "
        f"for the other, the model loses {said_lost}."
    )
