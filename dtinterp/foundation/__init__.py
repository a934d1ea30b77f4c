"""What every floor stands on: errors, artefacts, seeds, the logbook and statistics."""
