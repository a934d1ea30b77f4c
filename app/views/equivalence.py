"""The page on certified classes: what the model treats as equivalent, why, and what that costs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import streamlit as st

from app.address import ASKED, COMPARISON, read_address, settle, write_address
from app.catalogue import OpenStudy, ShelvedStudy, open_standing, open_study, studies
from app.pictures import STYLE
from app.shelf import FOLDERS, VARIABLE, folders, shelve
from app.views import View
from app.widgets.classes import settle_frame, show_classes
from app.widgets.contrasts import show_contrasts
from app.widgets.head import plain, show_head, show_left_out
from app.widgets.overview import show_overview
from app.widgets.pair import show_pair
from app.widgets.tree import chosen_level
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
    roots = folders()
    shelf = shelve(roots)
    show_left_out(shelf.left_out)
    found = studies(shelf)
    if not found:
        st.info(_none_in(roots))
        return
    read_address()
    name = _choose_study(found)
    try:
        _show_study(open_standing(name, roots, _opened))
    except UserError as mistake:
        st.error(plain(str(mistake)))


def _show_study(opened: OpenStudy) -> None:
    show_left_out(opened.left_out)
    st.html(STYLE)
    show_head(opened)
    settle_frame(opened, chosen_level(opened))
    settle("view", list(VIEWS), default=next(iter(VIEWS)))
    view = st.segmented_control("View", list(VIEWS), key="view", required=True, label_visibility="collapsed")
    VIEWS[str(view)](opened)
    _show_provenance(opened)
    write_address()


@st.cache_resource(
    show_spinner="Reading the study and checking its hashes", hash_funcs={ShelvedStudy: lambda study: study.digest}
)
def _opened(study: ShelvedStudy) -> OpenStudy:
    return open_study(study)


def _choose_study(found: Mapping[str, ShelvedStudy]) -> str:
    chosen, asked = st.session_state.get("model"), st.session_state[ASKED]
    if chosen is not None and chosen not in found and "model" not in asked:
        st.warning(f"{plain(str(chosen))} no longer stands where it stood; another model is shown instead.")
    settle("model", list(found), default=next(iter(found)))
    return st.selectbox("Model", list(found), key="model", width=420)


def _show_provenance(opened: OpenStudy) -> None:
    with st.expander("Where this comes from"):
        st.caption(
            f"{opened.report.env_id}, ε = {opened.report.config.epsilon:g} bits, "
            f"seed {opened.equivalence.manifest.seed}"
        )
        for artefact in (opened.equivalence, opened.model, opened.demonstrations):
            st.caption(f"**{artefact.manifest.kind}** `{artefact.path}`  \n`{artefact.manifest.digest[:16]}…`")


def _none_in(roots: Sequence[Path]) -> str:
    if not roots:
        return (
            f"Neither {' nor '.join(f'{folder}/' for folder in FOLDERS)} stands in {plain(str(Path.cwd()))}: start the "
            f"dashboard where they are, or name folders in `{VARIABLE}`."
        )
    listed = " or ".join(f"{plain(str(root))}/" for root in roots)
    return f"No certified classes stand in {listed}: `dtinterp certify` makes them."


VIEW = View(title="Equivalence", order=10, icon=":material/compare:", show=show)
