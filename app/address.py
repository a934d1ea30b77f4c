"""The address of the page and the state of its widgets: a link leads to what its sender saw."""

from collections.abc import Sequence

import streamlit as st

NAMES = ("model", "view", "epsilon", "frame", "first", "second", "dictionary", "window")
"""What is kept in the address. Each is the key of a widget whose value is a string."""
WRITTEN = "address/written"
"""Key of what the page last wrote into the address."""
ASKED = "address/asked"
"""Key of the names that this run took from the address."""
COMPARISON = "Compare two"
"""The view of two observations."""
LONGEST = 40
"""Characters of a value that are repeated to whoever asked for it."""


def read_address() -> None:
    """Take over what the address says, if it is not the page itself that wrote it.

    That is so in a session's first run, and after the browser went back. An address that lags behind the widgets is
    not: a quick hand changed one of them, or gave it its first value, before the browser had heard what was written.
    """
    state = st.session_state
    said = {name: value for name, value in st.query_params.items() if name in NAMES}
    written: dict[str, str] | None = state.get(WRITTEN)
    is_ours = written is not None and (said == written or any(state.get(name) != written.get(name) for name in NAMES))
    state[ASKED] = frozenset() if is_ours else frozenset(said)
    for name in NAMES:
        if is_ours and name in state:
            state[name] = state[name]  # or streamlit forgets it where no widget shows it
        elif not is_ours:
            state.pop(name, None)
    if not is_ours:
        state.update(said)


def settle(name: str, options: Sequence[str], *, default: str) -> str:
    """Give the widget `name` one of its options before it is drawn, and return it; say so where the address errs."""
    value = st.session_state.get(name)
    if value in options:
        return str(value)
    if name in st.session_state[ASKED]:
        asked = str(value)[:LONGEST].replace("`", "")
        st.warning(
            f"The address asks for {name} `{asked}`, which this page does not have: `{default}` is shown instead."
        )
    st.session_state[name] = default
    return default


def write_address() -> None:
    """Put the state of the widgets into the address."""
    said = {name: str(st.session_state[name]) for name in NAMES if st.session_state.get(name) is not None}
    if said != st.query_params.to_dict():
        st.query_params.from_dict(said)
    st.session_state[WRITTEN] = said


def compare_frames(first: int, second: int) -> None:
    """Lead to the view of two observations, rows of the trajectories' frame table."""
    st.session_state.update(view=COMPARISON, first=str(first), second=str(second))
    for stale in ("dictionary", "window"):
        st.session_state.pop(stale, None)
