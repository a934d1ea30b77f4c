"""Artefacts into pages: the Streamlit dashboard, a window onto what the study has written."""
