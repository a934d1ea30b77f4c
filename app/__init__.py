"""The Streamlit dashboard: a window onto what the study has written."""
