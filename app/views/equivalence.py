"""Certified classes become a page: what the model takes for the same, why, and what that costs."""

from collections.abc import Callable, Mapping

import streamlit as st

from app.address import COMPARISON, read_address, settle, write_address
from app.library import OpenStudy, Study, folders, open_study, shelve, studies
from app.panels.classes import settle_frame, show_classes
from app.panels.contrasts import show_contrasts
from app.panels.head import show_head
from app.panels.overview import show_overview
from app.panels.pair import show_pair
from app.panels.tree import chosen_level
from app.pictures import STYLE
from dtinterp.foundation.errors import UserError

VIEWS: Mapping[str, Callable[[OpenStudy], None]] = {
    "Classes": show_classes,
    COMPARISON: show_pair,
    "Confusions and distractions": show_contrasts,
    "Against the world": show_overview,
}


def show() -> None:
    """Show the page."""
    st.title("What the model takes for the same")
    found = studies(shelve(folders()))
    if not found:
        st.info(f"No certified classes stand in {_listed()}: `dtinterp certify` makes them.")
        return
    read_address()
    study = _choose_study(found)
    try:
        opened = _opened(study)
    except UserError as mistake:
        st.error(str(mistake))
        return
    st.html(STYLE)
    show_head(opened)
    settle_frame(opened, chosen_level(opened))
    settle("view", list(VIEWS), default=next(iter(VIEWS)))
    view = st.segmented_control("View", list(VIEWS), key="view", required=True, label_visibility="collapsed")
    VIEWS[str(view)](opened)
    _show_provenance(opened)
    write_address()


@st.cache_resource(
    show_spinner="Reading the study and checking its hashes", hash_funcs={Study: lambda study: study.digest}
)
def _opened(study: Study) -> OpenStudy:
    return open_study(study)


def _choose_study(found: Mapping[str, Study]) -> Study:
    settle("model", list(found), default=next(iter(found)))
    return found[st.selectbox("Model", list(found), key="model", width=420)]


def _show_provenance(opened: OpenStudy) -> None:
    with st.expander("Where this comes from"):
        st.caption(
            f"{opened.report.env_id}, ε = {opened.report.config.epsilon:g} bits, "
            f"seed {opened.equivalence.manifest.seed}"
        )
        for artefact in (opened.equivalence, opened.model, opened.demonstrations):
            st.caption(f"**{artefact.manifest.kind}** `{artefact.path}`  \n`{artefact.manifest.digest[:16]}…`")


def _listed() -> str:
    return " or ".join(f"{folder}/" for folder in folders())
