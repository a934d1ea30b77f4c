"""What every floor stands on: errors, artefacts, long jobs, seeds, the logbook and statistics."""

__version__ = "0.1.0"
