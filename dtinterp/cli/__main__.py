"""The command line by `python -m dtinterp.cli`, as torchrun starts it."""

import sys

from dtinterp.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
