"""The dashboard's entry: `python -m app`, or `streamlit run` with this file."""

import streamlit as st

from app.pictures import ICON
from app.views import found_views


def main() -> None:
    """Show the page that was asked for."""
    st.set_page_config(page_title="dtinterp", page_icon=ICON, layout="wide")
    pages = [
        st.Page(view.show, title=view.title, icon=view.icon, url_path=name, default=place == 0)
        for place, (name, view) in enumerate(found_views())
    ]
    st.navigation(pages).run()


main()
