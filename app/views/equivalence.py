"""Certified classes become a page: pick an observation, see what the model takes for the same."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.atlas import Group, Picture, show_atlas
from app.library import OpenStudy, Study, folders, open_study, shelve, studies
from app.panels.comparison import show_comparison
from app.panels.observation import show_observation
from app.panels.overview import show_overview
from app.pictures import STYLE, address_of, title_of
from dtinterp.foundation.errors import UserError
from dtinterp.report.evidence import plural
from dtinterp.report.figures.equivalence import class_order, frame_order


def show() -> None:
    """Show the page."""
    st.title("What the model takes for the same")
    found = studies(shelve(folders()))
    if not found:
        st.info(f"No certified classes stand in {_listed()}: `dtinterp certify` makes them.")
        return
    study = _choose_study(found)
    try:
        opened = _opened(study)
    except UserError as mistake:
        st.error(str(mistake))
        return
    st.html(STYLE)
    _show_provenance(opened)
    one, all_of_them = st.tabs(["One observation", "All of them"])
    with one:
        _explore(opened)
    with all_of_them:
        show_overview(opened.report)


@st.cache_resource(
    show_spinner="Reading the study and checking its hashes", hash_funcs={Study: lambda study: study.equivalence.digest}
)
def _opened(study: Study) -> OpenStudy:
    return open_study(study)


def _choose_study(found: Sequence[Study]) -> Study:
    by_name = {study.name: study for study in found}
    with st.sidebar:
        name = _remembered("study", list(by_name), lambda key: st.selectbox("Study", list(by_name), key=key))
    return by_name[name]


def _remembered(name: str, options: list[str], widget: Callable[[str], str]) -> str:
    """Show a widget whose value is kept in the address of the page, so that a link leads back to what is seen."""
    if st.session_state.get(name) not in options:
        asked = st.query_params.get(name)
        st.session_state[name] = asked if asked in options else options[0]
    value = widget(name)
    st.query_params[name] = value
    return value


@st.fragment
def _explore(opened: OpenStudy) -> None:
    """Show the atlas and the chosen observation; a choice reruns no more than this."""
    report, frames = opened.report, opened.trajectories.frames
    ordered = [str(frame) for frame in report.chosen.frame_id[frame_order(report)].tolist()]

    def pick(key: str) -> str:
        return st.selectbox("Observation", ordered, key=key, format_func=lambda frame: title_of(frames, int(frame)))

    left, right = st.columns([5, 6], gap="large")
    with left:
        chosen = int(_remembered("frame", ordered, pick))
        st.caption("Each box is a class: its observations can stand in for one another. Click a picture.")
        show_atlas(_groups(opened), chosen=chosen, on_click=_choose_frame)
    place = report.chosen.frame_id.tolist().index(chosen)
    with right:
        show_observation(opened, place)
    show_comparison(opened, place)


def _choose_frame(frame: int) -> None:
    st.session_state["frame"] = str(frame)


def _groups(opened: OpenStudy) -> tuple[Group, ...]:
    """Return the classes, largest first, and at the end one group of those observations that stand alone."""
    report, frames = opened.report, opened.trajectories.frames

    def pictures(places: Sequence[int]) -> tuple[Picture, ...]:
        return tuple(
            Picture(frame, title_of(frames, frame), address_of(frames, frame))
            for frame in report.chosen.frame_id[list(places)].tolist()
        )

    order = frame_order(report).tolist()
    sizes = report.partition.sizes
    shared = [label for label in class_order(report).tolist() if sizes[label] > 1]
    groups = [
        Group(f"class {label}", pictures([place for place in order if report.partition.label[place] == label]))
        for label in shared
    ]
    alone = [place for place in order if sizes[report.partition.label[place]] == 1]
    return (
        (*groups, Group(f"{plural(len(alone), 'observation')} on their own", pictures(alone)))
        if alone
        else tuple(groups)
    )


def _show_provenance(opened: OpenStudy) -> None:
    with st.sidebar:
        st.caption(
            f"{opened.report.env_id}, ε = {opened.report.config.epsilon:g} bits, seed {opened.equivalence.manifest.seed}"
        )
        for artefact in (opened.equivalence, opened.model, opened.demonstrations):
            st.caption(f"**{artefact.manifest.kind}** `{artefact.path}`  \n`{artefact.manifest.digest[:16]}…`")


def _listed() -> str:
    return " or ".join(f"{folder}/" for folder in folders())
