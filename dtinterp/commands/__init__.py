"""Folders become folders: one module per command, which reads artefacts, calls a floor's verb and writes the result."""
