"""Artefacts on disk become a dashboard: `python -m app`, or `streamlit run` with this file."""

import streamlit as st

from app.pictures import ICON
from app.views import equivalence


def main() -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="dtinterp", page_icon=ICON, layout="wide")
    pages = [
        st.Page(equivalence.show, title="Equivalence", icon=":material/compare:", url_path="equivalence", default=True)
    ]
    st.navigation(pages).run()


main()
