"""One observation's class beside the world's own classes."""

import pandas as pd
import streamlit as st

from app.catalogue import OpenStudy
from app.pictures import album, gallery
from app.widgets.observation import show_window
from dtinterp.equivalence.levels import Level
from dtinterp.equivalence.partition import Partition
from dtinterp.report.words import plural


def show_comparison(opened: OpenStudy, level: Level, place: int) -> None:
    """Show the worst swap's window, and how the world's partitions class the observation in row `place`."""
    show_window(opened, level, place)
    st.markdown("**Against the world**")
    st.dataframe(comparison_table(opened, level, place), hide_index=True, width="stretch")
    for world in opened.report.worlds:
        _show_differences(opened, level, place, world)


def comparison_table(opened: OpenStudy, level: Level, place: int) -> pd.DataFrame:
    """Return, for each partition of the world, how its class-mates of the observation overlap with the model's."""
    ours = _mates(level.partition, place)
    rows = []
    for world in opened.report.worlds:
        theirs = _mates(world, place)
        rows.append(
            {
                "partition of the world": world.name,
                "same for both": len(ours & theirs),
                "same only for the world": len(theirs - ours),
                "same only for the model": len(ours - theirs),
            }
        )
    return pd.DataFrame(rows)


def _show_differences(opened: OpenStudy, level: Level, place: int, world: Partition) -> None:
    ours, theirs = _mates(level.partition, place), _mates(world, place)
    differences = {
        f"“{world.name}” calls them the same, the model tells them apart": theirs - ours,
        f"the model takes them for the same, “{world.name}” does not": ours - theirs,
    }
    for sentence, places in differences.items():
        if places:
            frames = opened.report.chosen.frame_id[sorted(places)].tolist()
            with st.expander(f"{plural(len(frames), 'observation')}: {sentence}"):
                st.html(gallery(album(opened.trajectories.frames), frames))


def _mates(partition: Partition, place: int) -> set[int]:
    return set(partition.members(int(partition.label[place])).tolist()) - {place}
