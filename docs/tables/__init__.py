"""One function per table of docs/results/: it reads artefacts that ship, and its docstring stands above the table."""
