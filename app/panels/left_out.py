"""What cannot be read becomes one sentence each, in the words of whoever refused it."""

import re
from collections.abc import Sequence

import streamlit as st

MOST = 5
"""Sentences that are shown; of a folder of somebody else's there may be hundreds."""
LONGEST = 400
"""Characters of one; a path may have thousands."""
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#|~$:!])")


def show_left_out(sentences: Sequence[str]) -> None:
    """Show why folders are left out; nothing where none is."""
    if not sentences:
        return
    shown = [f"- {plain(sentence)}" for sentence in sentences[:MOST]]
    if len(sentences) > MOST:
        shown.append(f"- and {len(sentences) - MOST} more.")
    st.warning("\n".join(["Left out, since it cannot be read:", "", *shown]))


def plain(sentence: str) -> str:
    """Return Markdown that shows a sentence as it stands: names of strangers' files draw no picture and no link."""
    clipped = sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]}…"
    return _MARKS.sub(r"\\\1", " ".join(clipped.split()))
