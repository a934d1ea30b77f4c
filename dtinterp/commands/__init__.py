"""Folders become folders: one module per command, each reading its artefacts, calling its floor's verb and writing the result."""
