"""An experiment that a file describes, run: from its specification to a verdict in words."""
