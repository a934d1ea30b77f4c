"""Start of the dashboard from any folder: `python -m app`, with options of `streamlit run` after it."""

import sys
from pathlib import Path

from streamlit.web.cli import main

if __name__ == "__main__":
    main(["run", str(Path(__file__).with_name("main.py")), *sys.argv[1:]], prog_name="streamlit")
